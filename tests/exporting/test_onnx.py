"""ONNX files of a model: they draw its pictures, say whose they are, and appear whole or not at all."""

import json
import re
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from PIL import Image

from gan_hub import GANPipeline, cli
from gan_hub.exporting import export_onnx, graphs
from gan_hub.hub.resolve import bundled_models
from gan_hub.models import ARCHITECTURES
from gan_hub.models.config_schema import rules
from tests.conftest import LABEL_NAMES, make_pipeline
from tests.models.test_registry import build_pair, moved

SEED = 7  # of the README's example


def metadata(file: Path) -> dict[str, str]:
    return {entry.key: entry.value for entry in onnx.load(file).metadata_props}


def session(file: Path):
    import onnxruntime  # half a second, which only these tests pay

    return onnxruntime.InferenceSession(file, providers=["CPUExecutionProvider"])


def drawn_by_the_readme(folder: Path, monkeypatch) -> np.ndarray:
    """The picture that the README's own program makes in its folder."""
    (code,) = re.findall(r"```python\n(.*?)```", (folder / "README.md").read_text(encoding="utf-8"), re.DOTALL)
    monkeypatch.chdir(folder)
    exec(compile(code, "README.md", "exec"), {})  # our own text
    with Image.open(folder / "sample.png") as image:
        return np.asarray(image)


def assert_is_the_models(folder: Path, pipe: GANPipeline, monkeypatch) -> None:
    """The README's picture is the pipeline's to one level."""
    options = {"labels": 0} if pipe.label_names else {}
    if pipe.semantic_names:
        size = pipe.unwrapped_generator.config["resolution"]
        options["segmentation"] = torch.zeros(size, size, dtype=torch.uint8)
    (expected,) = pipe(seeds=[SEED], output_type="np", **options).images
    picture = drawn_by_the_readme(folder, monkeypatch)
    assert np.abs(picture.reshape(expected.shape).astype(int) - expected.astype(int)).max() <= 1
    assert expected.std() > 1, "a picture of one color proves nothing"


@pytest.mark.parametrize("name", sorted(bundled_models()))
def test_a_bundled_model_draws_its_pictures_from_its_onnx_files_with_its_licence_inside(name, tmp_path, monkeypatch):
    pipe = GANPipeline.from_pretrained(name)
    export = export_onnx(pipe, tmp_path / "out", name=name, discriminator=True)
    files = sorted((tmp_path / "out").glob("*.onnx"))
    assert {file.name: file.stat().st_size for file in files} == export.files
    assert export.opset >= 18 and all(difference <= 1e-4 for difference in export.differences.values())
    for file in files:
        assert metadata(file).items() >= {"model": name, "license": "apache-2.0", "part": file.stem}.items()
        onnx.checker.check_model(file)
        assert b"site-packages" not in file.read_bytes() and b"gan_hub/" not in file.read_bytes()
    assert "What it must not be used for" in (tmp_path / "out" / "README.md").read_text(encoding="utf-8")
    assert_is_the_models(tmp_path / "out", pipe, monkeypatch)


@pytest.mark.parametrize("architecture", ARCHITECTURES)
@pytest.mark.parametrize("num_classes", [0, 3])
def test_every_architecture_is_exported_with_its_discriminator(architecture, num_classes, tmp_path, monkeypatch):
    cls = ARCHITECTURES[architecture].generator
    if not rules(cls.__init__.__wrapped__)["num_classes"].allows(num_classes):
        num_classes = 0
    generator, discriminator = build_pair(ARCHITECTURES[architecture], num_classes)
    pipe = GANPipeline(moved(generator).eval(), None if discriminator is None else moved(discriminator).eval())
    export_onnx(pipe, tmp_path / "out", discriminator=discriminator is not None)
    assert_is_the_models(tmp_path / "out", pipe, monkeypatch)


def test_any_number_of_images_is_drawn_and_judged_at_once(tiny_pipeline, tmp_path):
    export_onnx(tiny_pipeline, tmp_path / "out", discriminator=True)
    generator, discriminator = (
        session(tmp_path / "out" / "generator.onnx"),
        session(tmp_path / "out/discriminator.onnx"),
    )
    for count in (1, 5):
        z, labels = tiny_pipeline.sample_latents(range(count)), torch.arange(count) % 3
        (images,) = generator.run(["images"], {"z": z.numpy(), "labels": labels.numpy()})
        (logits,) = discriminator.run(["logits"], {"images": images, "labels": labels.numpy()})
        expected = tiny_pipeline(latents=z, labels=labels, output_type="pt").images
        torch.testing.assert_close(torch.from_numpy(images), expected, rtol=0, atol=1e-4)
        judged = tiny_pipeline.discriminate(expected, labels)
        torch.testing.assert_close(torch.from_numpy(logits), judged, rtol=1e-4, atol=1e-4)


