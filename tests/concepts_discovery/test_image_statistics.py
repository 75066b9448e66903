"""Image statistics, on pictures with known answers."""

import math

import pytest
import torch

from gan_hub.concepts_discovery import image_statistics
from gan_hub.concepts_discovery.image_statistics import MEASURES


def canvas(value: float = -1.0, channels: int = 1, count: int = 1) -> torch.Tensor:
    return torch.full((count, channels, 40, 40), value)


def stroke(thickness: int, lean: float = 0.0) -> torch.Tensor:
    """A white stroke of 30 rows on black, each row shifted by `lean` pixels to the right of the one below."""
    image = canvas()
    for row in range(5, 35):
        start = 15 + round(lean * (34 - row))
        image[0, 0, row, start : start + thickness] = 1
    return image


def test_light_is_0_in_black_1_in_white_and_half_between_and_weighs_colours_as_the_eye_does():
    images = torch.cat([canvas(-1), canvas(0), canvas(1)])
    assert image_statistics.brightness(images).tolist() == [0, 0.5, 1]
    red, blue = canvas(-1, 3), canvas(-1, 3)
    red[:, 0], blue[:, 2] = 1, 1
    assert image_statistics.brightness(torch.cat([red, blue])).tolist() == pytest.approx([0.299, 0.114])
    assert image_statistics.warmth(torch.cat([red, blue, canvas(1, 3)])).tolist() == [1, -1, 0]
    with pytest.raises(ValueError, match="these images are grey"):
        image_statistics.warmth(canvas())


@pytest.mark.parametrize("channels", [2, 4])
def test_what_is_transparent_lies_on_white(channels):
    images = canvas(-1, channels)
    assert image_statistics.brightness(images).item() == 1
    images[:, -1, :, :20] = 1
    assert image_statistics.brightness(images).item() == 0.5 and image_statistics.contrast(images).item() == 0.5


def test_the_background_is_the_edge():
    image = canvas(0)
    image[:, :, 1:-1, 1:-1] = 1
    assert image_statistics.background(image).item() == 0.5
    assert len(image_statistics.edge(image)[0]) == 2 * (40 + 40) - 4
    assert image_statistics.ink(image).sum().item() == 0.5 * 38 * 38


@pytest.mark.parametrize("thickness", [2, 4, 6])
@pytest.mark.parametrize("inverted", [False, True])
def test_thickness_is_that_of_the_stroke_in_pixels_light_or_dark(thickness, inverted):
    image = stroke(thickness)
    exact = 2 * thickness * 30 / (2 * 30 + 2 * thickness)  # the ends belong to the outline, too
    assert image_statistics.thickness(-image if inverted else image).item() == pytest.approx(exact, rel=0.02)


@pytest.mark.parametrize("lean", [-0.3, 0.0, 0.3])
def test_slant_is_the_lean_to_the_right_and_does_not_count_as_width(lean):
    image = stroke(4, lean)
    assert image_statistics.slant(image).item() == pytest.approx(lean, abs=0.01)
    assert image_statistics.width(image).item() == pytest.approx(4, abs=0.25)
    assert image_statistics.slant(image.flip(3)).item() == pytest.approx(-lean, abs=0.01)


def test_aspect_is_height_over_width():
    image = canvas()
    image[:, :, 10:30, 15:25] = 1
    assert image_statistics.aspect(image).item() == pytest.approx(math.sqrt((20**2 - 1) / (10**2 - 1)), rel=1e-4)


def test_symmetry_is_1_for_a_mirrored_picture_and_about_0_for_noise():
    noise = torch.rand(8, 1, 40, 40, generator=torch.Generator().manual_seed(0)) * 2 - 1
    mirrored = torch.cat([noise, noise.flip(3)], 3)
    assert image_statistics.symmetry(mirrored).tolist() == pytest.approx([1] * 8, abs=1e-4)
    assert image_statistics.symmetry(noise).abs().max() < 0.15


@pytest.mark.parametrize("name", MEASURES)
def test_a_measure_gives_one_finite_number_an_image_whatever_its_neighbours(name):
    images = torch.rand(4, 3, 12, 20, generator=torch.Generator().manual_seed(0)) * 2 - 1
    images[2], images[3] = -1, 1  # nothing drawn at all
    found = MEASURES[name].function(images)
    assert found.shape == (4,) and torch.isfinite(found).all()
    assert torch.allclose(torch.cat([MEASURES[name].function(image[None]) for image in images]), found, atol=1e-5)
