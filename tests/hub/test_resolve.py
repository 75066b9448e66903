"""Up to the Hub and back down: bit-equal, frugal, and with one kind of error when something is wrong.

Local folders alone prove little here: a pipeline can work from a folder and fail for everyone who loads it from the Hub.
"""

import json
import os
import socket
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from huggingface_hub import get_session

from gan_hub import GANPipeline
from gan_hub.hub.timeouts import READ_TIMEOUT, hub_timeout
from gan_hub.model_folder.strict import LoadError
from tests.hub import client as act
from tests.hub.fake_hub import Repo

GENERATOR = "generator/diffusion_pytorch_model.safetensors"


def assert_is(loaded: dict, pipeline: GANPipeline) -> None:
    assert "error" not in loaded, loaded["error"]
    players = {"generator": pipeline.generator, "discriminator": pipeline.discriminator}
    ours = {f"{p}.{n}": t.numpy() for p, m in players.items() for n, t in m.state_dict().items()}
    assert ours.keys() == loaded["tensors"].keys()
    for name, tensor in ours.items():
        assert np.array_equal(tensor, loaded["tensors"][name]), name
    out = pipeline(seeds=[1, 2], output_type="np")
    assert np.array_equal(out.images, loaded["images"])
    assert np.array_equal(pipeline.discriminate(out.images).numpy(), loaded["logits"])
    assert (loaded["label_names"], loaded["calibration"]) == (pipeline.label_names, pipeline.calibration)


@pytest.fixture
def published(hub, client, tiny_model):
    """me/my-gan with the float32 and the fp16 files of tiny_model, as `upload` sends them."""
    client(act.upload, tiny_model, "me/my-gan")
    hub.requests.clear()
    return hub.repos["me/my-gan"]


def files(folder: Path) -> set[str]:
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}


def test_what_is_pushed_and_loaded_again_is_bit_equal(hub, client, tiny_model, tiny_pipeline, tmp_path):
    url = client(act.push, tiny_model, "me/my-gan")
    repo = hub.repos["me/my-gan"]
    assert url == f"{hub.address}/me/my-gan/commit/{repo.branches['main']}"
    stored = repo.commits[repo.branches["main"]]
    assert stored.keys() == {name for name in files(tiny_model) if "fp16" not in name}
    assert_is(client(act.load, "me/my-gan", cache_dir=tmp_path), tiny_pipeline)


def test_a_variant_is_pushed_and_loaded_without_the_other_weights(hub, client, published, tiny_pipeline, tmp_path):
    half = client(act.load, "me/my-gan", variant="fp16", cache_dir=tmp_path)
    weight = tiny_pipeline.generator.project.weight
    assert np.array_equal(half["tensors"]["generator.project.weight"], weight.detach().half().float().numpy())
    weights = [name for name in hub.downloads() if "diffusion_pytorch_model" in name]
    assert weights == [f"{p}/diffusion_pytorch_model.fp16.safetensors" for p in ("discriminator", "generator")]


def test_only_what_is_needed_is_downloaded(hub, client, published, tmp_path):
    published.commit(
        {
            "README.md": b"card",
            "concepts.safetensors": b"not in the manifest",
            "training/log.csv": b"x" * 1000,
            "optimizer.bin": b"no",
            "big.mp4": b"no",
        }
    )
    client(act.load, "me/my-gan", cache_dir=tmp_path)
    assert set(hub.downloads()) == {
        "README.md",
        "concepts.safetensors",
        "config.json",
        "discriminator/config.json",
        "discriminator/diffusion_pytorch_model.safetensors",
        "generator/config.json",
        GENERATOR,
        "judge.json",
        "manifest.json",
        "model_index.json",
        "reference.safetensors",
    }


def test_without_the_discriminator_none_of_its_files_is_downloaded(hub, client, published, tmp_path):
    loaded = client(act.load, "me/my-gan", discriminator=None, cache_dir=tmp_path)
    assert loaded["logits"] is None and loaded["images"].shape == (2, 28, 28, 1)
    assert GENERATOR in hub.downloads() and not [line for line in hub.requests if "discriminator/" in line]


