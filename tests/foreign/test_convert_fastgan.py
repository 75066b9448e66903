"""FastGAN of two programs, converted: against projected-gan's own images, and the first program's layers, written out here."""

from pathlib import Path

import pytest
import torch
from safetensors import safe_open
from torch import nn

from gan_hub import GANPipeline
from gan_hub.foreign import fastgan
from gan_hub.foreign.convert import convert
from gan_hub.foreign.report import Answers
from gan_hub.model_folder.strict import LoadError
from tests.foreign import made_pickles

GOLDEN = Path(__file__).resolve().parents[1] / "golden"
SIDES = {"plain": 256, "classes": 128}


def golden(kind: str) -> dict[str, torch.Tensor]:
    with safe_open(GOLDEN / f"fastgan-projected-{kind}.safetensors", "pt") as file:
        return {key: file.get_tensor(key) for key in file.keys()}


def weights(kind: str) -> dict[str, torch.Tensor]:
    tensors = {key.removeprefix("weights/"): value for key, value in golden(kind).items() if key.startswith("weights/")}
    return {key: value.float() if value.is_floating_point() else value for key, value in tensors.items()}


def pickled(folder: Path, kind: str, **networks: dict[str, torch.Tensor]) -> Path:
    path, attributes = "pg_modules.networks_fastgan.Generator", {"": {"img_resolution": SIDES[kind]}}
    content = {role: made_pickles.module_object(each, path, attributes) for role, each in networks.items()}
    (folder / "best_model.pkl").write_bytes(made_pickles.dumps(content | {"training_set_kwargs": {}, "D": None}, 4))
    return folder / "best_model.pkl"


@pytest.mark.parametrize("kind", SIDES)
def test_projected_gans_own_images_come_out(tmp_path, kind):
    average = weights(kind)
    other = {name: -tensor for name, tensor in average.items()}
    report = convert(pickled(tmp_path, kind, G=other, G_ema=average), tmp_path / "model")
    assert "(G_ema)" in report.recognized and "output none" in report.recognized
    assert any("draws afresh" in sentence for sentence in report.lost) == (kind == "plain")
    assert any("finer than 128" in sentence for sentence in report.ignored) == (kind == "classes")
    pipe, tensors = GANPipeline.from_pretrained(tmp_path / "model"), golden(kind)
    labels = tensors["inputs/c"].argmax(1) if kind == "classes" else None
    with torch.no_grad():
        image = pipe.generator(tensors["inputs/z"], labels)[:, :, ::8, ::8]
    expected = tensors["outputs/image"]
    assert expected.abs().max() > 0.9 and (image - expected.clamp(-1, 1)).abs().max() < 1e-5
    assert torch.equal(pipe.sample_latents([85, 7, 1]), tensors["inputs/z"])


# ---------------------------------------------------------------------------- the first program's layers, in its names


def normed(layer: nn.Module) -> nn.Module:
    return nn.utils.spectral_norm(layer)


class Strength(nn.Module):
    """Noise of a strength, which is 0 here: a seed is one picture in ours."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(1))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x


def layer(inputs: int, outputs: int, noisy: bool) -> list[nn.Module]:
    convolution = normed(nn.Conv2d(inputs, 2 * outputs, 3, 1, 1, bias=False))
    return [convolution, *([Strength()] if noisy else []), nn.BatchNorm2d(2 * outputs), nn.GLU(1)]


def block(inputs: int, outputs: int, two: bool) -> nn.Sequential:
    rest = layer(outputs, outputs, True) if two else []
    return nn.Sequential(nn.Upsample(scale_factor=2), *layer(inputs, outputs, two), *rest)


class Excitation(nn.Module):
    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        first, second = nn.Conv2d(inputs, outputs, 4, bias=False), nn.Conv2d(outputs, outputs, 1, bias=False)
        self.main = nn.Sequential(nn.AdaptiveAvgPool2d(4), normed(first), nn.SiLU(), normed(second), nn.Sigmoid())

    def forward(self, coarse: torch.Tensor, fine: torch.Tensor) -> torch.Tensor:
        return fine * self.main(coarse)


class Network(nn.Module):
    """The generator of odegeasslbc/FastGAN-pytorch: two and one convolutions in turn, no tanh below 1024 pixels."""

    def __init__(self, side: int, base: int = 4, channels: int = 3) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.sides = [8 * 2**number for number in range((side // 8).bit_length())]
        parts = {4: 16, 8: 8, 16: 4, 32: 2, 64: 2, 128: 1, 256: 0.5, 512: 0.25, 1024: 0.125}
        widths = {at: int(share * base) for at, share in parts.items()}
        self.init = nn.Module()
        start = normed(nn.ConvTranspose2d(5, 2 * widths[4], 4, 1, 0, bias=False))
        self.init.init = nn.Sequential(start, nn.BatchNorm2d(2 * widths[4]), nn.GLU(1))
        for number, at in enumerate(self.sides):
            self.add_module(f"feat_{at}", block(widths[at // 2], widths[at], number % 2 == 0))
            if 64 <= at <= 512:
                self.add_module(f"se_{at}", Excitation(widths[at // 16], widths[at]))
        self.to_128 = normed(nn.Conv2d(widths[128], channels, 1, bias=False))
        self.to_big = normed(nn.Conv2d(widths[side], channels, 3, 1, 1, bias=False))
        for module in self.modules():
            if isinstance(module, nn.BatchNorm2d):
                nn.init.normal_(module.weight, 0.5)
                nn.init.normal_(module.bias, 0.5)
                module.momentum = 1.0
        with torch.no_grad():
            self(torch.randn(4, 5))  # statistics, and a step of the power iterations
            for module in self.modules():
                if isinstance(module, nn.BatchNorm2d):
                    module.running_var.clamp_(min=0.1)  # so that no rounding grows
        self.eval()

    def forward(self, z: torch.Tensor) -> torch.Tensor:
        features = {4: self.init.init(z[:, :, None, None])}
        for at in self.sides:
            features[at] = self.get_submodule(f"feat_{at}")(features[at // 2])
            if 64 <= at <= 512:
                features[at] = self.get_submodule(f"se_{at}")(features[at // 16], features[at])
        image = self.to_big(features[self.sides[-1]])
        return image.tanh() if self.sides[-1] == 1024 else image


def assert_drawn(generator: nn.Module, network: Network, z: torch.Tensor) -> None:
    with torch.no_grad():
        expected = network(z)
        assert (generator(z) - expected.clamp(-1, 1)).abs().max() < 1e-5 * max(1, expected.abs().max()) < 1e-3


def test_the_first_programs_images_come_out_of_its_averaged_file(tmp_path):
    network = Network(256)
    state = {f"module.{name}": tensor for name, tensor in network.state_dict().items()}
    torch.save({"g": state, "d": {"x.weight": torch.zeros(1)}}, tmp_path / "50000.pth")
    report = convert(tmp_path / "50000.pth", tmp_path / "model")
    assert any(sentence.startswith("to_128") for sentence in report.ignored)
    pipe = GANPipeline.from_pretrained(tmp_path / "model")
    assert_drawn(pipe.generator, network, 2 * torch.randn(2, 5))
    assert pipe.seeds_like == "torch" and pipe.discriminator is None


def test_averages_without_names_take_the_place_of_the_weights():
    network, average = Network(256), Network(256)
    with torch.no_grad():
        for parameter in average.parameters():
            parameter.add_(0.02 * torch.randn_like(parameter))
    content = {"g": network.state_dict(), "d": {}, "g_ema": [p.data for p in average.parameters()]}
    made = fastgan.convert(content, Answers())
    assert "(g_ema)" in made.report.recognized
    assert_drawn(made.generator, average, torch.randn(2, 5))
    with pytest.raises(LoadError, match="averages are not those of its generator"):
        fastgan.convert(content | {"g_ema": content["g_ema"][1:]}, Answers())


@pytest.mark.parametrize(("side", "output"), [(512, "none"), (1024, "tanh")])
def test_what_bounds_an_image_is_the_programs_at_that_size(side, output):
    network = Network(side, base=8, channels=1)
    made = fastgan.convert({"g": network.state_dict()}, Answers()).generator
    assert made.config["output"] == output and made.config["most_excitations"] == 4
    assert_drawn(made, network, torch.randn(1, 5))
    assert fastgan.convert({"g": network.state_dict()}, Answers(output="tanh")).generator.config["output"] == "tanh"


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("feat_16.5.weight_orig", torch.zeros(8, 4, 3, 3), "convolutions; allowed: 2 and 1 in turn"),
        ("feat_32.1.extra", torch.zeros(3), "'feat_32.1.extra' belongs to no part"),
        ("se_64.main.1.weight_orig", torch.zeros(8, 64, 2, 2), "which its spectral norm does not fit"),
    ],
)
def test_another_network_is_refused_in_one_sentence(tmp_path, name, value, words):
    state = Network(256).state_dict() | {name: value}
    if name == "feat_16.5.weight_orig":
        state |= {"feat_16.5.weight_u": torch.ones(8), "feat_16.5.weight_v": torch.ones(36)}
    torch.save({"g": state}, tmp_path / "g.pth")
    with pytest.raises(LoadError, match=words) as caught:
        convert(tmp_path / "g.pth", tmp_path / "model")
    assert str(caught.value).startswith(f"{tmp_path / 'g.pth'}: ") and not (tmp_path / "model").exists()
