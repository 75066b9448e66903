"""DCGAN generators of other programs, converted: against torch's own layers, and against a reference's images."""

from pathlib import Path

import pytest
import torch
from safetensors import safe_open
from torch import nn

from gan_hub import DCGANGenerator, GANPipeline
from gan_hub.cli.program import main
from gan_hub.foreign.convert import convert
from gan_hub.model_folder.strict import LoadError

GOLDEN = Path(__file__).resolve().parents[1] / "golden/dcgan.safetensors"
OUTPUTS = {"tanh": nn.Tanh(), "sigmoid": nn.Sigmoid(), "none": nn.Identity()}


def network(start: int, widths: list[int], kernels: list[int], slope: float, output: str, bias: bool) -> nn.Sequential:
    """A generator as courses write it, its statistics not those of a new one."""
    torch.manual_seed(0)
    layers: list[nn.Module] = [nn.ConvTranspose2d(6, widths[0], start, bias=bias)]
    for narrow, wide, kernel in zip(widths, widths[1:], kernels):
        layers += [nn.BatchNorm2d(narrow), nn.LeakyReLU(slope) if slope else nn.ReLU()]
        layers.append(nn.ConvTranspose2d(narrow, wide, kernel, 2, 0 if kernel == 2 else 1, bias=bias))
    for layer in layers:
        if isinstance(layer, nn.BatchNorm2d):
            for tensor in (layer.weight, layer.bias, layer.running_mean):
                nn.init.normal_(tensor, 0.5)
            nn.init.uniform_(layer.running_var, 0.5, 2)
        elif isinstance(layer, nn.ConvTranspose2d):
            nn.init.normal_(layer.weight, 0, 0.3)
    return nn.Sequential(*layers, OUTPUTS[output]).eval()


NETWORKS = {  # name → (the network's options, the answers)
    "usual": ((4, [16, 8, 4, 3], [4, 4, 4], 0, "tanh", False), {}),
    "leaky with biases": ((4, [16, 8, 4, 3], [4, 4, 4], 0.2, "tanh", True), {}),
    "28 from 7": ((7, [8, 4, 1], [4, 4], 0.01, "sigmoid", True), {"start": 7}),
    "28 from 4": ((4, [16, 8, 4, 1], [3, 4, 4], 0, "none", False), {}),
    "small kernels": ((4, [16, 8, 4, 3], [4, 2, 2], 0, "tanh", True), {}),
}


def answers(options: tuple) -> dict:
    return {"negative_slope": options[3], "output": options[4], "latents": "normal"}


@pytest.mark.parametrize("name", NETWORKS)
@pytest.mark.parametrize("holder", [None, "netG", "whole"])
def test_the_networks_own_images_come_out(tmp_path, name, holder):
    options, config = NETWORKS[name]
    made = network(*options)
    state = made.state_dict()
    content = {
        None: state,
        "netG": {"netG": {f"module.{key}": v for key, v in state.items()}, "epoch": 3},
        "whole": made,
    }
    torch.save(content[holder], tmp_path / "netG.pth")
    report = convert(tmp_path / "netG.pth", tmp_path / "model", **answers(options))
    pipe = GANPipeline.from_pretrained(tmp_path / "model")
    z = torch.randn(3, 6)
    with torch.no_grad():
        expected = made(z[:, :, None, None])
        expected = {"tanh": expected, "sigmoid": 2 * expected - 1, "none": expected.clamp(-1, 1)}[options[4]]
        assert (pipe.generator(z) - expected).abs().max() < 1e-5
    assert pipe.discriminator is None and pipe.seeds_like == "torch" and report.renamed
    assert all(pipe.generator.config[key] == value for key, value in config.items())


def test_a_references_images_come_out_of_its_keys(tmp_path):
    with safe_open(GOLDEN, "pt") as file:
        golden = {key: file.get_tensor(key) for key in file.keys()}
    start = "weights/generator/"
    torch.save(
        {k.removeprefix(start): v for k, v in golden.items() if k.startswith(start)}, tmp_path / "netG_epoch_24.pth"
    )
    convert(tmp_path / "netG_epoch_24.pth", tmp_path / "model", negative_slope=0, output="tanh", latents="normal")
    generator = GANPipeline.from_pretrained(tmp_path / "model").generator
    key = next(key for key in golden if key.startswith("outputs/") and golden[key].shape[-1] == 64 and "eval" in key)
    with torch.no_grad():
        assert (generator(golden["inputs/z"].flatten(1)) - golden[key]).abs().max() < 1e-5


def test_what_the_file_does_not_say_is_asked_for(tmp_path, capsys):
    torch.save(network(*NETWORKS["usual"][0]).state_dict(), tmp_path / "G.pth")
    with pytest.raises(LoadError, match=r"does not say negative_slope= .*, output= .*, latents= "):
        convert(tmp_path / "G.pth", tmp_path / "model")
    assert main(["convert", str(tmp_path / "G.pth"), str(tmp_path / "model"), "--output", "tanh"]) == 1
    said = capsys.readouterr().err
    assert "--negative-slope (0 for ReLU" in said and "--latents (normal" in said and "--output (" not in said
    assert not (tmp_path / "model").exists()


def test_a_slope_that_is_no_number_of_hundredths_is_refused(tmp_path):
    torch.save(network(*NETWORKS["usual"][0]).state_dict(), tmp_path / "G.pth")
    with pytest.raises(ValueError, match="hundredths"):
        convert(tmp_path / "G.pth", tmp_path / "model", negative_slope=0.123, output="tanh", latents="normal")


def test_a_network_that_was_trained_on_uniform_latents_draws_from_such(tmp_path):
    torch.save(network(*NETWORKS["usual"][0]).state_dict(), tmp_path / "G.pth")
    convert(tmp_path / "G.pth", tmp_path / "model", negative_slope=0, output="tanh", latents="uniform")
    pipe = GANPipeline.from_pretrained(tmp_path / "model")
    z = pipe.sample_latents(range(2000))
    assert z.abs().max() <= 1 and abs(z.std().item() - 3**-0.5) < 0.01 and abs(z.mean().item()) < 0.01
    assert torch.equal(pipe.sample_latents([7]), z[7:8])


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ((4, [16, 8, 4, 3], [4, 4, 5], 0, "tanh", False), "kernels of 5 × 5"),
        ((4, [16, 12, 4, 3], [4, 4, 4], 0, "tanh", False), r"feature maps are \[16, 12, 4\]"),
        ((4, [16, 8, 4, 3], [4, 3, 4], 0, "tanh", False), "resolution"),
    ],
)
def test_sizes_that_cannot_be_had_are_refused_in_one_sentence(tmp_path, options, words):
    torch.save(network(*options).state_dict(), tmp_path / "G.pth")
    with pytest.raises(LoadError, match=words):
        convert(tmp_path / "G.pth", tmp_path / "model", **answers(options))


def test_a_start_that_no_halving_leads_to_is_refused():
    with pytest.raises(ValueError, match="start=5 is not allowed with resolution=28"):
        DCGANGenerator(resolution=28, start=5)
