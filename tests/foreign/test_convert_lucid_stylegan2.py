"""StyleGAN2 of lucidrains, converted: its own images come out of a file in its layout."""

from pathlib import Path

import pytest
import torch
from safetensors import safe_open

from gan_hub import GANPipeline
from gan_hub.foreign.convert import convert
from gan_hub.model_folder.strict import LoadError
from gan_hub.models.plain_stylegan2 import PlainStyleGAN2Generator

GOLDEN = Path(__file__).resolve().parents[1] / "golden/lucid-stylegan2.safetensors"


def golden() -> dict[str, torch.Tensor]:
    with safe_open(GOLDEN, "pt") as file:
        return {key: file.get_tensor(key).float() for key in file.keys()}


def saved(folder: Path, **changes: torch.Tensor | None) -> Path:
    state = {key.removeprefix("weights/"): value for key, value in golden().items() if key.startswith("weights/")}
    others = {key.replace("E.", ".", 1): -value for key, value in state.items()}  # those that are not averaged
    state = others | {"D.to_logit.weight": torch.zeros(1, 4)} | state | changes
    content = {"GAN": {key: value for key, value in state.items() if value is not None}, "version": "1.8.9"}
    torch.save(content, folder / "model_150.pt")
    return folder / "model_150.pt"


def test_the_programs_own_images_come_out(tmp_path):
    report = convert(saved(tmp_path), tmp_path / "model")
    assert "(GE)" in report.recognized and any("lr_mlp" in sentence for sentence in report.lost)
    generator, tensors = GANPipeline.from_pretrained(tmp_path / "model").generator, golden()
    generator.noise_const.copy_(tensors["inputs/noise"][0, :, :, 0].t())  # its planes of noise lie on their side
    with torch.no_grad():
        ws = generator.map(tensors["inputs/z"])
        torch.testing.assert_close(ws[:, 0], tensors["outputs/w"], rtol=1e-5, atol=1e-6)
        image = generator.synthesize(ws)
    assert (image - (2 * tensors["outputs/image"] - 1)).abs().max() < 1e-5


def test_the_mean_w_is_that_of_many_latents_and_truncation_goes_towards_it(tmp_path):
    convert(saved(tmp_path), tmp_path / "model")
    generator = GANPipeline.from_pretrained(tmp_path / "model").generator
    with torch.no_grad():
        expected = generator.mapping(torch.randn(20_000, 6))
        assert ((generator.w_avg - expected.mean(0)).abs() < 0.05 * expected.std(0)).all()
        ws = generator.map(torch.randn(2, 6), truncation=0.0)
    assert torch.equal(ws, generator.w_avg.expand_as(ws))


def test_noise_is_constant_in_eval_mode_and_fresh_in_training_where_it_is_random():
    torch.manual_seed(0)
    generator = PlainStyleGAN2Generator(resolution=16, latent_size=4, base_channels=4, max_channels=8, noise="random")
    for stage in generator.stages:
        torch.nn.init.ones_(stage.first.noise_strength)
    ws = generator.eval().map(torch.randn(1, 4))
    with torch.no_grad():
        assert torch.equal(generator.synthesize(ws), generator.synthesize(ws))
        assert not torch.equal(generator.synthesize(ws), generator.synthesize(ws, noise="none"))
        assert not torch.equal(generator.train().synthesize(ws), generator.synthesize(ws))
    generator(torch.randn(2, 4)).square().mean().backward()
    assert all(torch.isfinite(parameter.grad).all() for parameter in generator.parameters())


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"GE.attns.1.0.fn.fn.to_q.weight": torch.zeros(2)}, "GE: it has attention"),
        ({"GE.initial_block": None}, "starts from w instead of a constant"),
        ({"GE.blocks.0.extra": torch.zeros(2)}, "'GE.blocks.0.extra' belongs to no part"),
        ({"GE.blocks.1.conv2.weight": torch.zeros(8, 8, 5, 5)}, "has the shape"),
    ],
)
def test_another_network_is_refused_in_one_sentence(tmp_path, changes, words):
    file = saved(tmp_path, **changes)
    with pytest.raises(LoadError, match=words) as caught:
        convert(file, tmp_path / "model")
    assert str(caught.value).startswith(f"{file}: ") and not (tmp_path / "model").exists()
