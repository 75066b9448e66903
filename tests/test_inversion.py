"""Projection of images into latent spaces: a model's own pictures are found again, and nothing else is touched."""

import io

import numpy as np
import pytest
import torch
from PIL import Image

from gan_hub import GANPipeline
from gan_hub.hub.resolve import bundled_models
from gan_hub.inversion import invert, projection, search
from gan_hub.inversion.distance import Distance
from gan_hub.models.dcgan import DCGANGenerator
from gan_hub.models.spade import SPADEGenerator
from gan_hub.models.stylegan2 import StyleGAN2Generator
from tests.conftest import LABEL_NAMES, lively, make_pipeline

FOUND = 4.0  # levels of 255 on average, and half of what the best of the candidates has


@pytest.fixture(scope="module")
def styled() -> GANPipeline:
    """A tiny style-based model with classes, 32 × 32 × 3."""
    torch.manual_seed(0)
    sizes = dict(resolution=32, latent_size=6, w_size=8, base_channels=4, max_channels=8, mapping_layers=2)
    generator = StyleGAN2Generator(**sizes, num_classes=3)
    with torch.no_grad():
        for name, weight in generator.named_parameters():
            weight.mul_(8 if name.endswith("to_rgb.weight") else 1)  # fresh weights draw all but grey
    return GANPipeline(generator, label_names=LABEL_NAMES)


def difference(first: Image.Image, second: Image.Image) -> float:
    return float(np.abs(np.asarray(first).astype(float) - np.asarray(second)).mean())


# -------------------------------------------------------------------------------------------------- found again


@pytest.mark.parametrize("seed", [1003, 1014])
def test_a_models_own_picture_is_found_again(tiny_rgb_pipeline, seed):
    image = tiny_rgb_pipeline(seeds=[seed]).images[0]
    result = invert(tiny_rgb_pipeline, image, steps=120)
    again = tiny_rgb_pipeline(latents=result.latents).images[0]
    assert result.space == "z" and again.tobytes() == result.image.tobytes()
    assert result.target.tobytes() == image.tobytes() and result.label is None
    assert result.levels == pytest.approx(difference(image, again), abs=0.01)
    assert result.levels < min(FOUND, result.history[0][1] / 2)


@pytest.mark.parametrize("space", ["w", "w+"])
def test_a_style_based_models_own_picture_is_found_in_w(styled, space):
    image = styled(seeds=[1003]).images[0]
    result = invert(styled, image, space=space, label=styled(seeds=[1003]).labels[0], steps=120)
    assert result.latents.shape == (1, styled.unwrapped_generator.rows, 8)
    assert styled.synthesize(result.latents)[0].tobytes() == result.image.tobytes()
    assert result.levels < min(FOUND, result.history[0][1] / 2)
    rows_are_equal = torch.equal(result.latents, result.latents[:, :1].expand_as(result.latents))
    assert rows_are_equal == (space == "w")


def test_the_space_is_w_where_there_is_one_unless_another_is_named(styled, tiny_rgb_pipeline):
    image = styled(seeds=[3]).images[0]
    assert [invert(styled, image, space=space, steps=1).space for space in (None, "z")] == ["w", "z"]
    assert invert(tiny_rgb_pipeline, image, steps=1).space == "z"


def test_the_class_is_that_of_the_best_candidates_unless_one_is_named(tiny_pipeline):
    image = tiny_pipeline(seeds=[1007], labels="square").images[0]
    free, held = invert(tiny_pipeline, image, steps=60), invert(tiny_pipeline, image, label="star", steps=60)
    assert LABEL_NAMES[free.label] == "square" and LABEL_NAMES[held.label] == "star"
    assert tiny_pipeline(latents=held.latents, labels=held.label).images[0].tobytes() == held.image.tobytes()


@pytest.mark.parametrize("name", bundled_models())
def test_a_published_model_finds_its_own_picture_again(name):
    pipe = GANPipeline.from_pretrained(name, discriminator=None)
    if isinstance(pipe.unwrapped_generator, SPADEGenerator):
        with pytest.raises(ValueError, match="draws from maps"):
            invert(pipe, pipe(seeds=[1007]).images[0])
        return
    drawn = pipe(seeds=[1003])
    result = invert(pipe, drawn.images[0], label=drawn.labels and drawn.labels[0], steps=200)
    assert result.levels < min(12, result.history[0][1] / 2)  # docs/inversion.md has what was measured


# ------------------------------------------------------------------------------------------------ on the way


def test_a_search_gives_ever_better_results_and_may_end_at_any_time(tiny_rgb_pipeline):
    image = tiny_rgb_pipeline(seeds=[1003]).images[0]
    steps = list(search(tiny_rgb_pipeline, image, steps=25, every=10))
    assert [each.step for each in steps] == [0, 10, 20, 25] and {each.steps for each in steps} == {25}
    assert [len(each.history) for each in steps] == [1, 2, 3, 4]
    assert steps[-1].history[-1] == (25, steps[-1].levels, steps[-1].perceptual)
    running = search(tiny_rgb_pipeline, image, steps=10_000)
    next(running), next(running)
    running.close()


def test_what_was_best_is_kept_where_the_search_goes_astray(tiny_rgb_pipeline, monkeypatch):
    monkeypatch.setattr(projection, "RATE", 1000.0)
    first, *_, last = search(tiny_rgb_pipeline, tiny_rgb_pipeline(seeds=[1003]).images[0], steps=12, every=4)
    assert torch.equal(first.latents, last.latents) and last.image.tobytes() == first.image.tobytes()
    assert last.history == [(step, first.levels, first.perceptual) for step in (0, 4, 8, 12)]