def test_one_network_alone_is_downloaded_alone(hub, client, published, tiny_pipeline, tmp_path):
    tensors = client(act.load_generator, "me/my-gan", subfolder="generator", cache_dir=tmp_path)
    assert np.array_equal(tensors["project.weight"], tiny_pipeline.generator.project.weight.detach().numpy())
    assert not [line for line in hub.requests if "discriminator/" in line]


@pytest.mark.parametrize("variant", [None, "fp16"])
def test_a_network_that_was_pushed_alone_is_loaded_from_its_repository(hub, client, tiny_model_copy, tmp_path, variant):
    hub.repos["me/network"] = Repo()
    hub.repos["me/network"].commit({".gitattributes": b""})  # as the Hub makes a repository
    client(act.push_network, tiny_model_copy, "me/network", variant=variant)
    tensors = client(act.load_generator, "me/network", variant=variant, cache_dir=tmp_path / "cache")
    again = client(act.load_generator, str(tmp_path / "network"), variant=variant)
    assert tensors.keys() == again.keys() and all(np.array_equal(tensors[name], again[name]) for name in again)


def test_a_revision_is_a_branch_or_a_commit(hub, client, published, tiny_model, tiny_pipeline, tmp_path):
    first = published.branches["main"]
    published.branches["v1"] = first
    published.commit({GENERATOR: b"something else"})
    for revision in ("v1", first):
        assert_is(client(act.load, "me/my-gan", revision=revision, cache_dir=tmp_path / revision), tiny_pipeline)
    assert GENERATOR in client(act.load, "me/my-gan", cache_dir=tmp_path / "main")["error"]
    error = client(act.load, "me/my-gan", revision="v9", cache_dir=tmp_path / "v9")["error"]
    assert error == "me/my-gan: no revision 'v9' on the Hub."


def test_a_second_load_asks_once_and_downloads_nothing(hub, client, published, tiny_pipeline, tmp_path):
    client(act.load, "me/my-gan", cache_dir=tmp_path)
    hub.requests.clear()
    assert_is(client(act.load, "me/my-gan", cache_dir=tmp_path), tiny_pipeline)
    assert hub.requests == ["GET /api/models/me/my-gan/revision/main"]


@pytest.mark.parametrize("fault", ["503", "close", "401", "404", "garbage"])
def test_with_the_hub_down_what_was_loaded_before_comes_from_the_cache(
    hub, client, published, tiny_pipeline, tmp_path, fault
):
    client(act.load, "me/my-gan", cache_dir=tmp_path)
    hub.fail(fault)
    loaded = client(act.load, "me/my-gan", cache_dir=tmp_path)
    assert_is(loaded, tiny_pipeline)
    assert loaded["seconds"] < 30
    hub.requests.clear()
    assert_is(client(act.load, "me/my-gan", cache_dir=tmp_path, local_files_only=True), tiny_pipeline)
    assert hub.requests == []


def test_a_hub_that_is_busy_for_a_moment_is_waited_for(hub, client, published, tiny_pipeline, tmp_path):
    hub.fail("429", times=2, where="GET /me/my-gan/resolve")
    loaded = client(act.load, "me/my-gan", cache_dir=tmp_path)
    assert_is(loaded, tiny_pipeline)
    assert loaded["seconds"] < 20


@pytest.mark.parametrize("name", [GENERATOR, "generator/config.json", "judge.json", "manifest.json"])
def test_a_corrupted_download_of_the_same_length_is_refused_by_its_checksum(hub, client, published, tmp_path, name):
    hub.fail("corrupt", where=f"GET /me/my-gan/resolve/{published.branches['main']}/{name}")
    loaded = client(act.load, "me/my-gan", cache_dir=tmp_path)
    assert name in loaded["error"] or "manifest.json" in loaded["error"]