def test_a_file_says_all_that_its_use_needs(tiny_pipeline, tmp_path):
    export_onnx(tiny_pipeline, tmp_path / "out", name="tiny")
    inside = metadata(tmp_path / "out" / "generator.onnx")
    assert (inside["model"], inside["license"]) == ("tiny", "unknown")
    assert json.loads(inside["label_names"]) == list(LABEL_NAMES[:3])
    assert inside["latents"] == "z (N, 8), float32, normal, mean 0, deviation 1"
    assert "torch.Generator().manual_seed(seed)" in inside["seeds"] and "[-1, 1]" in inside["output"]
    assert float(inside["largest_difference"]) < 1e-4
    readme = (tmp_path / "out" / "README.md").read_text(encoding="utf-8")
    assert "license: unknown" in readme and f"from 0: {', '.join(LABEL_NAMES[:3])}." in readme


@pytest.mark.parametrize(
    ("seeds_like", "latents", "makes"),
    [
        ("numpy", "normal, mean 0", "numpy.random.RandomState(seed)"),
        ("uniform", "uniform from -1 to 1", "uniform_(-1, 1"),
    ],
)
def test_seeds_are_those_of_the_model(seeds_like, latents, makes, tiny_rgb_pipeline, tmp_path, monkeypatch):
    pipe = GANPipeline.from_pipe(tiny_rgb_pipeline, seeds_like=seeds_like)
    export_onnx(pipe, tmp_path / "out")
    inside = metadata(tmp_path / "out" / "generator.onnx")
    assert latents in inside["latents"] and makes in inside["seeds"]
    assert_is_the_models(tmp_path / "out", pipe, monkeypatch)


def test_a_model_in_another_dtype_and_in_training_is_exported_exactly_and_left_as_it_is(tiny_rgb_model, tmp_path):
    pipe = GANPipeline.from_pretrained(tiny_rgb_model, dtype="float16")
    pipe.generator.train()
    before = {name: tensor.clone() for name, tensor in pipe.generator.state_dict().items()}
    assert export_onnx(pipe, tmp_path / "out").differences["generator"] < 1e-4
    assert pipe.generator.training and pipe.generator.dtype == torch.float16
    assert all(torch.equal(before[name], tensor) for name, tensor in pipe.generator.state_dict().items())


def assert_refused(text: str, folder: Path, pipe: GANPipeline, **options) -> None:
    """One sentence, and nothing written."""
    before = sorted(folder.parent.rglob("*"))
    with pytest.raises(ValueError, match=re.escape(text)):
        export_onnx(pipe, folder, **options)
    assert sorted(folder.parent.rglob("*")) == before


def test_what_cannot_be_exported_is_told_in_a_sentence_and_leaves_nothing(tiny_rgb_pipeline, tmp_path, monkeypatch):
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "mine.txt").write_text("mine")
    assert_refused("full: it exists and is not an empty folder", tmp_path / "full", tiny_rgb_pipeline)
    alone = GANPipeline(tiny_rgb_pipeline.generator)
    assert_refused("without a discriminator; leave", tmp_path / "out", alone, discriminator=True)
    with monkeypatch.context() as patch:
        patch.setattr(graphs, "LIMIT", 0.0)
        assert_refused("generator's graph computes something else", tmp_path / "out", tiny_rgb_pipeline)
    monkeypatch.setattr("gan_hub.engines.onnx_runtime.PACKAGES", ("onnxruntime", "no_such_package"))
    sentence = "ONNX files need no_such_package: pip install 'gan_hub[fast]'."
    assert_refused(sentence, tmp_path / "out", tiny_rgb_pipeline)


def test_a_graph_of_other_weights_is_noticed(tmp_path, monkeypatch):
    """What is compared is what is written: a graph that draws another network's pictures is refused."""
    pipe, other = make_pipeline(0, 32, 3), make_pipeline(0, 32, 3, seed=5)
    make = graphs.onnx_bytes
    elsewhere = graphs.Parts(other.generator, graphs.probes_of(other.generator, None, torch.device("cpu")), 1)
    monkeypatch.setattr(graphs, "onnx_bytes", lambda parts, name: make(elsewhere, name))
    assert_refused("generator's graph computes something else", tmp_path / "out", pipe)


def test_the_command_writes_the_same_and_prints_what_was_measured(tiny_model, tmp_path, capsys):
    assert cli.main(["export", str(tiny_model), str(tmp_path / "out"), "--to", "onnx", "--discriminator"]) == 0
    printed = capsys.readouterr().out
    assert re.search(r"generator\.onnx: [\d,]+ bytes, opset \d+\n", printed)
    assert "images differ from the model's by at most" in printed and "logits differ" in printed
    assert metadata(tmp_path / "out" / "discriminator.onnx")["model"] == tiny_model.name


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (["--to", "onnx"], "--to onnx needs a folder to write: gan-hub export {model} OUT --to onnx."),
        (["OUT", "--out", "other", "--to", "onnx"], "OUT is given twice, OUT and --out other; give one."),
        (["OUT", "--to", "onnx", "--checkpoint", "3"], "--checkpoint is for exporting a run, without --to."),
        (["OUT", "--discriminator"], "--discriminator is for exporting a model with --to onnx"),
        (["OUT", "--to", "onxn"], "did you mean onnx?"),
    ],
)
def test_options_that_do_not_go_together_are_told_apart(options, sentence, tiny_model, tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    try:
        code = cli.main(["export", str(tiny_model), *options])
    except SystemExit as left:
        code = left.code
    assert code == 2 and sentence.format(model=tiny_model) in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []
