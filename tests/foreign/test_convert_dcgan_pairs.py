"""DCGAN discriminators and first layers of other programs, converted: against torch's own layers and a reference's logits."""

from pathlib import Path

import pytest
import torch
from safetensors import safe_open
from torch import nn

from gan_hub import GANPipeline
from gan_hub.cli.program import main
from gan_hub.foreign.convert import convert
from gan_hub.model_folder.strict import LoadError

GOLDEN = Path(__file__).resolve().parents[1] / "golden/dcgan.safetensors"
SAID = {"negative_slope": 0, "output": "tanh", "latents": "normal"}
WITH_JUDGE = SAID | {"discriminator_negative_slope": 0.2}


def unlike_new(network: nn.Module) -> nn.Module:
    """A network whose weights and statistics are not those of a new one, in eval mode."""
    torch.manual_seed(0)
    for layer in network.modules():
        if isinstance(layer, nn.modules.batchnorm._BatchNorm):
            for tensor in (layer.weight, layer.bias, layer.running_mean):
                nn.init.normal_(tensor, 0.5)
            nn.init.uniform_(layer.running_var, 0.5, 2)
        elif isinstance(layer, (nn.Conv2d, nn.ConvTranspose2d, nn.Linear)) and hasattr(layer, "weight"):
            nn.init.normal_(layer.weight, 0, 0.3)
    return network.eval()


def generator(side: int = 32, channels: int = 3) -> nn.Module:
    start, widths = (7, [8, 4]) if side == 28 else (4, [16, 8, 4])
    layers: list[nn.Module] = [nn.ConvTranspose2d(6, widths[0], start, bias=False)]
    for narrow, wide in zip(widths, widths[1:] + [channels]):
        layers += [nn.BatchNorm2d(narrow), nn.ReLU(), nn.ConvTranspose2d(narrow, wide, 4, 2, 1, bias=False)]
    return unlike_new(nn.Sequential(*layers, nn.Tanh()))


def discriminator(
    widths: list[int], end: int, slope: float = 0.2, norm_from: int = 1, bias: bool = False, kernel: int = 4,
    linear: bool = False, spectral: bool = False, channels: int = 3,
) -> nn.Module:  # fmt: skip
    """Of `widths`, with norms from the layer `norm_from` on, and an `end` × `end` kernel or a linear map at the last."""
    wrapped = nn.utils.spectral_norm if spectral else lambda layer: layer
    layers: list[nn.Module] = []
    for stage, (narrow, wide) in enumerate(zip([channels, *widths], widths)):
        layers.append(wrapped(nn.Conv2d(narrow, wide, kernel, 2, 0 if kernel == 2 else 1, bias=bias)))
        layers += [nn.BatchNorm2d(wide)] if stage >= norm_from else []
        layers += [nn.LeakyReLU(slope), nn.Dropout2d(0.3)]
    last = widths[-1]
    layers += [nn.Flatten(), nn.Linear(last * end**2, 1)] if linear else [nn.Conv2d(last, 1, end, bias=bias)]
    network = unlike_new(nn.Sequential(*layers))
    if spectral:
        network.train()(torch.randn(2, channels, 32, 32))  # a step of the power iteration
    return network.eval()


DISCRIMINATORS = {  # name → (what it is made of, the images' side, what our config says)
    "usual": (dict(widths=[4, 8, 16], end=4), 32, {"norm": "batch", "leak": 20, "start": 0}),
    "biases, linear end": (dict(widths=[4, 8, 16], end=4, bias=True, linear=True), 32, {"norm": "batch"}),
    "no norm": (dict(widths=[4, 8, 16], end=4, norm_from=9, bias=True, slope=0.01), 32, {"norm": "none", "leak": 1}),
    "norm in the first layer": (dict(widths=[4, 8, 16], end=4, norm_from=0), 32, {"norm": "batch"}),
    "norm in the last alone": (dict(widths=[4, 8, 16], end=4, norm_from=2), 32, {"norm": "none"}),
    "2 × 2 kernels": (dict(widths=[4, 8, 16], end=4, kernel=2, bias=True), 32, {"norm": "batch"}),
    "to 2 × 2": (dict(widths=[4, 8, 8, 8], end=2), 32, {"start": 2}),
    "28 to 7": (dict(widths=[4, 8], end=7, linear=True), 28, {"start": 7}),
    "spectral norm": (dict(widths=[4, 8, 16], end=4, norm_from=9, spectral=True), 32, {"spectral_norm": False}),
}


def saved(folder: Path, judge: nn.Module, drawing: nn.Module) -> tuple[Path, Path]:
    torch.save(drawing.state_dict(), folder / "netG.pth")
    torch.save(judge.state_dict(), folder / "netD.pth")
    return folder / "netG.pth", folder / "netD.pth"


@pytest.mark.parametrize("name", DISCRIMINATORS)
def test_the_discriminators_own_logits_come_out(tmp_path, name):
    options, side, config = DISCRIMINATORS[name]
    judge = discriminator(**options)
    draws, judges = saved(tmp_path, judge, generator(side))
    slope = options.get("slope", 0.2)
    report = convert(draws, tmp_path / "model", **SAID, discriminator=judges, discriminator_negative_slope=slope)
    pipe = GANPipeline.from_pretrained(tmp_path / "model")
    images = torch.rand(3, 3, side, side) * 2 - 1
    with torch.no_grad():
        expected = judge(images).flatten()
        assert (pipe.discriminator(images) - expected).abs().max() < 2e-5 * expected.abs().max()
    assert {key: pipe.discriminator.config[key] for key in config} == config
    assert "discriminator" in report.recognized and any("labelled 1 or 0" in sentence for sentence in report.lost)


def test_a_references_logits_come_out_of_its_keys(tmp_path):
    with safe_open(GOLDEN, "pt") as file:
        golden = {key: file.get_tensor(key) for key in file.keys()}
    for role, name in (("generator", "netG.pth"), ("discriminator", "netD.pth")):
        start = f"weights/{role}/"
        torch.save({k.removeprefix(start): v for k, v in golden.items() if k.startswith(start)}, tmp_path / name)
    convert(tmp_path / "netG.pth", tmp_path / "model", **WITH_JUDGE, discriminator=tmp_path / "netD.pth", real_label=1)
    judge = GANPipeline.from_pretrained(tmp_path / "model").discriminator
    with torch.no_grad():
        difference = judge(golden["inputs/images"]) - golden["outputs/eval/real_logits"].flatten()
    assert difference.abs().max() < 1e-5


def test_logits_that_were_high_for_generated_images_are_turned_round(tmp_path):
    judge = discriminator([4, 8, 16], 4, bias=True)
    draws, judges = saved(tmp_path, judge, generator())
    report = convert(draws, tmp_path / "model", **WITH_JUDGE, discriminator=judges, real_label=0)
    assert any("sign of the discriminator's logits" in sentence for sentence in report.folded)
    images = torch.rand(3, 3, 32, 32) * 2 - 1
    with torch.no_grad():
        ours = GANPipeline.from_pretrained(tmp_path / "model").discriminator(images)
        torch.testing.assert_close(ours, -judge(images).flatten(), rtol=1e-5, atol=1e-5)


def test_a_discriminator_of_images_from_0_to_1_gets_such(tmp_path):
    judge = discriminator([4, 8, 16], 4)
    draws, judges = saved(tmp_path, judge, generator())
    convert(draws, tmp_path / "model", **WITH_JUDGE | {"output": "sigmoid"}, discriminator=judges)
    images = torch.rand(3, 3, 32, 32)
    with torch.no_grad():
        ours = GANPipeline.from_pretrained(tmp_path / "model").discriminator(2 * images - 1)
        torch.testing.assert_close(ours, judge(images).flatten(), rtol=1e-5, atol=1e-5)


def test_a_discriminator_in_the_generators_file_is_taken_where_its_slope_is_said(tmp_path):
    torch.save({"netG": generator().state_dict(), "netD": discriminator([4, 8, 16], 4).state_dict()}, tmp_path / "b.pt")
    report = convert(tmp_path / "b.pt", tmp_path / "without", **SAID)
    assert any("the slope of its activation" in sentence for sentence in report.lost)
    assert GANPipeline.from_pretrained(tmp_path / "without").discriminator is None
    convert(tmp_path / "b.pt", tmp_path / "with", **WITH_JUDGE)
    assert GANPipeline.from_pretrained(tmp_path / "with").discriminator is not None


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (dict(widths=[4, 8, 16], end=4, channels=1), r"takes 1 channel\(s\), but the generator makes 3"),
        (dict(widths=[4, 8], end=4), "ends at 4 × 4, but 2 halvings of 32 end at 8 × 8"),
        (dict(widths=[4, 12, 16], end=4), r"feature maps are \[4, 12, 16\]"),
        (dict(widths=[4, 8, 16], end=4, kernel=5), "kernel of 5 × 5 at a side of 32"),
    ],
)
def test_a_discriminator_that_cannot_be_had_is_refused_in_one_sentence(tmp_path, options, words):
    draws, judges = saved(tmp_path, discriminator(**options), generator())
    with pytest.raises(LoadError, match=words):
        convert(draws, tmp_path / "model", **WITH_JUDGE, discriminator=judges)
    assert not (tmp_path / "model").exists()


def test_what_a_discriminators_file_does_not_say_is_asked_for(tmp_path, capsys):
    draws, judges = saved(tmp_path, discriminator([4, 8, 16], 4), generator())
    with pytest.raises(LoadError, match=r"does not say discriminator_negative_slope= \(0.2"):
        convert(draws, tmp_path / "model", **SAID, discriminator=judges)
    with pytest.raises(LoadError, match="no discriminator in it; discriminator= names the file"):
        convert(draws, tmp_path / "model", **WITH_JUDGE)
    with pytest.raises(LoadError, match="a discriminator alone"):
        convert(judges, tmp_path / "model", **SAID)
    said = ["--negative-slope", "0", "--output", "tanh", "--latents", "normal", "--discriminator", str(judges)]
    assert main(["convert", str(draws), str(tmp_path / "model"), *said]) == 1
    assert "--discriminator-negative-slope (0.2" in capsys.readouterr().err
    assert main(["convert", str(draws), str(tmp_path / "model"), *said, "--discriminator-negative-slope", "0.2"]) == 0
    assert GANPipeline.from_pretrained(tmp_path / "model").discriminator is not None


class Started(nn.Module):
    """A generator whose first layer is given: `first` makes numbers of z, `then` follows when they are pixels."""

    def __init__(self, first: nn.Module, then: nn.Module) -> None:
        super().__init__()
        self.first, self.then = first, then
        self.rest = nn.Sequential(
            nn.ConvTranspose2d(8, 4, 4, 2, 1),
            nn.BatchNorm2d(4),
            nn.ReLU(),
            nn.ConvTranspose2d(4, 3, 4, 2, 1),
            nn.Tanh(),
        )

    def forward(self, z: torch.Tensor) -> torch.Tensor:
        given = z[:, :, None, None] if isinstance(self.first, nn.ConvTranspose2d) else z
        return self.rest(self.then(self.first(given).view(-1, 8, 4, 4)))


STARTS = {  # name → (first, then, whether an activation follows, what our config says)
    "bias a place": (lambda: nn.Linear(6, 128), nn.Identity, False, (True, "linear")),
    "bias a place and activation": (lambda: nn.Linear(6, 128), nn.ReLU, True, (True, "activation")),
    "no bias": (lambda: nn.Linear(6, 128, bias=False), nn.ReLU, True, (False, "activation")),
    "bias a feature": (lambda: nn.ConvTranspose2d(6, 8, 4), nn.ReLU, True, (True, "activation")),
    "norm of pixels": (
        lambda: nn.Linear(6, 128), lambda: nn.Sequential(nn.BatchNorm2d(8), nn.ReLU()), None, (True, "norm")
    ),
    "norm of numbers": (
        lambda: nn.Sequential(nn.Linear(6, 128), nn.BatchNorm1d(128)), nn.ReLU, True, (True, "activation")
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", STARTS)
def test_a_first_layer_of_another_kind_draws_the_same(tmp_path, name):
    first, then, activation, expected = STARTS[name]
    network = unlike_new(Started(first(), then()))
    torch.save(network.state_dict(), tmp_path / "G.pth")
    convert(tmp_path / "G.pth", tmp_path / "model", **SAID, start_activation=activation)
    drawn = GANPipeline.from_pretrained(tmp_path / "model").generator
    z = torch.randn(3, 6)
    with torch.no_grad():
        assert (drawn(z) - network(z)).abs().max() < 1e-5
    assert (drawn.config["start_bias"], drawn.config["start_block"]) == expected
    assert torch.isfinite(drawn.train()(z)).all()


def test_whether_an_activation_follows_a_first_layer_without_norm_is_asked_for(tmp_path, capsys):
    torch.save(Started(nn.Linear(6, 128), nn.ReLU()).state_dict(), tmp_path / "G.pth")
    with pytest.raises(LoadError, match="start_activation= "):
        convert(tmp_path / "G.pth", tmp_path / "model", **SAID)
    torch.save(generator().state_dict(), tmp_path / "N.pth")
    with pytest.raises(LoadError, match="start_activation=False is not allowed: a norm"):
        convert(tmp_path / "N.pth", tmp_path / "model", **SAID, start_activation=False)
