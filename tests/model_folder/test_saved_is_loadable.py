"""What cannot be loaded again is not saved and not pushed: the old files stay, nothing new appears."""

import copy
import json
import shutil

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn.utils import prune

from gan_hub import GANPipeline
from gan_hub.hub.resolve import bundled_models
from gan_hub.model_folder import real_samples
from gan_hub.model_folder.files import REAL_SAMPLES_PICTURE, REAL_SAMPLES_TABLE
from gan_hub.model_folder.manifest import Manifest
from gan_hub.model_folder.strict import LoadError, read_json, write_json
from gan_hub.models.dcgan import DCGANDiscriminator, DCGANGenerator
from gan_hub.pipeline import Calibration
from tests.conftest import made_concept


class MyGenerator(DCGANGenerator):
    """An own subclass, which no file can name."""


class Odd(DCGANGenerator):
    """One that has more weights than its config says."""

    def __init__(self, **sizes):
        super().__init__(**sizes)
        self.more = nn.Linear(2, 2)


def contents(folder) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def half_a_layer(pipe: GANPipeline) -> None:
    pipe.generator.project.half()


def of_another_class(pipe: GANPipeline) -> None:
    pipe.generator = MyGenerator(**{k: v for k, v in pipe.generator.config.items() if not k.startswith("_")})


def with_more_weights(pipe: GANPipeline) -> None:
    pipe.generator = Odd(**{k: v for k, v in pipe.generator.config.items() if not k.startswith("_")})


def with_a_pruned_tensor(pipe: GANPipeline) -> None:
    del pipe.generator.norms[0].scale


def with_a_direction_of_another_model(pipe: GANPipeline) -> None:
    pipe.concepts = {"thick": made_concept("thick", 3)}


def infinite(pipe: GANPipeline) -> None:
    with torch.no_grad():
        pipe.generator.project.weight[0, 0] = torch.inf


def quantised(pipe: GANPipeline) -> None:
    state = pipe.generator.state_dict
    pipe.generator.state_dict = lambda *given, **more: state(*given, **more) | {"project.scale": torch.qint8}


SPOILED = {
    "quantised": (quantised, "'project.scale' is no tensor of plain numbers"),
    "without memory": (lambda pipe: pipe.generator.to("meta"), "is no tensor of plain numbers"),
    "float64": (lambda pipe: pipe.to(torch.float64), "has dtype 'F64'; allowed: BF16, F16, F32"),
    "complex": (lambda pipe: pipe.generator.to(torch.complex64), "dtype"),
    "one layer in half": (half_a_layer, "mix the dtypes F16, F32"),
    "own subclass": (of_another_class, "generator is .*MyGenerator.*; allowed: "),
    "more weights": (with_more_weights, "generator is .*Odd"),
    "fewer weights": (with_a_pruned_tensor, "tensor 'norms.0.scale' is missing"),
    "wrong label_names": (lambda pipe: setattr(pipe, "label_names", ["circle"]), "label_names is \\['circle'\\]"),
    "no label_names": (lambda pipe: setattr(pipe, "label_names", None), "label_names is None"),
    "twice the same label": (lambda pipe: setattr(pipe, "label_names", ["a", "a", "b"]), "label_names is"),
    "calibration": (lambda pipe: setattr(pipe, "calibration", Calibration(1, 0, 2.0, 0.1, 9)), "auc has the value 2"),
    "label_names in an array": (lambda pipe: setattr(pipe, "label_names", np.array(["a", "b", "c"])), "label_names is"),
    "calibration that is none": (
        lambda pipe: setattr(pipe, "calibration", {"scale": 1}),
        "calibration is {'scale': 1}",
    ),
    "maps of a model without": (
        lambda pipe: setattr(pipe, "segmentations", torch.zeros(1, 28, 28)),
        "does not draw from maps",
    ),
    "concept of another model": (with_a_direction_of_another_model, "a direction of 3 numbers in z"),
    "infinite": (infinite, "contains NaN or Inf"),
    "other roles": (lambda pipe: setattr(pipe, "discriminator", pipe.generator), "discriminator is"),
    "another size": (
        lambda pipe: setattr(pipe, "discriminator", DCGANDiscriminator(resolution=32, channels=1, num_classes=3)),
        "resolution is 28 in the generator, but 32 in the discriminator",
    ),
}


