"""Generators of declared layers, converted: against torch's own layers; lists that are not allowed are refused."""

import json
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from gan_hub import GANPipeline, SequentialGenerator
from gan_hub.cli.program import main
from gan_hub.foreign.convert import convert
from gan_hub.model_folder.strict import LoadError


def unlike_new(*layers: nn.Module) -> nn.Sequential:
    torch.manual_seed(0)
    for layer in layers:
        if isinstance(layer, nn.modules.batchnorm._BatchNorm):
            for tensor in (layer.weight, layer.bias, layer.running_mean):
                nn.init.normal_(tensor, 0.5)
            nn.init.uniform_(layer.running_var, 0.5, 2)
    return nn.Sequential(*layers).eval()


def five_by_five() -> tuple[nn.Sequential, list[dict]]:
    """Kernels of 5 × 5, a start with bias and ReLU, a norm of numbers, sides that are cut: 4 → 7 → 14 → 28."""
    network = unlike_new(
        nn.Linear(6, 128), nn.BatchNorm1d(128), nn.ReLU(), nn.Unflatten(1, (8, 4, 4)),
        nn.ConvTranspose2d(8, 8, 5, 2, 2, bias=False), nn.BatchNorm2d(8, eps=0.8), nn.LeakyReLU(0.01),
        nn.ConvTranspose2d(8, 4, 5, 2, 2, 1), nn.ELU(), nn.ConvTranspose2d(4, 1, 4, 2, 1), nn.Sigmoid(),
    )  # fmt: skip
    layers = [
        {"kind": "linear", "out": 128}, {"kind": "batch_norm"}, {"kind": "relu"}, {"kind": "reshape", "to": [8, 4, 4]},
        {"kind": "conv_transpose", "out": 8, "kernel": 5, "stride": 2, "padding": 2, "bias": False},
        {"kind": "batch_norm", "eps": 0.8}, {"kind": "leaky_relu", "slope": 0.01},
        {"kind": "conv_transpose", "out": 4, "kernel": 5, "stride": 2, "padding": 2, "output_padding": 1},
        {"kind": "elu"}, {"kind": "conv_transpose", "out": 1, "kernel": 4, "stride": 2, "padding": 1}, {"kind": "sigmoid"},
    ]  # fmt: skip
    return network, layers


def upsampled() -> tuple[nn.Sequential, list[dict]]:
    """z as one pixel, enlarged by both modes, 3 × 3 convolutions, one at full size, instance norms, spectral norms."""
    network = unlike_new(
        nn.Unflatten(1, (6, 1, 1)), nn.utils.spectral_norm(nn.ConvTranspose2d(6, 6, 4)), nn.InstanceNorm2d(6, affine=True),
        nn.SiLU(), nn.Upsample(scale_factor=2), nn.utils.spectral_norm(nn.Conv2d(6, 4, 3, padding=1)), nn.InstanceNorm2d(4),
        nn.GELU(), nn.Upsample(scale_factor=2, mode="bilinear"), nn.Conv2d(4, 4, 3, 1, 1), nn.SELU(),
        nn.Conv2d(4, 3, 3, padding=1), nn.Tanh(),
    )  # fmt: skip
    layers = [
        {"kind": "reshape", "to": [6, 1, 1]}, {"kind": "conv_transpose", "out": 6, "kernel": 4},
        {"kind": "instance_norm", "affine": True}, {"kind": "silu"}, {"kind": "upsample", "factor": 2},
        {"kind": "conv", "out": 4, "kernel": 3, "padding": 1}, {"kind": "instance_norm"}, {"kind": "gelu"},
        {"kind": "upsample", "factor": 2, "mode": "bilinear"}, {"kind": "conv", "out": 4, "kernel": 3, "padding": 1},
        {"kind": "selu"}, {"kind": "conv", "out": 3, "kernel": 3, "padding": 1}, {"kind": "tanh"},
    ]  # fmt: skip
    return network, layers


def listed(folder: Path, layers: object) -> Path:
    (folder / "layers.json").write_text(json.dumps(layers))
    return folder / "layers.json"


