"""R3GAN of its authors' program, converted: their own images and logits come out of files in their layout."""

from pathlib import Path

import pytest
import torch
from safetensors import safe_open

from gan_hub import GANPipeline
from gan_hub.foreign.convert import convert
from gan_hub.model_folder.strict import LoadError
from tests.foreign import made_pickles

GOLDEN = Path(__file__).resolve().parents[1] / "golden"
KINDS = ("plain", "classes")


def golden(kind: str) -> dict[str, torch.Tensor]:
    with safe_open(GOLDEN / f"r3gan-file-{kind}.safetensors", "pt") as file:
        return {key: file.get_tensor(key) for key in file.keys()}


def weights(kind: str, role: str) -> dict[str, torch.Tensor]:
    start = f"weights/{role}/"
    return {key.removeprefix(start): value for key, value in golden(kind).items() if key.startswith(start)}


def pickled(folder: Path, **networks: dict[str, torch.Tensor]) -> Path:
    content = {role: made_pickles.module_object(each, "training.networks.Network") for role, each in networks.items()}
    path = folder / "network-snapshot.pkl"
    path.write_bytes(made_pickles.dumps(content | {"cur_nimg": 3}, 4))
    return path


@pytest.mark.parametrize("kind", KINDS)
def test_the_authors_images_and_logits_come_out(tmp_path, kind):
    generator = weights(kind, "generator")
    other = {name: -tensor for name, tensor in generator.items()}
    path = pickled(tmp_path, G=other, G_ema=generator, D=weights(kind, "discriminator"))
    report = convert(path, tmp_path / "model")
    assert "(G_ema)" in report.recognized and not report.lost
    pipe, tensors = GANPipeline.from_pretrained(tmp_path / "model"), golden(kind)
    labels = tensors["inputs/c"].argmax(1) if kind == "classes" else None
    with torch.no_grad():
        image = pipe.generator.train()(tensors["inputs/z"], labels)  # unbounded, as theirs is
        logits = pipe.discriminator(tensors["inputs/images"], labels)
    for made, expected in ((image, tensors["outputs/image"]), (logits, tensors["outputs/logits"])):
        assert (made - expected).abs().max() < 1e-5 * expected.abs().max()
    assert torch.equal(pipe.sample_latents([85, 7]), tensors["inputs/z"])


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("Model.MainLayers.1.Layers.0.Resampler.Kernel", torch.ones(4, 4) / 16, "resamples by a filter of its own"),
        ("Model.MainLayers.1.Layers.2.LinearLayer1.Layer.weight", torch.zeros(32, 16, 1, 1), "equally many in each"),
        ("Model.MainLayers.2.Layers.1.LinearLayer2.Layer.weight", torch.zeros(16, 2, 3, 3), "has the shape"),
        ("Model.Attention.weight", torch.zeros(3), "'Model.Attention.weight' belongs to no part"),
    ],
)
def test_another_network_is_refused_in_one_sentence(tmp_path, name, value, words):
    path = pickled(tmp_path, G_ema=weights("plain", "generator") | {name: value})
    with pytest.raises(LoadError, match=words) as caught:
        convert(path, tmp_path / "model")
    assert str(caught.value).startswith(f"{path}: ") and not (tmp_path / "model").exists()
