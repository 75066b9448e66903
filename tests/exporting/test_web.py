"""The page of a model in a real browser, with no server but one that hands out files: its pictures are the library's."""

import functools
import http.server
import re
import shutil
import tarfile
import threading
from pathlib import Path
from urllib.parse import urlsplit

import numpy as np
import pytest
from axe_playwright_python.sync_playwright import Axe

from gan_hub import GANPipeline, cli
from gan_hub.exporting import export_web, runtime, web
from gan_hub.latents import interpolate, sample
from gan_hub.models import ARCHITECTURES
from tests.models.test_registry import build_pair, moved

PHONE, DESKTOP = {"width": 390, "height": 844}, {"width": 1440, "height": 900}


@pytest.fixture(scope="session")
def onnx_runtime_web() -> str:
    """ONNX Runtime Web, fetched from npm into the tests' cache. Skips where npm cannot get it."""
    try:
        runtime.read_runtime(runtime.DOWNLOAD)
    except ValueError as error:
        pytest.skip(str(error))
    return runtime.DOWNLOAD


class Files(http.server.SimpleHTTPRequestHandler):
    """What `python -m http.server` is, without its log."""

    def log_message(self, *arguments):
        pass


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """A folder, and the address at which a plain server of this machine hands out its files."""
    folder = tmp_path_factory.mktemp("site")
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Files, directory=folder))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield folder, f"http://127.0.0.1:{server.server_port}"
    server.shutdown()


class Window:
    """A browser window on an exported page; every other host is out of reach, and what goes wrong is noted."""

    def __init__(self, browser, address: str, viewport=DESKTOP, locale="en-US"):
        self.wrong: list[str] = []
        self.page = browser.new_context(viewport=viewport, locale=locale).new_page()
        self.page.set_default_timeout(60_000)
        self.page.on("console", lambda m: self.wrong.append(m.text) if m.type in ("error", "warning") else None)
        self.page.on("pageerror", lambda error: self.wrong.append(str(error)))
        self.page.context.route("**/*", self._only_here)
        self.page.goto(address)
        self.drawn()

    def _only_here(self, route):
        address = urlsplit(route.request.url)
        if address.scheme in ("data", "blob", "file") or address.hostname == "127.0.0.1":
            route.continue_()
        else:
            self.wrong.append(f"request to {route.request.url}")
            route.abort()

    def drawn(self) -> None:
        """Wait until the large picture is the address's."""
        self.page.wait_for_function("document.getElementById('picture').dataset.shown === location.hash")

    def picture(self, address: str | None = None, canvas: str = "#picture") -> np.ndarray:
        """The pixels (H, W, 4) of a canvas; of the large one, of an address's state."""
        if address is not None:
            self.page.evaluate("(hash) => (location.hash = hash)", address)
            self.drawn()
        script = """({ width, height }, canvas) => {
            const copy = Object.assign(document.createElement("canvas"), { width, height });
            const context = copy.getContext("2d", { willReadFrequently: true });
            context.drawImage(document.querySelector(canvas), 0, 0);
            return [height, width, Array.from(context.getImageData(0, 0, width, height).data)];
        }"""
        height, width, pixels = self.page.eval_on_selector(canvas, script, canvas)
        return np.array(pixels).reshape(height, width, 4)


def assert_is(shown: np.ndarray, pipe: GANPipeline, **options) -> None:
    """A canvas shows the library's picture to one level."""
    (expected,) = pipe(output_type="np", **options).images
    expected = expected.astype(int)
    assert np.abs(shown[..., : expected.shape[-1] if expected.shape[-1] == 3 else 1] - expected).max() <= 1, options
    assert (shown[..., 3] == 255).all() and expected.std() > 5, "a picture of one color proves nothing"