def damage(cache: Path, name: str) -> Path:
    """Changes one byte of a downloaded file, where it lies in the cache; returns its snapshot's path."""
    (path,) = cache.glob(f"models--me--my-gan/snapshots/*/{name}")
    data = path.read_bytes()
    path.resolve().write_bytes(data[:-2] + bytes([data[-2] ^ 1]) + data[-1:])
    return path


@pytest.mark.parametrize("name", [GENERATOR, "generator/config.json", "judge.json", "manifest.json"])
def test_a_damaged_cached_download_is_downloaded_again_once_and_says_so(
    hub, client, published, tiny_pipeline, tmp_path, name
):
    client(act.load, "me/my-gan", cache_dir=tmp_path)
    damage(tmp_path, name)
    hub.requests.clear()
    loaded = client(act.load, "me/my-gan", cache_dir=tmp_path)
    assert_is(loaded, tiny_pipeline)
    fetched = {"manifest.json", name}
    assert set(hub.downloads()) == fetched, "more was fetched than what was damaged"
    assert loaded["told"] == f"me/my-gan: {name} is damaged in the cache; downloading it again.\n"
    assert client(act.load, "me/my-gan", cache_dir=tmp_path)["told"] == ""


def test_a_damaged_cached_download_without_a_connection_says_what_brings_it_back(hub, client, published, tmp_path):
    client(act.load, "me/my-gan", cache_dir=tmp_path)
    path = damage(tmp_path, GENERATOR)
    cure = f"{path}: damaged in the cache; with a connection, force_download=True downloads it again."
    assert client(act.load, "me/my-gan", cache_dir=tmp_path, local_files_only=True)["error"] == cure
    hub.fail("close")
    assert client(act.load, "me/my-gan", cache_dir=tmp_path)["error"] == cure


def test_a_network_alone_also_brings_its_damaged_download_back(hub, client, published, tiny_pipeline, tmp_path):
    for _ in range(2):
        loaded = client(act.load_generator, "me/my-gan", subfolder="generator", cache_dir=tmp_path)
        assert np.array_equal(loaded["project.weight"], tiny_pipeline.generator.project.weight.detach().numpy())
        damage(tmp_path, GENERATOR)


def test_a_manifest_that_names_files_of_the_reader_has_none_of_them_opened(hub, client, published, tmp_path):
    diary = tmp_path / "diary.txt"
    diary.write_text("private")
    listed = json.loads(published.commits[published.branches["main"]]["manifest.json"])
    listed["files"][str(diary)] = {"sha256": "0" * 64, "size": 7}
    published.commit({"manifest.json": json.dumps(listed).encode()})
    loaded = client(act.load, "me/my-gan", cache_dir=tmp_path / "cache")
    assert "which this version of gan_hub does not know" in loaded["error"]
    assert loaded["told"] == "", "it was read, and found to be damaged"


def test_half_a_file_in_the_cache_is_downloaded_again(hub, client, published, tmp_path):
    content = client(act.download, "me/my-gan", GENERATOR, cache_dir=tmp_path)
    (path,) = tmp_path.glob(f"models--me--my-gan/snapshots/*/{GENERATOR}")
    os.truncate(path, 100)
    assert client(act.download, "me/my-gan", GENERATOR, cache_dir=tmp_path) == content
    hub.requests.clear()
    assert client(act.download, "me/my-gan", GENERATOR, cache_dir=tmp_path) == content
    assert hub.downloads() == []


def test_force_download_fetches_everything_again(hub, client, published, tiny_pipeline, tmp_path):
    client(act.load, "me/my-gan", cache_dir=tmp_path)
    files = hub.downloads()
    hub.requests.clear()
    assert_is(client(act.load, "me/my-gan", cache_dir=tmp_path, force_download=True), tiny_pipeline)
    assert hub.downloads() == files
    hub.fail("503")
    error = client(act.load, "me/my-gan", cache_dir=tmp_path, force_download=True)["error"]
    assert error.startswith("me/my-gan: download failed"), "an old copy is not what was asked for"
    error = client(act.load, "me/my-gan", cache_dir=tmp_path, force_download=True, local_files_only=True)["error"]
    assert error == "me/my-gan: either force_download=True or local_files_only=True, not both."