def test_tied_weights_and_other_layouts_in_memory_are_saved(tiny_pipeline, tmp_path):
    pipe = copy.deepcopy(tiny_pipeline)
    pipe.generator.norms[0].shift = pipe.generator.norms[0].scale
    pipe.generator.to(memory_format=torch.channels_last)
    pipe.discriminator.eval().requires_grad_(False)
    for variant in (None, "fp16"):
        pipe.save_pretrained(tmp_path, variant=variant)
    loaded = GANPipeline.from_pretrained(tmp_path).generator.state_dict()
    assert all(torch.equal(tensor, loaded[name]) for name, tensor in pipe.generator.state_dict().items())


def test_a_pruned_network_is_refused_in_a_sentence_in_any_variant(tiny_pipeline, tmp_path):
    pipe = copy.deepcopy(tiny_pipeline)
    prune.l1_unstructured(pipe.generator.project, "weight", amount=0.5)
    for variant in (None, "fp16"):
        with pytest.raises(ValueError, match="tensor 'project.weight' is missing"):
            pipe.save_pretrained(tmp_path / "new", variant=variant)
    assert not (tmp_path / "new").exists()


CAST = ("float64", "one layer in half")  # what a variant mends


@pytest.mark.parametrize(
    ("kind", "variant"),
    [(kind, variant) for kind in SPOILED for variant in (None, "fp16") if not (variant and kind in CAST)],
)
def test_what_cannot_be_loaded_again_is_not_saved(kind, variant, tiny_pipeline, tmp_path):
    spoil, sentence = SPOILED[kind]
    pipe = copy.deepcopy(tiny_pipeline)
    tiny_pipeline.save_pretrained(tmp_path / "model")
    before = contents(tmp_path)
    spoil(pipe)
    for folder in ("model", "new"):
        with pytest.raises(ValueError, match=sentence) as error:
            pipe.save_pretrained(tmp_path / folder, variant=variant)
        assert str(tmp_path) not in str(error.value) and len(str(error.value).splitlines()) == 1
        assert contents(tmp_path) == before and not (tmp_path / "new").exists()


@pytest.mark.parametrize("kind", CAST)
def test_a_variant_is_cast_and_so_can_be_saved(kind, tiny_pipeline, tmp_path):
    pipe = copy.deepcopy(tiny_pipeline)
    SPOILED[kind][0](pipe)
    pipe.save_pretrained(tmp_path, variant="fp16")
    assert GANPipeline.from_pretrained(tmp_path, variant="fp16").generator.dtype == torch.float32


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_a_pipeline_in_half_precision_is_saved_with_the_reference_that_its_loader_draws(dtype, tiny_pipeline, tmp_path):
    copy.deepcopy(tiny_pipeline).to(dtype).save_pretrained(tmp_path)
    loaded = GANPipeline.from_pretrained(tmp_path)
    assert loaded.generator.dtype == torch.float32 and loaded.verify_reference() == 0


def test_what_cannot_be_loaded_again_is_not_pushed(tiny_pipeline, tmp_path, monkeypatch):
    pushed = []
    monkeypatch.setattr(GANPipeline, "_upload", staticmethod(lambda *given, **more: pushed.append(given)))
    pipe = copy.deepcopy(tiny_pipeline).to(torch.float64)
    with pytest.raises(ValueError, match="nothing was saved"):
        pipe.push_to_hub("me/mine")
    with pytest.raises(ValueError, match="nothing was saved"):
        pipe.save_pretrained(tmp_path / "new", push_to_hub=True, repo_id="me/mine")
    assert pushed == []


def test_what_stands_in_the_way_of_a_save_is_told_and_nothing_of_it_is_written(tiny_pipeline, tmp_path, monkeypatch):
    (tmp_path / "file").write_text("mine")
    for name, kind in (("generator", "a file, where a folder"), ("judge.json", "a folder, where a file")):
        (folder := tmp_path / name.split(".")[0]).mkdir()
        (folder / name).mkdir() if "folder, where" in kind else (folder / name).write_text("mine")
        with pytest.raises(ValueError, match=kind):
            tiny_pipeline.save_pretrained(folder)
        assert [path.name for path in folder.iterdir()] == [name]
    with pytest.raises(ValueError, match="a file, where a folder is to be written"):
        tiny_pipeline.save_pretrained(tmp_path / "file")
    assert (tmp_path / "file").read_text() == "mine"
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ValueError, match="save_directory is empty"):
        tiny_pipeline.save_pretrained("")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["file", "generator", "judge"]