@pytest.mark.browser
@pytest.mark.parametrize("name", ["dcgan-fashion-mnist", "stylegan2-avatars-32", "r3gan-cats-32", "spade-facades"])
def test_a_page_without_a_server_draws_the_librarys_pictures_and_asks_no_other_host(
    name, browser, site, onnx_runtime_web, tmp_path
):
    pipe, (folder, address) = GANPipeline.from_pretrained(name, discriminator=None), site
    export_web(pipe, folder / "models" / name, name=name, runtime=onnx_runtime_web)
    window = Window(browser, f"{address}/models/{name}/")  # below a path
    page, maps = window.page, pipe.segmentations
    count = len(maps if maps is not None else pipe.label_names or ())

    def options(number: int) -> dict:
        return {"segmentation": maps[number]} if maps is not None else {"labels": number} if count else {}

    assert_is(window.picture(), pipe, seeds=[7], **options(7 % max(1, count)))
    choice = ("&class=3" if pipe.label_names else "&map=3") if count else ""
    for seed in (0, 2**32 - 1):
        assert_is(window.picture(f"#seed={seed}{choice}"), pipe, seeds=[seed], **options(3))
    assert_is(window.picture(f"#seed=5&psi=0.4{choice}"), pipe, seeds=[5], truncation=0.4, **options(3))
    halfway = interpolate(pipe.sample_latents([5, 11]), 3)[1:2]
    assert_is(window.picture(f"#seed=5&to=11&at=0.5{choice}"), pipe, latents=halfway, **options(3))
    window.picture("#seed=5&psi=0.4")
    page.wait_for_function("document.querySelectorAll('#sheet [data-drawn]').length === 24")
    tile, as_shown = "#sheet button:nth-child(12)", options(11 % max(1, count)) | {"truncation": 0.4}
    assert_is(window.picture(canvas=f"{tile} canvas"), pipe, seeds=[11], **as_shown)
    page.locator(tile).click()
    window.drawn()
    assert "seed=11" in page.evaluate("location.hash") and page.locator(tile).get_attribute("aria-pressed") == "true"
    assert_is(window.picture(), pipe, seeds=[11], **as_shown)
    assert window.wrong == []


@pytest.fixture(scope="module")
def small_page(site, onnx_runtime_web, tiny_pipeline) -> Path:
    """The page of a tiny model with three classes, whose name would end the page's script."""
    folder = site[0] / "tiny"
    export_web(tiny_pipeline, folder, name="</script><b>tiny</b>", runtime=onnx_runtime_web)
    return folder


@pytest.mark.browser
def test_a_page_opened_as_a_file_draws_as_well(browser, small_page, tiny_pipeline):
    window = Window(browser, f"{small_page.as_uri()}/index.html#seed=3&class=1")
    assert_is(window.picture(), tiny_pipeline, seeds=[3], labels=1)
    assert_is(window.picture("#seed=4&class=2"), tiny_pipeline, seeds=[4], labels=2)
    assert window.wrong == []


@pytest.mark.browser
def test_a_page_is_used_by_keys_and_speaks_two_languages_and_tells_of_mistakes(
    browser, site, small_page, tiny_pipeline
):
    window = Window(browser, f"{site[1]}/tiny/#seed=3", viewport=PHONE, locale="pt-BR")
    page = window.page
    assert page.locator("h1").inner_text() == "</script><b>tiny</b>" and page.locator("b").count() == 0
    assert (
        page.locator("html").get_attribute("lang") == "pt"
        and "Licença dos pesos" in page.locator("header").inner_text()
    )
    page.get_by_role("button", name="English").click()
    assert "Licence of the weights: unknown" in page.locator("header").inner_text()
    assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]
    page.keyboard.press("ArrowRight")
    window.drawn()
    assert page.evaluate("location.hash") == "#seed=4"
    assert_is(window.picture(), tiny_pipeline, seeds=[4], labels=4 % 3)
    page.get_by_label("Class").select_option("star")
    window.drawn()
    assert page.evaluate("location.hash") == "#seed=4&class=2"
    before = window.picture()
    for mistake in ("4294967296", "-1", "two", ""):
        page.get_by_label("Seed", exact=True).fill(mistake)
        assert page.locator("#message").inner_text() == "A seed is a whole number from 0 to 4294967295."
    assert (window.picture() == before).all() and page.evaluate("location.hash") == "#seed=4&class=2"
    page.get_by_label("Seed", exact=True).fill("9")
    window.drawn()
    assert_is(window.picture(), tiny_pipeline, seeds=[9], labels=2)
    with page.expect_download() as download:
        page.get_by_role("button", name="Save picture").click()
    assert download.value.suggested_filename.endswith("seed9.png")
    for scheme in ("light", "dark"):
        page.emulate_media(color_scheme=scheme)
        problems = Axe().run(page).response["violations"]
        assert [problem["id"] for problem in problems] == []
    assert window.wrong == []


@pytest.mark.browser
@pytest.mark.parametrize("seeds_like", ["numpy", "uniform"])
def test_a_seed_of_a_converted_model_is_its_picture(seeds_like, browser, onnx_runtime_web, tiny_rgb_pipeline, tmp_path):
    pipe = GANPipeline.from_pipe(tiny_rgb_pipeline, seeds_like=seeds_like)
    export_web(pipe, tmp_path / "out", runtime=onnx_runtime_web)
    window = Window(browser, f"{(tmp_path / 'out').as_uri()}/index.html#seed=85")
    assert_is(window.picture(), pipe, seeds=[85])
    assert_is(window.picture("#seed=7&psi=0.5"), pipe, seeds=[7], truncation=0.5)
    assert window.wrong == []