@pytest.mark.parametrize("make", [five_by_five, upsampled])
@pytest.mark.parametrize("container", ["torch", "safetensors"])
def test_the_networks_own_images_come_out(tmp_path, make, container):
    network, layers = make()
    file = tmp_path / f"G.{container}"
    (torch.save if container == "torch" else save_file)(network.state_dict(), file)
    report = convert(file, tmp_path / "model", layers=listed(tmp_path, layers), latents="uniform")
    pipe, z = GANPipeline.from_pretrained(tmp_path / "model"), torch.randn(3, 6)
    with torch.no_grad():
        expected = network(z)
        expected = 2 * expected - 1 if make is five_by_five else expected
        assert (pipe.generator(z) - expected).abs().max() < 1e-5
    assert pipe.seeds_like == "uniform" and "declared layers" in report.recognized
    assert pipe(seeds=[3]).images[0].size == expected.shape[2:]


def test_layers_may_say_the_names_of_their_tensors(tmp_path):
    network, layers = upsampled()
    state = network.state_dict()
    order = sorted(state, key=lambda name: -int(name.split(".")[0]))
    torch.save({name: state[name] for name in order}, tmp_path / "G.pth")
    names = iter(dict.fromkeys(name.rpartition(".")[0] for name in state))
    for layer in layers:
        if layer["kind"].startswith("conv") or layer.get("affine"):
            layer["name"] = next(names)
    convert(tmp_path / "G.pth", tmp_path / "model", layers=listed(tmp_path, layers), latents="normal")
    generator, z = GANPipeline.from_pretrained(tmp_path / "model").generator, torch.randn(2, 6)
    with torch.no_grad():
        assert (generator(z) - network(z)).abs().max() < 1e-5
    assert not any("name" in layer for layer in generator.config["layers"])


def test_the_others_take_what_no_layer_names_in_its_order(tmp_path):
    network, layers = upsampled()
    state = network.state_dict()
    last = {f"0.{part}": state.pop(f"11.{part}") for part in ("weight", "bias")}  # the first in any order
    torch.save(last | state, tmp_path / "G.pth")
    layers[11]["name"] = "0"
    convert(tmp_path / "G.pth", tmp_path / "model", layers=listed(tmp_path, layers), latents="normal")
    generator, z = GANPipeline.from_pretrained(tmp_path / "model").generator, torch.randn(2, 6)
    with torch.no_grad():
        assert (generator(z) - network(z)).abs().max() < 1e-5


LAST = {"kind": "conv", "out": 3, "kernel": 3, "padding": 1}
WRONG = {  # name → (place of the list, what to put there, words)
    "no list": (None, {"a": 1}, "layers= is not allowed: layers are a list of 1 to 200"),
    "unknown kind": (3, {"kind": "eval"}, r"layer 3 is \{'kind': 'eval'\}; allowed: a kind of linear, conv"),
    "a kind that is no text": (3, {"kind": ["relu"]}, "layer 3 is .*; allowed: a kind of"),
    "unknown word": (3, {"kind": "silu", "inplace": True}, r"layer 3 \(silu\) says 'inplace'; allowed: nothing"),
    "missing word": (11, {"kind": "conv", "out": 3}, r"layer 11 \(conv\) does not say kernel; it is a whole number"),
    "large number": (11, LAST | {"out": 10**9}, r"layer 11 \(conv\) has out 1000000000; allowed: .* from 1 to 8192"),
    "no number": (11, LAST | {"out": True}, r"layer 11 \(conv\) has out True; allowed"),
    "another shape": (
        11,
        LAST | {"out": 2},
        r"layer 11 \(conv\), '11': its weight is \[3, 4, 3, 3\], and by the list \[2",
    ),
    "other numbers": (
        0,
        {"kind": "reshape", "to": [5, 1, 1]},
        "its weight is .6, 6, 4, 4., and by the list .5, 6, 4, 4.",
    ),
    "a bias less": (
        11,
        LAST | {"bias": False},
        r"layer 11 \(conv\), '11': the file has a bias, and the other has none",
    ),
    "a layer less": (11, {"kind": "relu"}, "'11' belongs to no layer of the list"),
    "a layer more": (12, LAST, r"layer 12 \(conv\): no tensors left in it"),
    "a kernel too large": (11, LAST | {"kernel": 64}, "its kernel of 64 is larger than the side of 16"),
    "numbers": (12, {"kind": "flatten"}, "layers= end with numbers"),
    "a linear layer of maps": (12, {"kind": "linear", "out": 2}, "takes numbers, but gets feature maps; a flatten"),
    "a name that is none": (11, LAST | {"name": 3}, "layers= have the name 3"),
    "a name of nothing": (11, LAST | {"name": "x.y"}, "no tensors of 'x.y' in it"),
}