def test_a_callback_sees_what_an_iterator_gives(tiny_rgb_pipeline):
    image, seen = tiny_rgb_pipeline(seeds=[1003]).images[0], []
    result = invert(tiny_rgb_pipeline, image, steps=15, callback=seen.append)
    assert [each.step for each in seen] == [0, 10, 15] and seen[-1] is result


def test_the_same_seed_finds_the_same_and_another_does_not(tiny_rgb_pipeline):
    image = tiny_rgb_pipeline(seeds=[1003]).images[0]
    first, again, other = (invert(tiny_rgb_pipeline, image, steps=10, seed=seed).latents for seed in (1, 1, 2))
    assert torch.equal(first, again) and not torch.equal(first, other)


def test_the_picture_of_the_searchs_own_seed_is_not_among_its_candidates():
    pipe = GANPipeline(lively(DCGANGenerator(32, 3, latent_size=64, num_classes=0, base_channels=4), 0))
    assert next(search(pipe, pipe(seeds=[5]).images[0], seed=5)).levels > 1


# ---------------------------------------------------------------------------------------- what stays as it is


def test_weights_modes_gradients_and_torchs_generator_stay_as_they_were():
    pipe = make_pipeline(0, 32, 3, seed=4)
    pipe.generator.train()
    image = pipe(seeds=[1003]).images[0]
    before = {name: value.clone() for name, value in pipe.generator.state_dict().items()}
    state, is_on = torch.get_rng_state(), torch.is_grad_enabled()
    with torch.no_grad():  # as a handler of the page may be
        running = search(pipe, image, steps=20)
        assert next(running).levels > [each.levels for each in running][-1]
        assert not torch.is_grad_enabled()
    assert torch.equal(state, torch.get_rng_state()) and torch.is_grad_enabled() == is_on
    assert pipe.generator.training and all(parameter.grad is None for parameter in pipe.generator.parameters())
    assert all(parameter.requires_grad for parameter in pipe.generator.parameters())
    assert all(torch.equal(before[name], value) for name, value in pipe.generator.state_dict().items())


def test_an_engine_is_passed_over_and_goes_on_drawing():
    pipe = make_pipeline(0, 32, 3, seed=4)
    image = pipe(seeds=[1003]).images[0]
    plain = invert(pipe, image, steps=20)
    pipe.optimize("torch-bfloat16", seconds=0, max_levels=255)
    assert pipe.engine.name == "torch-bfloat16"
    optimized = invert(pipe, image, steps=20)
    assert torch.equal(plain.latents, optimized.latents) and optimized.image.tobytes() == plain.image.tobytes()
    assert pipe(latents=plain.latents).images[0].tobytes() != plain.image.tobytes()
    assert pipe.engine.name == "torch-bfloat16"


def test_half_precision_weights_are_searched_in_full_precision(tiny_rgb_pipeline):
    pipe = make_pipeline(0, 32, 3).to(torch.bfloat16)
    result = invert(pipe, tiny_rgb_pipeline(seeds=[1003]).images[0], steps=10)
    assert result.latents.dtype == torch.float32 and np.isfinite(result.levels)


# ------------------------------------------------------------------------------------------- the distance


def test_levels_are_the_mean_difference_and_equal_images_have_none():
    target = torch.rand(1, 4, 16, 24, generator=torch.Generator().manual_seed(0)) * 2 - 1
    levels, perceptual = Distance(target)(torch.cat([target, -target]))
    assert levels[0] == 0 and perceptual[0] < 1e-9 and perceptual[1] > 0.01
    assert levels[1] == pytest.approx(target.abs().mean().item() * 255, rel=1e-5)


def test_colors_under_full_transparency_are_not_perceived():
    target = torch.rand(1, 4, 32, 32, generator=torch.Generator().manual_seed(0)) * 2 - 1
    target[:, 3] = -1
    other = torch.cat([-target[:, :3], target[:, 3:]], 1)
    assert Distance(target).perceptual(other) < 1e-9


# ------------------------------------------------------------------------------------------------- mistakes


def truncated() -> Image.Image:
    buffer = io.BytesIO()
    Image.fromarray(np.random.default_rng(0).integers(0, 256, (64, 64, 3), np.uint8)).save(buffer, format="PNG")
    return Image.open(io.BytesIO(buffer.getvalue()[:3000]))


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"image": "photo.png"}, "images are PIL images"),
        ({"image": None}, "images are PIL images"),
        ({"image": np.zeros((1, 8, 8, 3), np.uint8)}, "uint8"),
        ({"image": torch.full((1, 3, 32, 32), float("nan"))}, r"lie in \[-1, 1\]"),
        ({"image": []}, "0 images are given"),
        ({"image": np.zeros((2, 32, 32, 3), np.uint8)}, "2 images are given"),
        pytest.param({"image": truncated}, "cannot be decoded", id="truncated"),
        ({"space": "p"}, "choose one of z, w, w\\+"),
        ({"space": "w"}, "has no w"),
        ({"label": "star"}, "unconditional"),
        *(({"steps": value}, "whole number from 1 to 10,000") for value in (0, 1.5, "9", None, True, 10_001)),
        ({"candidates": 0}, "from 1 to 4,096"),
        ({"starts": 65}, "from 1 to 64"),
        ({"every": 0}, "from 1 to 10,000"),
        ({"seed": -1}, "seeds are whole numbers"),
    ],
    ids=lambda value: str(value)[:40],
)
def test_what_is_not_allowed_is_refused_in_one_sentence_at_once(tiny_rgb_pipeline, changes, says):
    image = changes.get("image", Image.new("RGB", (32, 32)))
    options = {"image": image() if callable(image) else image} | {k: v for k, v in changes.items() if k != "image"}
    with pytest.raises(ValueError, match=says) as caught:
        search(tiny_rgb_pipeline, **options)
    assert "\n" not in str(caught.value) and str(caught.value).endswith(".")