@pytest.mark.browser
def test_a_page_whose_folder_is_torn_says_so(browser, site, small_page):
    torn = shutil.copytree(small_page, site[0] / "torn")
    (torn / "generator.onnx").unlink()
    page = browser.new_page(locale="en-US")
    page.goto(f"{site[1]}/torn/")
    page.get_by_text("The model could not be loaded (generator.onnx: 404).").wait_for(timeout=60_000)


@pytest.mark.browser
def test_the_browsers_latents_are_those_of_the_library(browser):
    page = browser.new_page()
    page.add_script_tag(path=web.FRONT / "page.js")
    for seeds_like in ("torch", "numpy", "uniform"):
        for size in (1, 2, 5, 15, 16, 17, 33, 64, 100, 512):
            for seed in (0, 85, 2**31, 2**32 - 1):
                mine = page.evaluate("(asked) => Array.from(latentsOf(...asked))", [seed, size, seeds_like])
                expected = sample([seed], size, seeds_like)[0].numpy()
                np.testing.assert_allclose(
                    np.float32(mine), expected, rtol=0, atol=2e-6, err_msg=f"{seeds_like} {size}"
                )


# ----------------------------------------------------------------------------------------------------------- without a browser


def assert_refused(sentence: str, pipe: GANPipeline, folder: Path, **options) -> None:
    """One sentence, and nothing written."""
    before = sorted(folder.parent.rglob("*"))
    with pytest.raises(ValueError, match=re.escape(sentence)):
        export_web(pipe, folder, **options)
    assert sorted(folder.parent.rglob("*")) == before


@pytest.fixture
def empty_cache(tmp_path_factory, monkeypatch) -> Path:
    cache = tmp_path_factory.mktemp("cache")
    monkeypatch.setenv("GAN_HUB_CACHE", str(cache))
    return cache


def test_without_its_runtime_a_page_is_not_written_and_what_to_do_is_told(tiny_pipeline, tmp_path, empty_cache):
    out = tmp_path / "out"
    assert_refused('give runtime="download", which fetches it with npm', tiny_pipeline, out)
    assert_refused("nowhere.tgz'", tiny_pipeline, out, runtime=tmp_path / "nowhere.tgz")
    (tmp_path / "other.tgz").write_bytes(b"no package")
    assert_refused("other.tgz: not onnxruntime-web@1.30.0", tiny_pipeline, out, runtime=tmp_path / "other.tgz")
    changed = tmp_path / "changed"
    (changed / "dist").mkdir(parents=True)
    for name in runtime.CHECKSUMS:
        (changed / "dist" / name).write_text("changed")
    assert_refused("changed: not onnxruntime-web@1.30.0", tiny_pipeline, out, runtime=changed)
    with tarfile.open(tmp_path / "changed.tgz", "w:gz") as package:
        package.add(changed / "dist", "package/dist")
    assert_refused("changed.tgz: not onnxruntime-web@1.30.0", tiny_pipeline, out, runtime=tmp_path / "changed.tgz")


@pytest.mark.parametrize(
    ("npm", "sentence"),
    [
        (None, "is fetched with npm, which is not installed here"),
        ("echo 'npm error network' >&2; exit 1", "could not be fetched ('npm error network')"),
        ("exit 0", "could not be fetched ('npm wrote no file')"),
        ("/bin/echo changed > onnxruntime-web-1.30.0.tgz", "npm fetched another onnxruntime-web@1.30.0"),
    ],
)
def test_a_download_that_fails_is_told_and_leaves_nothing(
    npm, sentence, tiny_pipeline, tmp_path, empty_cache, tmp_path_factory, monkeypatch
):
    programs = tmp_path_factory.mktemp("bin")
    if npm is not None:
        (programs / "npm").write_text(f"#!/bin/sh\n{npm}\n")
        (programs / "npm").chmod(0o755)
    monkeypatch.setenv("PATH", str(programs))
    assert_refused(sentence, tiny_pipeline, tmp_path / "out", runtime="download")
    assert list(empty_cache.rglob("*")) == []


def test_a_model_of_maps_without_examples_has_no_page(tmp_path):
    generator, _ = build_pair(ARCHITECTURES["spade"])
    assert_refused("has no examples of them", GANPipeline(moved(generator).eval()), tmp_path / "out")


def test_the_command_refuses_options_of_the_other_format(tiny_model, tmp_path, capsys):
    for options, sentence in (
        (["--to", "web", "--discriminator"], "--discriminator is not allowed with --to web."),
        (["--to", "onnx", "--runtime", "download"], "--runtime is not allowed with --to onnx."),
        (["--to", "web", "--runtime", "x.tgz"], "x.tgz': no such file; give --runtime"),
    ):
        assert cli.main(["export", str(tiny_model), str(tmp_path / "out"), *options]) == 2
        assert sentence in capsys.readouterr().err
    assert not (tmp_path / "out").exists()