@pytest.mark.parametrize("name", WRONG)
def test_a_list_that_is_not_allowed_or_is_not_the_files_is_refused_in_one_sentence(tmp_path, name):
    place, value, words = WRONG[name]
    network, layers = upsampled()
    torch.save(network.state_dict(), tmp_path / "G.pth")
    changed = value if place is None else [*layers[:place], value, *layers[place + 1 :]]
    with pytest.raises(LoadError, match=words):
        convert(tmp_path / "G.pth", tmp_path / "model", layers=listed(tmp_path, changed), latents="normal")
    assert not (tmp_path / "model").exists()


@pytest.mark.parametrize("text", ["[", '[{"kind": "relu", "kind": "tanh"}]', "[NaN]", " " * 100_001, "[" * 50_000])
def test_a_list_that_is_no_json_is_refused(tmp_path, text):
    torch.save(upsampled()[0].state_dict(), tmp_path / "G.pth")
    (tmp_path / "layers.json").write_text(text)
    with pytest.raises(LoadError, match="layers.json: "):
        convert(tmp_path / "G.pth", tmp_path / "model", layers=tmp_path / "layers.json", latents="normal")


def test_what_no_list_says_is_asked_for_and_what_it_says_is_not(tmp_path, capsys):
    network, layers = upsampled()
    torch.save(network.state_dict(), tmp_path / "G.pth")
    path = listed(tmp_path, layers)
    assert main(["convert", str(tmp_path / "G.pth"), str(tmp_path / "m"), "--layers", str(path)]) == 1
    assert "nor the list says --latents (normal" in capsys.readouterr().err
    with pytest.raises(LoadError, match="output= is not allowed"):
        convert(tmp_path / "G.pth", tmp_path / "m", layers=path, latents="normal", output="tanh")
    options = ["--layers", str(path), "--latents", "normal"]
    assert main(["convert", str(tmp_path / "G.pth"), str(tmp_path / "m"), *options]) == 0


def test_the_list_in_the_docs_makes_images():
    text = (Path(__file__).resolve().parents[2] / "docs/converting.md").read_text(encoding="utf-8")
    layers = json.loads(text.split("```json\n")[1].split("```")[0])
    generator = SequentialGenerator(resolution=28, channels=1, latent_size=100, layers=layers).eval()
    assert generator(torch.randn(2, 100)).shape == (2, 1, 28, 28)


# --------------------------------------------------------------------------------------------- the architecture


def saved(folder: Path) -> Path:
    SequentialGenerator(latent_size=4).save_pretrained(folder)
    return folder / "config.json"


@pytest.mark.parametrize(
    ("layer", "words"),
    [
        ({"kind": "exec"}, "config key 'layers' has the value"),
        ({"kind": "conv", "out": 10**30, "kernel": 3}, "config key 'layers' has the value"),
        ({"kind": "linear", "out": 3}, r"layer 3 \(linear\): it takes numbers"),
        ({"kind": "conv_transpose", "out": 8192, "kernel": 64, "stride": 8}, "layer 3 .*weights; allowed"),
    ],
)
def test_a_config_with_other_layers_is_a_load_error_before_memory_is_taken(tmp_path, layer, words):
    path = saved(tmp_path)
    config = json.loads(path.read_text())
    config["layers"][3] = layer
    path.write_text(json.dumps(config))
    with pytest.raises(LoadError, match=words):
        SequentialGenerator.from_pretrained(tmp_path)


def test_an_image_of_another_size_is_refused():
    with pytest.raises(ValueError, match=r"layers end with \[3, 16, 16\]; an image is \[1, 16, 16\]"):
        SequentialGenerator(channels=1)


def test_a_generator_of_layers_can_be_trained():
    generator = SequentialGenerator(latent_size=4)
    generator.train()(torch.randn(2, 4)).square().mean().backward()
    assert all(torch.isfinite(parameter.grad).all() for parameter in generator.parameters())