def test_a_repository_that_is_damaged_itself_is_downloaded_twice_and_no_more(hub, client, published, tmp_path):
    published.commit({GENERATOR: published.commits[published.branches["main"]][GENERATOR][:-1] + b"x"})
    error = client(act.load, "me/my-gan", cache_dir=tmp_path)["error"]
    assert error.endswith("It was downloaded anew: me/my-gan itself is damaged on the Hub.")
    assert hub.downloads().count(GENERATOR) == 2


@pytest.mark.parametrize(
    ("fault", "where"),
    [("silent", "/revision/"), ("silent", "HEAD"), ("stall", "/tree/"), ("stall", f"/{GENERATOR}")],
)
def test_a_hub_that_hangs_is_waited_for_a_bounded_time(hub, client, published, tiny_pipeline, tmp_path, where, fault):
    hub.fail(fault, where=where)
    loaded = client(act.load, "me/my-gan", cache_dir=tmp_path)  # `client` itself gives up after two minutes
    assert loaded["error"].startswith("me/my-gan: ") and "the Hub does not answer" in loaded["error"]
    hub.fail(None)
    assert_is(client(act.load, "me/my-gan", cache_dir=tmp_path), tiny_pipeline)


def test_with_a_hub_that_hangs_what_was_loaded_before_comes_from_the_cache(
    hub, client, published, tiny_pipeline, tmp_path
):
    client(act.load, "me/my-gan", cache_dir=tmp_path)
    hub.fail("silent")
    assert_is(client(act.load, "me/my-gan", cache_dir=tmp_path), tiny_pipeline)