def test_a_network_alone_is_saved_only_if_it_loads_again(tmp_path):
    network = DCGANGenerator(resolution=32, base_channels=4)
    network.save_pretrained(tmp_path / "good")
    MyGenerator(resolution=32, base_channels=4).save_pretrained(tmp_path / "mine")
    assert type(MyGenerator.from_pretrained(tmp_path / "mine")) is MyGenerator
    before = contents(tmp_path)
    for spoiled, sentence in (
        (copy.deepcopy(network).double(), "has dtype 'F64'"),
        (Odd(resolution=32, base_channels=4), "without rules for its config|'more.bias' is not part of this network"),
    ):
        for folder in ("good", "new"):
            with pytest.raises(ValueError, match=sentence) as error:
                spoiled.save_pretrained(tmp_path / folder)
            assert str(tmp_path) not in str(error.value)
    with pytest.raises(ValueError, match="the weights of one network are one file"):
        network.save_pretrained(tmp_path / "new", max_shard_size="1KB")
    assert contents(tmp_path) == before


# ------------------------------------------------------------------------------------------------ manifest


def test_the_manifest_covers_real_samples(tmp_path):
    """Pictures that somebody changed are not shown as real ones, and lost ones are missed."""
    for change in ("png", "json", "gone"):
        folder = shutil.copytree(bundled_models()["mlp-mnist"], tmp_path / change)
        assert set(real_samples.NAMES) <= Manifest(folder).files.keys()
        if change == "png":
            real_samples.write(tmp_path, 255 - read_pixels(folder), None, "other", columns=16)
            shutil.copy(tmp_path / REAL_SAMPLES_PICTURE, folder)
        elif change == "json":
            table = read_json(folder / REAL_SAMPLES_TABLE)
            write_json(folder / REAL_SAMPLES_TABLE, table | {"notice": "other"})
        else:
            for name in real_samples.NAMES:
                (folder / name).unlink()
        with pytest.raises(LoadError, match="real_samples.*(manifest.json|cannot be read)"):
            real_samples.read(folder, Manifest.if_any(folder), 28, 1, 0)


def read_pixels(folder):
    return np.stack(
        [np.asarray(image)[..., None] for image in real_samples.read(folder, Manifest.if_any(folder), 28, 1, 0).images]
    )


def test_every_published_real_sample_is_in_its_manifest():
    with_samples = {
        name: folder for name, folder in bundled_models().items() if (folder / REAL_SAMPLES_PICTURE).exists()
    }
    assert len(with_samples) == 11
    for name, folder in with_samples.items():
        assert set(real_samples.NAMES) <= Manifest(folder).files.keys(), name


def test_saving_a_model_anew_keeps_its_real_samples_listed(tiny_pipeline, tmp_path):
    tiny_pipeline.save_pretrained(tmp_path)
    real_samples.write(tmp_path, np.zeros((3, 28, 28, 1), np.uint8), [0, 1, 2], "made up")
    for variant in (None, "fp16"):
        tiny_pipeline.save_pretrained(tmp_path, variant=variant)
        assert set(real_samples.NAMES) <= Manifest(tmp_path).files.keys()
        assert len(real_samples.read(tmp_path, Manifest.if_any(tmp_path), 28, 1, 3).images) == 3


@pytest.mark.parametrize(
    "change",
    [
        ("concepts.safetensors", "concepts.safetensorz"),
        ("judge.json", "judge.jsn"),
        ("generator/config.json", "generator/../generator/config.json"),
        ("reference.safetensors", "generator/diffusion_pytorch_model.fp17.safetensors"),
    ],
    ids=str,
)
def test_a_wrong_letter_in_the_manifest_is_named_and_drops_nothing_silently(change, tmp_path):
    folder = shutil.copytree(bundled_models()["dcgan-mnist"], tmp_path / "model")
    text = (folder / "manifest.json").read_text(encoding="utf-8")
    (folder / "manifest.json").write_text(text.replace(*(json.dumps(name) for name in change)), encoding="utf-8")
    with pytest.raises(LoadError, match=f"manifest.json: it lists '{change[1]}', which this version"):
        GANPipeline.from_pretrained(folder)


def test_concepts_that_the_manifest_does_not_list_are_left_out_with_a_warning(tmp_path):
    folder = shutil.copytree(bundled_models()["dcgan-mnist"], tmp_path / "model")
    content = read_json(folder / "manifest.json")
    del content["files"]["concepts.safetensors"]
    write_json(folder / "manifest.json", content)
    with pytest.warns(UserWarning, match="concepts.safetensors: not listed in manifest.json"):
        assert GANPipeline.from_pretrained(folder).concepts == {}
