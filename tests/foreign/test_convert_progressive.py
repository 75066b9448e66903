"""ProGAN of pytorch_GAN_zoo and MSG-GAN of BMSG-GAN, converted: their own images and logits come out of their files."""

import argparse
from pathlib import Path

import pytest
import torch
from safetensors import safe_open

from gan_hub import GANPipeline
from gan_hub.foreign import bmsg_gan, gan_zoo
from gan_hub.foreign.convert import convert
from gan_hub.foreign.read import read_foreign
from gan_hub.foreign.report import Answers
from gan_hub.model_folder.strict import LoadError

GOLDEN = Path(__file__).resolve().parents[1] / "golden"


def golden(name: str) -> dict[str, torch.Tensor]:
    with safe_open(GOLDEN / f"{name}.safetensors", "pt") as file:
        tensors = {key: file.get_tensor(key) for key in file.keys()}
    return {key: tensor.float() for key, tensor in tensors.items()}


def weights(name: str, role: str) -> dict[str, torch.Tensor]:
    start = f"weights/{role}/"
    return {key.removeprefix(start): value for key, value in golden(name).items() if key.startswith(start)}


def relative(made: torch.Tensor, expected: torch.Tensor) -> float:
    return ((made - expected).abs().max() / expected.abs().max()).item()


# ------------------------------------------------------------------------------------------------------- the zoo


def zoo_file(folder: Path, **config: object) -> Path:
    average = weights("progan-zoo", "generator")
    other = {name: -tensor for name, tensor in average.items()}
    content = {"config": argparse.Namespace(**config), "netG": other, "avgG": average}
    torch.save(content | {"netD": weights("progan-zoo", "discriminator")}, folder / "celeba_s3_i9000.pt")
    return folder / "celeba_s3_i9000.pt"


def test_the_zoos_images_and_logits_come_out_of_its_average(tmp_path):
    report = convert(zoo_file(tmp_path, lossCriterion="WGANGP", alpha=0), tmp_path / "model")
    assert "(avgG)" in report.recognized and any("minibatch deviation" in sentence for sentence in report.folded)
    pipe, tensors = GANPipeline.from_pretrained(tmp_path / "model"), golden("progan-zoo")
    with torch.no_grad():
        assert relative(pipe.generator.unbounded(tensors["inputs/z"]), tensors["outputs/image"]) < 5e-5
        image = tensors["outputs/image"].clamp(-1, 1)
        torch.testing.assert_close(pipe.generator(tensors["inputs/z"]), image, rtol=0, atol=2e-4)
        made = pipe.discriminator.train()(tensors["inputs/images"])  # four images, which share a deviation
        assert relative(made, tensors["outputs/logits"].flatten()) < 1e-5


def test_a_loss_with_labels_of_0_and_1_bounds_the_zoos_images_by_tanh(tmp_path):
    made = gan_zoo.convert(read_foreign(zoo_file(tmp_path, lossCriterion="DCGAN")))
    tensors = golden("progan-zoo")
    with torch.no_grad():
        torch.testing.assert_close(
            made.generator(tensors["inputs/z"]), tensors["outputs/image"].tanh(), rtol=0, atol=2e-4
        )


def test_layers_whose_scale_the_zoo_does_not_apply_keep_their_weights(tmp_path):
    made = gan_zoo.convert(read_foreign(zoo_file(tmp_path, equalizedlR=False)))
    layer = made.generator.to_rgb[3]
    expected = weights("progan-zoo", "generator")
    torch.testing.assert_close(layer.weight * layer.scale, expected["toRGBLayers.3.module.weight"])
    assert torch.equal(layer.bias, expected["toRGBLayers.3.module.bias"])


@pytest.mark.parametrize(
    ("config", "words"),
    [
        ({"attribKeysOrder": {"Gender": {"order": 0}}}, "latents hold attributes"),
        ({"leakyReluLeak": 0.1}, "slope 0.1; allowed: 0.2"),
        ({"lossCriterion": "Hinge"}, "its loss is 'Hinge'; allowed: MSE"),
    ],
)
def test_a_run_that_asked_for_something_else_is_refused_in_one_sentence(tmp_path, config, words):
    with pytest.raises(LoadError, match=words):
        convert(zoo_file(tmp_path, **config), tmp_path / "model")
    assert not (tmp_path / "model").exists()


def test_a_zoo_run_in_mid_fade_says_what_is_lost(tmp_path):
    made = gan_zoo.convert(read_foreign(zoo_file(tmp_path, alpha=0.4)))
    assert any("faded in" in sentence for sentence in made.report.lost)


# ------------------------------------------------------------------------------------------------------ BMSG-GAN


def bmsg_files(folder: Path) -> tuple[Path, Path]:
    """As several GPUs write them: all of the generator is one module, and of the discriminator some parts are."""
    draws = {f"module.{name}": tensor for name, tensor in weights("bmsg-gan", "generator").items()}
    judges = weights("bmsg-gan", "discriminator")
    judges = {
        name.replace(".conv", ".module.conv") if name.startswith("layers") else name: v for name, v in judges.items()
    }
    torch.save(draws, folder / "GAN_GEN_SHADOW_9.pth")
    torch.save(judges, folder / "GAN_DIS_9.pth")
    return folder / "GAN_GEN_SHADOW_9.pth", folder / "GAN_DIS_9.pth"


def test_bmsg_gans_images_of_all_scales_and_logits_come_out(tmp_path):
    draws, judges = bmsg_files(tmp_path)
    convert(draws, tmp_path / "model", discriminator=judges)
    pipe, tensors = GANPipeline.from_pretrained(tmp_path / "model"), golden("bmsg-gan")
    with torch.no_grad():
        images = pipe.generator.train()(tensors["inputs/z"], scales=True)
        for number, image in enumerate(images):
            step = 1 if number < 3 else 4
            assert relative(image[:, :, ::step, ::step], tensors[f"outputs/image/{number}"]) < 1e-5
        shown = pipe.generator.eval()(tensors["inputs/z"])
        assert torch.equal(shown, images[-1].clamp(-1, 1)) and not torch.equal(shown, images[-1])
        pyramid = [tensors[f"inputs/images/{number}"] for number in range(5)]
        assert relative(pipe.discriminator.train()(pyramid), tensors["outputs/logits"]) < 1e-5


def test_a_bmsg_discriminator_is_taken_only_where_it_is_given_and_fits(tmp_path):
    draws, judges = bmsg_files(tmp_path)
    assert bmsg_gan.convert(read_foreign(draws), Answers()).discriminator is None
    with pytest.raises(LoadError, match="the discriminator's file has none of this program"):
        convert(draws, tmp_path / "model", discriminator=draws)
    smaller = {name: v for name, v in weights("bmsg-gan", "generator").items() if ".4." not in name}
    torch.save(smaller, tmp_path / "small.pth")
    with pytest.raises(LoadError, match="judges 64 pixels, but the generator makes 32"):
        convert(tmp_path / "small.pth", tmp_path / "model", discriminator=judges)
    with pytest.raises(LoadError, match="output= is not allowed"):
        convert(draws, tmp_path / "model", output="tanh")