def test_a_port_that_accepts_and_is_silent_ends_in_a_sentence(tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as silent:  # the system accepts for it; nobody ever reads
        env = os.environ | {
            "HF_ENDPOINT": f"http://127.0.0.1:{silent.getsockname()[1]}", "HF_HUB_OFFLINE": "0", "HF_HOME": str(tmp_path),
            "NO_PROXY": "*", "HF_HUB_ETAG_TIMEOUT": "1", "HF_HUB_DOWNLOAD_TIMEOUT": "1",
        }  # fmt: skip
        command = [sys.executable, "-m", "gan_hub.cli", "info", "owner/name"]
        done = subprocess.run(command, env=env, capture_output=True, text=True, timeout=100)
    assert done.returncode == 1
    assert "owner/name: not in the cache, and the Hub does not answer. Bundled: dcgan-" in done.stderr


def test_the_bound_leaves_other_questions_and_the_client_as_they_were():
    client = get_session()
    before = {name: list(hooks) for name, hooks in client.event_hooks.items()}
    with hub_timeout("me/my-gan"):
        asked = client.event_hooks["request"][-1]
        for path, limited in {
            "/api/models/me/my-gan": True,
            "/api/models/me/my-gan2": False,
            "/me/my-gan/a": True,
        }.items():
            request = client.build_request("GET", f"http://localhost{path}", timeout=None)
            asked(request)
            assert (request.extensions["timeout"]["read"] == READ_TIMEOUT) is limited
    assert client.event_hooks == before


@pytest.mark.parametrize("fault", ["short", "503", "close"])
def test_half_a_download_is_refused_and_the_next_one_succeeds(hub, client, published, tiny_pipeline, tmp_path, fault):
    hub.fail(fault, where=f"GET /me/my-gan/resolve/{published.branches['main']}/{GENERATOR}")
    loaded = client(act.load, "me/my-gan", cache_dir=tmp_path)
    assert "download failed" in loaded["error"] and loaded["seconds"] < 60
    hub.fail(None)
    assert_is(client(act.load, "me/my-gan", cache_dir=tmp_path), tiny_pipeline)


@pytest.mark.parametrize("fault", ["401", "403", "404", "500", "garbage", "close"])
def test_a_hub_that_fails_with_an_empty_cache_is_a_load_error(hub, client, published, tmp_path, fault):
    hub.fail(fault)
    loaded = client(act.load, "me/my-gan", cache_dir=tmp_path)
    assert loaded["error"].startswith("me/my-gan: ") and loaded["seconds"] < 60, loaded
    assert not list(tmp_path.rglob("*.safetensors"))


def test_a_model_that_is_not_there_is_refused_with_what_is(hub, client, tmp_path):
    error = client(act.load, "me/nothing", cache_dir=tmp_path)["error"]
    assert error.startswith("me/nothing: not on the Hub (or private); bundled models: ")


def test_a_gated_model_says_what_to_do(hub, client, published, tmp_path):
    published.gated = True
    error = client(act.load, "me/my-gan", cache_dir=tmp_path)["error"]
    assert error == "me/my-gan: a gated repository; accept its terms on the Hub and log in."


def test_a_repository_that_is_no_model_is_refused_by_what_it_lacks(hub, client, published, tmp_path):
    published.commit(dict.fromkeys(["manifest.json", "model_index.json"]))
    assert "manifest.json: cannot be read" in client(act.load, "me/my-gan", cache_dir=tmp_path / "a")["error"]
    published.commit({name: None for name in published.commits[published.branches["main"]]} | {"model.pkl": b"x"})
    told = "me/my-gan: no model of this library; it holds model.pkl, a pickle, which can run code; it is never loaded, but "
    told += "`gan-hub convert` makes a model of such a file, downloaded."
    assert client(act.load, "me/my-gan", cache_dir=tmp_path / "b")["error"] == told
    assert not [line for line in hub.requests if "model.pkl" in line]


def test_a_pickle_on_the_hub_is_neither_downloaded_nor_loaded(hub, client, published, tmp_path):
    published.commit({GENERATOR: None, "generator/diffusion_pytorch_model.bin": b"x", "generator/model.pt": b"x"})
    error = client(act.load, "me/my-gan", cache_dir=tmp_path)["error"]
    assert "generator/diffusion_pytorch_model.safetensors: not found" in error
    assert not [line for line in hub.requests if ".bin" in line or ".pt" in line]


def test_a_token_is_sent_and_private_is_passed_on(hub, client, tiny_model, tiny_pipeline, tmp_path):
    client(act.push, tiny_model, "me/secret", private=True, token="hf_made_up")
    assert hub.repos["me/secret"].private is True and hub.tokens == {"Bearer hf_made_up"}
    hub.tokens.clear()
    assert_is(client(act.load, "me/secret", token="hf_made_up", cache_dir=tmp_path), tiny_pipeline)
    assert hub.tokens == {"Bearer hf_made_up"}


def test_a_damaged_folder_and_a_folder_with_a_pickle_are_not_uploaded(hub, client, tiny_model_copy):
    (tiny_model_copy / "extra.pkl").write_bytes(b"x")
    with pytest.raises(LoadError, match="extra.pkl is a pickle"):
        client(act.upload, tiny_model_copy, "me/my-gan")
    (tiny_model_copy / "extra.pkl").unlink()
    path = tiny_model_copy / GENERATOR
    path.write_bytes(path.read_bytes()[:-1] + b"\x7f")
    with pytest.raises(LoadError, match="sha256 differs"):
        client(act.upload, tiny_model_copy, "me/my-gan")
    assert hub.repos == {}


def test_an_upload_that_the_hub_refuses_is_a_load_error(hub, client, tiny_model):
    hub.fail("403")
    with pytest.raises(LoadError, match="me/my-gan: upload failed"):
        client(act.upload, tiny_model, "me/my-gan")
    with pytest.raises(LoadError, match="upload failed"):
        client(act.upload, tiny_model, "not a repository id")


def test_saving_may_push_as_well(hub, client, tiny_model, tiny_pipeline, tmp_path):
    client(act.save_and_push, tiny_model, tmp_path / "my-gan", "me/my-gan")
    assert_is(client(act.load, "me/my-gan", cache_dir=tmp_path / "cache"), tiny_pipeline)
    assert (tmp_path / "my-gan" / "manifest.json").is_file()
