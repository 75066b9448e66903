"""FastGAN of lucidrains/lightweight-gan, converted: its own images come out of a file in its layout."""

from pathlib import Path

import pytest
import torch
from safetensors import safe_open

from gan_hub import GANPipeline
from gan_hub.foreign.convert import convert
from gan_hub.model_folder.strict import LoadError
from gan_hub.models.lightweight_gan import LightweightGANGenerator, block_widths

GOLDEN = Path(__file__).resolve().parents[1] / "golden/lightweight-gan.safetensors"


def golden() -> dict[str, torch.Tensor]:
    with safe_open(GOLDEN, "pt") as file:
        return {key: file.get_tensor(key) for key in file.keys()}


def saved(folder: Path, **changes: torch.Tensor | None) -> Path:
    state = {key.removeprefix("weights/"): value for key, value in golden().items() if key.startswith("weights/")}
    state = {key: value.float() if value.is_floating_point() else value for key, value in state.items()}
    others = {key.replace("GE.", "G.", 1): -value for key, value in state.items()}  # those that are not averaged
    state = others | {"D.to_logits.weight": torch.zeros(1, 4)} | state | changes
    content = {"GAN": {key: value for key, value in state.items() if value is not None}, "version": "1.2.1"}
    torch.save(content | {"G_scaler": {}}, folder / "model_150.pt")
    return folder / "model_150.pt"


def test_the_programs_own_images_come_out(tmp_path):
    report = convert(saved(tmp_path), tmp_path / "model")
    assert "(GE), 128 × 128" in report.recognized and any("noise" in sentence for sentence in report.lost)
    generator, tensors = GANPipeline.from_pretrained(tmp_path / "model").generator, golden()
    assert generator.config["attention"] == 32 and list(generator.contexts) == ["16"]
    expected = 2 * tensors["outputs/image"] - 1
    with torch.no_grad():
        image = generator(tensors["inputs/z"])[:, :, ::4, ::4]
    assert (expected.abs() < 1).float().mean() > 0.1  # not all of it is beyond the bounds
    assert (image - expected.clamp(-1, 1)).abs().max() < 1e-5


def test_widths_are_the_programs_at_every_size():
    assert block_widths(256, 512, 12) == [512, 512, 256, 128, 64, 32]
    assert block_widths(1024, 512, 12) == [512, 512, 256, 128, 64, 32, 3, 3]


def test_each_context_weighs_the_grid_of_eight_times_its_side_and_noise_is_of_training():
    with torch.device("meta"):
        generator = LightweightGANGenerator(resolution=1024, attention=96)
    assert list(generator.contexts) == ["16", "32", "64", "128"] and list(generator.attentions) == ["32", "64"]
    torch.manual_seed(0)
    generator = LightweightGANGenerator(resolution=16, latent_size=4, max_channels=8, width_power=5, attention=4)
    torch.nn.init.ones_(generator.blocks[0].noise_strength)
    z = torch.randn(2, 4)
    assert not torch.equal(generator(z), generator(z)) and torch.equal(generator.eval()(z), generator(z))
    generator.train()(z).square().mean().backward()
    assert all(torch.isfinite(parameter.grad).all() for parameter in generator.parameters())


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"GE.layers.1.1.dct_weights": torch.zeros(2)}, "attention of frequencies"),
        ({"GE.layers.0.0.extra": torch.zeros(2)}, "'layers.0.0.extra' belongs to no part"),
        ({"GE.layers.2.0.2.1.weight": torch.zeros(12, 8, 4, 4)}, r"feature maps are \[8, 8, 6, 4, 2\]"),
        ({"GE.layers.1.1.net.2.bias": None}, "its parts do not fit"),
    ],
)
def test_another_network_is_refused_in_one_sentence(tmp_path, changes, words):
    file = saved(tmp_path, **changes)
    with pytest.raises(LoadError, match=words) as caught:
        convert(file, tmp_path / "model")
    assert str(caught.value).startswith(f"{file}: ") and not (tmp_path / "model").exists()
