"""What the discriminator is shown: each transform by hand, its gradients, and the same numbers on one process or many."""

import math

import pytest
import torch
from torch.nn.functional import affine_grid, grid_sample

from gan_hub.augment import (
    ADA_COLUMNS,
    ADA_TRANSFORMS,
    POLICIES,
    AugmentPipe,
    ada_augment,
    adjusted_p,
    diff_augment,
    flip_horizontally,
    noise_sigma,
    policy_columns,
)

ALL = "color,translation,cutout"
SHAPES = pytest.mark.parametrize("shape", [(3, 8, 8), (1, 8, 8), (3, 6, 10), (1, 12, 5)], ids=str)


def some_images(count: int = 4, shape: tuple[int, ...] = (3, 8, 8), dtype=torch.float32) -> torch.Tensor:
    return (torch.rand(count, *shape, generator=torch.Generator().manual_seed(0)) * 2 - 1).to(dtype)


def uniform(count: int, columns: int, seed: int = 1) -> torch.Tensor:
    return torch.rand(count, columns, generator=torch.Generator().manual_seed(seed))


def both_kinds(images: torch.Tensor, seed: int = 1) -> list[torch.Tensor]:
    """The images after all of diff_augment and all of ada_augment."""
    n = len(images)
    return [diff_augment(images, uniform(n, 7, seed)), ada_augment(images, uniform(n, ADA_COLUMNS, seed), 1.0)]


# ----------------------------------------------------------------------------------- both augmentations


@SHAPES
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16, torch.float16])
def test_shape_and_type_stay_and_nothing_becomes_infinite(shape, dtype):
    for seed in range(20):
        for result in both_kinds(some_images(4, shape, dtype), seed):
            assert result.shape == (4, *shape) and result.dtype == dtype
            assert torch.isfinite(result).all()


def test_the_extreme_numbers_0_and_almost_1_give_finite_images():
    for u in (0.0, 1 - 2.0**-24):
        assert torch.isfinite(diff_augment(some_images(), torch.full((4, 7), u))).all()
        assert torch.isfinite(ada_augment(some_images(), torch.full((4, ADA_COLUMNS), u), 1.0)).all()


def test_the_same_numbers_give_the_same_images_and_other_numbers_others():
    images = some_images()
    for first, again, other in zip(both_kinds(images), both_kinds(images), both_kinds(images, seed=2)):
        assert torch.equal(first, again) and not torch.equal(first, other)


def test_an_image_depends_on_its_own_numbers_only():
    images, whole = some_images(), both_kinds(some_images())
    for row in range(4):
        u = uniform(4, 7)[row : row + 1], uniform(4, ADA_COLUMNS)[row : row + 1]
        alone = diff_augment(images[row : row + 1], u[0]), ada_augment(images[row : row + 1], u[1], 1.0)
        for part, all_rows in zip(alone, whole):
            torch.testing.assert_close(part[0], all_rows[row], rtol=0, atol=1e-6)


def test_the_same_transform_moves_reals_and_fakes():
    u = uniform(4, ADA_COLUMNS)
    reals, fakes = some_images(), -0.5 * some_images()  # a linear map commutes with geometry
    geometry = torch.cat([u[:, :18], torch.ones(4, ADA_COLUMNS - 18)], 1)  # colour is not applied
    torch.testing.assert_close(-0.5 * ada_augment(reals, geometry, 0.999), ada_augment(fakes, geometry, 0.999))
    policy = "translation,cutout"
    shown = diff_augment(reals, u[:, :4], policy), diff_augment(fakes, u[:, :4], policy)
    torch.testing.assert_close(-0.5 * shown[0], shown[1])


def test_numbers_of_another_count_are_refused():
    for u in (torch.rand(4, 8), torch.rand(1, 7), torch.rand(7)):
        with pytest.raises(ValueError, match=r"4 images need \(4, 7\)"):
            diff_augment(some_images(), u)
    with pytest.raises(ValueError, match=rf"4 images need \(4, {ADA_COLUMNS}\)"):
        ada_augment(some_images(), torch.rand(4, ADA_COLUMNS - 1), 0.5)


@pytest.mark.parametrize("shape", [(3, 4, 4), (1, 4, 6)], ids=str)
def test_gradients_reach_the_images_once_and_twice(shape):
    images = some_images(2, shape, torch.float64).requires_grad_()
    u = uniform(2, 7).double(), uniform(2, ADA_COLUMNS).double()
    for augment in (lambda x: diff_augment(x, u[0]), lambda x: ada_augment(x, u[1], 1.0)):
        assert torch.autograd.gradcheck(augment, images)
        assert torch.autograd.gradgradcheck(lambda x, f=augment: f(x).square(), images)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_half_precision_images_are_transformed_in_float32_under_autocast_too(dtype):
    images = some_images(4, (3, 32, 32), dtype)
    exact = both_kinds(images.float())
    with torch.autocast("cpu", dtype=torch.bfloat16):
        for ours, wanted in zip(both_kinds(images), exact):
            assert torch.equal(ours, wanted.to(dtype))


# ----------------------------------------------------------------------------------------- diff_augment


def test_colour_by_hand():
    image = torch.tensor([[0.2, -0.4, 0.8]]).view(1, 3, 1, 1).repeat(1, 1, 1, 2)
    image[0, :, 0, 1] = 0.0  # channel means 0.2 and 0
    same = [0.5, 0.5, 0.5]
    torch.testing.assert_close(diff_augment(image, torch.tensor([same]), "color"), image)
    for position, number, expected in (
        (0, 0.9, image + 0.4),  # brightness
        (1, 0.0, image.mean(1, keepdim=True).expand_as(image)),  # no saturation: grey
        (1, 0.75, image.mean(1, keepdim=True) + 1.5 * (image - image.mean(1, keepdim=True))),
        (2, 0.0, 0.1 + 0.5 * (image - 0.1)),  # contrast; the image's mean is 0.1
    ):
        numbers = list(same)
        numbers[position] = number
        torch.testing.assert_close(diff_augment(image, torch.tensor([numbers]), "color"), expected)


@pytest.mark.parametrize("colours", [1, 3])
def test_opacity_is_no_colour_and_moves_with_the_image(colours):
    images = some_images(6, (colours + 1, 8, 8))
    for changed, plain in zip(both_kinds(images), both_kinds(images[:, :colours])):
        torch.testing.assert_close(changed[:, :colours], plain)
    u = uniform(6, policy_columns("color"))
    coloured = diff_augment(images, u, "color")
    assert torch.equal(coloured[:, -1], images[:, -1]) and not torch.equal(coloured[:, :-1], images[:, :-1])


def test_translation_by_hand():
    image = torch.arange(1.0, 65.0).view(1, 1, 8, 8)  # an eighth: one pixel each way, so u picks −1, 0 or 1
    moved = diff_augment(image, torch.tensor([[0.5, 0.99]]), "translation")  # one to the right
    assert torch.equal(moved[..., 1:], image[..., :-1]) and (moved[..., 0] == 0).all()
    moved = diff_augment(image, torch.tensor([[0.0, 0.5]]), "translation")  # one up
    assert torch.equal(moved[:, :, :-1], image[:, :, 1:]) and (moved[:, :, -1] == 0).all()
    assert torch.equal(diff_augment(image, torch.tensor([[0.5, 0.5]]), "translation"), image)


def test_translation_reaches_an_eighth_of_each_side_evenly_and_no_further():
    count, seen = 8000, []
    image = torch.zeros(count, 1, 16, 24)
    image[:, :, 8, 12] = 1
    where = diff_augment(image, uniform(count, 2), "translation").nonzero()
    assert len(where) == count
    for column, centre, most in ((2, 8, 2), (3, 12, 3)):
        shifts = torch.bincount(where[:, column] - centre + most, minlength=2 * most + 1) / count
        assert len(shifts) == 2 * most + 1
        seen.append((shifts - 1 / (2 * most + 1)).abs().max())
    assert max(seen) < 0.02  # √(0.2 · 0.8 / 8000) = 0.0045


def test_cutout_by_hand():
    image = torch.ones(1, 1, 8, 8)
    shown = diff_augment(image, torch.tensor([[4 / 9 + 0.01, 6 / 9 + 0.01]]), "cutout")  # centred at row 4, column 6
    expected = torch.ones(8, 8)
    expected[2:6, 4:8] = 0
    assert torch.equal(shown[0, 0], expected)
    corner = diff_augment(image, torch.tensor([[0.0, 0.0]]), "cutout")  # three quarters of it lie outside
    expected = torch.ones(8, 8)
    expected[:2, :2] = 0
    assert torch.equal(corner[0, 0], expected)


def test_cutout_hides_half_of_each_side_at_most_and_every_pixel_sometimes():
    hidden = 1 - diff_augment(torch.ones(3000, 1, 7, 10), uniform(3000, 2), "cutout")
    assert hidden.amax(3).sum(2).max() == 4 and hidden.amax(2).sum(2).max() == 5
    assert hidden.mean(0).min() > 0.05 and hidden.mean(0).max() < 0.7


def test_a_policy_names_its_transforms_and_their_numbers_in_order():
    images, u = some_images(), uniform(4, 7)
    assert [policy_columns(policy) for policy in ("color", "translation", "cutout", ALL)] == [3, 2, 2, 7]
    steps = diff_augment(diff_augment(images, u[:, :2], "cutout"), u[:, 2:5], "color")
    assert torch.equal(diff_augment(images, u[:, :5], "cutout,color"), steps)
    assert set(ALL.split(",")) == set(POLICIES)
    for policy in ("", "colour", "color, cutout", "color,,cutout"):
        with pytest.raises(ValueError, match="is not allowed"):
            policy_columns(policy)


# ------------------------------------------------------------------------------------------ ada_augment


def applying(count: int = 1, **transforms: list[float]) -> torch.Tensor:
    """Numbers that apply these transforms, with these numbers of theirs, to each image at p = 0.5, and no others."""
    blocks = []
    for name, size in ADA_TRANSFORMS.items():
        numbers = [0.0, *transforms.pop(name)] if name in transforms else [0.999] * (1 + size)
        assert len(numbers) == 1 + size
        blocks += numbers
    assert not transforms
    return torch.tensor(blocks).expand(count, -1)


def normal(sigmas: float) -> float:
    """The uniform number that stands for a number of standard deviations."""
    return 0.5 * (1 + math.erf(sigmas / math.sqrt(2)))


@SHAPES
def test_at_p_0_every_image_is_exactly_itself(shape):
    for dtype in (torch.float32, torch.float64, torch.bfloat16):
        images = some_images(16, shape, dtype)
        u = uniform(16, ADA_COLUMNS)
        u[0] = 0  # no number is below p = 0
        assert torch.equal(ada_augment(images, u, 0.0), images)


@SHAPES
def test_an_x_flip_is_exact_and_happens_half_the_time(shape):
    images = some_images(1, shape)
    assert torch.equal(ada_augment(images, applying(x_flip=[0.7]), 0.5), images.flip(3))
    assert torch.equal(ada_augment(images, applying(x_flip=[0.3]), 0.5), images)


@pytest.mark.parametrize("turns", [0, 1, 2, 3])
def test_a_turn_is_exact_and_counter_clockwise(turns):
    images = some_images(1)
    assert torch.equal(ada_augment(images, applying(rotate_90=[turns / 4 + 0.1]), 0.5), images.rot90(turns, (2, 3)))


@pytest.mark.parametrize("shape", [(3, 6, 10), (1, 12, 5)], ids=str)
def test_what_is_not_square_turns_by_180_degrees_only(shape):
    images = some_images(1, shape)
    assert torch.equal(ada_augment(images, applying(rotate_90=[0.3]), 0.5), images)
    assert torch.equal(ada_augment(images, applying(rotate_90=[0.6]), 0.5), images.rot90(2, (2, 3)))


def test_an_integer_translation_is_exact_and_mirrors_at_the_edges():
    images = some_images(1, (3, 8, 16))  # up to 1 pixel down, 2 to the right
    right = ada_augment(images, applying(integer_translation=[0.999, 0.5]), 0.5)
    assert torch.equal(right[..., 2:], images[..., :-2])
    assert torch.equal(right[..., :2], images[..., :2].flip(3))
    up = ada_augment(images, applying(integer_translation=[0.5, 0.001]), 0.5)
    assert torch.equal(up[:, :, :-1], images[:, :, 1:]) and torch.equal(up[:, :, -1], images[:, :, -1])


def test_a_fractional_translation_moves_by_eighths_of_the_side_per_standard_deviation():
    images = some_images(1, (1, 4, 16)).double()
    moved = ada_augment(
        images, applying(translation=[normal(0.25), 0.5]), 0.5
    )  # 0.125 · 0.25 · 16 = half a pixel right
    between = 0.5 * (images[..., :-1] + images[..., 1:])
    torch.testing.assert_close(moved[..., 1:], between, atol=1e-5, rtol=0)
    down = ada_augment(images, applying(translation=[0.5, normal(2.0)]), 0.5)  # 0.125 · 2 · 4 = one pixel down
    torch.testing.assert_close(down[:, :, 1:], images[:, :, :-1], atol=1e-5, rtol=0)


def ramps(height: int = 9, width: int = 9) -> torch.Tensor:
    """Two images of one channel, the horizontal and the vertical distance of each pixel from the centre."""
    y, x = torch.meshgrid(torch.arange(height) - height // 2, torch.arange(width) - width // 2, indexing="ij")
    return torch.stack([x, y])[:, None].double()


def inner(images: torch.Tensor, margin: int = 3) -> torch.Tensor:
    return images[:, :, margin:-margin, margin:-margin]


def test_scaling_stretching_and_rotating_by_hand_on_ramps():
    """Bilinear sampling of a ramp is exact away from the edges, so the map can be read off the image."""
    x, y = ramps()
    smaller = ada_augment(ramps(), applying(2, scale=[normal(-5.0)]), 0.5)  # 2^(0.2 · −5): half the size
    torch.testing.assert_close(inner(smaller), inner(ramps() * 2), atol=1e-5, rtol=0)
    narrower = ada_augment(ramps(), applying(2, stretch=[normal(-5.0)]), 0.5)  # half as wide, twice as high
    torch.testing.assert_close(inner(narrower)[0], inner(ramps())[0] * 2, atol=1e-5, rtol=0)
    torch.testing.assert_close(inner(narrower)[1], inner(ramps())[1] / 2, atol=1e-5, rtol=0)
    cosine, sine = math.cos(math.pi / 6), math.sin(math.pi / 6)
    for name in ("rotation_before", "rotation_after"):
        turned = ada_augment(ramps(), applying(2, **{name: [0.5 + 1 / 12]}), 0.3)  # π / 6 counter-clockwise
        torch.testing.assert_close(inner(turned)[0], inner((cosine * x - sine * y)[None])[0], atol=1e-5, rtol=0)
        torch.testing.assert_close(inner(turned)[1], inner((sine * x + cosine * y)[None])[0], atol=1e-5, rtol=0)


def test_transforms_follow_each_other_in_the_order_of_the_table():
    images = some_images(1)
    u = applying(x_flip=[0.7], rotate_90=[0.3], integer_translation=[0.999, 0.5])
    expected = images.flip(3).rot90(1, (2, 3))
    assert torch.equal(ada_augment(images, u, 0.5)[..., 1:], expected[..., :-1])


def test_the_sampling_is_that_of_grid_sample():
    images = some_images(8, (3, 8, 12)).double()
    u = uniform(8, ADA_COLUMNS).double()
    u[:, 18:] = 1.0  # no colour
    u[:, :7] = 1.0  # nor flips and whole pixels
    angle_before, angle_after = ((2 * u[:, k] - 1) * math.pi for k in (10, 14))
    scale, stretch = torch.exp2(0.2 * torch.special.ndtri(u[:, 8])), torch.exp2(0.2 * torch.special.ndtri(u[:, 12]))
    shift = 0.125 * torch.special.ndtri(u[:, 16:18])  # of the side
    size = torch.tensor([12.0, 8.0], dtype=torch.float64)

    def rotation(angle):
        return torch.stack([angle.cos(), -angle.sin(), angle.sin(), angle.cos()], 1).view(-1, 2, 2)

    stretched = torch.diag_embed(torch.stack([1 / stretch, stretch], 1))
    linear = rotation(angle_before) @ stretched @ rotation(angle_after) / scale[:, None, None]  # output → input, pixels
    offset = -(linear @ (shift * size)[:, :, None])
    theta = torch.cat([linear * size[None, None, :] / size[None, :, None], 2 * offset / size[None, :, None]], 2)
    grid = affine_grid(theta, list(images.shape), align_corners=False)
    expected = grid_sample(images, grid, mode="bilinear", padding_mode="reflection", align_corners=False)
    torch.testing.assert_close(ada_augment(images, u, 0.9999), expected, atol=1e-9, rtol=0)


@pytest.mark.parametrize(
    ("u", "red_becomes"),
    [
        (applying(brightness=[normal(1.0)]), (1.2, 0.2, 0.2)),
        (applying(contrast=[normal(2.0)]), (2.0, 0.0, 0.0)),
        (applying(luma_flip=[0.7]), (1 / 3, -2 / 3, -2 / 3)),
        (applying(luma_flip=[0.3]), (1.0, 0.0, 0.0)),
        (applying(hue=[0.5 + 1 / 3]), (0.0, 1.0, 0.0)),  # a third of a turn: red → green
        (applying(hue=[0.5 - 1 / 3]), (0.0, 0.0, 1.0)),
        (applying(saturation=[normal(1.0)]), (5 / 3, -1 / 3, -1 / 3)),  # twice as far from grey
    ],
    ids=["brightness", "contrast", "luma flip", "no luma flip", "hue", "hue back", "saturation"],
)
def test_colours_by_hand(u, red_becomes):
    red = torch.tensor([1.0, 0.0, 0.0]).view(1, 3, 1, 1).expand(1, 3, 2, 3)
    expected = torch.tensor(red_becomes).view(1, 3, 1, 1).expand(1, 3, 2, 3)
    torch.testing.assert_close(ada_augment(red, u, 0.5), expected, atol=1e-5, rtol=0)


def test_brightness_comes_before_contrast_and_a_grey_image_has_no_hue():
    grey = torch.full((1, 1, 2, 2), 0.5)
    u = applying(brightness=[normal(1.0)], contrast=[normal(2.0)])
    torch.testing.assert_close(ada_augment(grey, u, 0.5), torch.full((1, 1, 2, 2), 1.4))
    assert torch.equal(ada_augment(grey, applying(luma_flip=[0.7]), 0.5), -grey)
    for name in ("hue", "saturation"):
        assert torch.equal(ada_augment(grey, applying(**{name: [0.9]}), 0.5), grey)
        neutral = ada_augment(grey.expand(1, 3, 2, 2), applying(**{name: [0.9]}), 0.5)
        torch.testing.assert_close(neutral, grey.expand(1, 3, 2, 2))


@pytest.mark.parametrize("p", [0.2, 0.6, 1.0])
@pytest.mark.parametrize("name", ADA_TRANSFORMS)
def test_a_transform_changes_as_many_images_as_p_says(name, p):
    count, start = 4000, 0
    u = torch.ones(count, ADA_COLUMNS)  # never below p
    for transform, size in ADA_TRANSFORMS.items():
        if transform == name:
            u[:, start : start + 1 + size] = uniform(count, 1 + size)
        start += 1 + size
    images = some_images(1, (3, 8, 8)).expand(count, -1, -1, -1)
    changed = (ada_augment(images, u, p) - images).abs().flatten(1).amax(1) > 1e-7
    share = {
        "x_flip": 1 / 2,
        "rotate_90": 3 / 4,
        "luma_flip": 1 / 2,
        "integer_translation": 3 / 4,
    }  # of those it is applied to
    rate = 1 - math.sqrt(1 - p) if name.startswith("rotation") else p
    assert abs(changed.float().mean() - rate * share.get(name, 1)) < 0.035  # four standard deviations at most


def test_one_of_two_rotations_happens_with_probability_p():
    count = 4000
    u = torch.ones(count, ADA_COLUMNS)
    u[:, 9:11], u[:, 13:15] = uniform(count, 2, seed=3), uniform(count, 2, seed=4)
    images = some_images(1).expand(count, -1, -1, -1)
    changed = (ada_augment(images, u, 0.5) != images).flatten(1).any(1).float().mean()
    assert abs(changed - 0.5) < 0.035


# ------------------------------------------------------------------------- the heuristic, the schedule, flips


def test_p_rises_where_the_discriminator_overfits_falls_where_not_and_stays_in_0_to_1():
    assert adjusted_p(0.3, 0.7, 5000) == pytest.approx(0.31)
    assert adjusted_p(0.3, 0.5, 5000) == pytest.approx(0.29)
    assert adjusted_p(0.3, 0.6, 5000) == 0.3
    assert adjusted_p(0.3, -0.1, 64, target=-0.5, kimg=100) == pytest.approx(0.3 + 64 / 100_000)
    assert adjusted_p(0.999, 1.0, 5000) == 1.0 and adjusted_p(0.001, 0.0, 5000) == 0.0
    p = 0.0
    for _ in range(500):
        p = adjusted_p(p, 1.0, 1000)
    assert p == pytest.approx(1.0)  # 500 kimg from 0 to 1


def test_instance_noise_falls_linearly_to_exactly_nothing():
    assert [noise_sigma(seen, 0.4, 1000) for seen in (0, 250, 500)] == pytest.approx([0.4, 0.3, 0.2])
    assert noise_sigma(999, 0.4, 1000) > 0
    assert [noise_sigma(seen, 0.4, 1000) for seen in (1000, 1001, 5000)] == [0.0, 0.0, 0.0]
    assert noise_sigma(0, 0.0, 0) == 0.0


def test_flips_mirror_the_images_whose_number_is_below_a_half():
    for images in (some_images(), (some_images() * 127).to(torch.uint8)):
        flipped = flip_horizontally(images, torch.tensor([[0.1], [0.5], [0.49], [0.9]]))
        assert flipped.dtype == images.dtype
        assert torch.equal(flipped, torch.stack([images[0].flip(2), images[1], images[2].flip(2), images[3]]))


# ---------------------------------------------------------------------------------------------- the view


def view(rows: slice | None = None, seed: int = 5, **options) -> AugmentPipe:
    return AugmentPipe(torch.Generator().manual_seed(seed), total=6, rows=rows, **options)


EVERY_VIEW = pytest.mark.parametrize(
    "options",
    [
        {"augment": "diffaugment"},
        {"augment": "diffaugment", "policy": "cutout"},
        {"augment": "ada", "p": 0.7},
        {"sigma": 0.1},
        {"augment": "ada", "p": 0.3, "sigma": 0.2},
    ],
    ids=str,
)


@EVERY_VIEW
def test_the_processes_together_show_what_one_would(options):
    images = some_images(6)
    whole, parts = view(**options), [view(slice(start, start + 2), **options) for start in (0, 2, 4)]
    for _ in range(2):  # in step for a second call as well
        shown = torch.cat([part(images[part.rows]) for part in parts])
        torch.testing.assert_close(shown, whole(images), rtol=0, atol=1e-6)
    for columns in (1, 5):
        drawn = torch.cat([part.uniform(columns, images[part.rows]) for part in parts])
        assert torch.equal(drawn, whole.uniform(columns, images)) and drawn.shape == (6, columns)


@EVERY_VIEW
def test_each_call_draws_anew_and_the_same_generator_the_same(options):
    images, one, other = some_images(6), view(**options), view(**options)
    first, second = one(images), one(images)
    assert not torch.equal(first, second) and not torch.equal(first, images)
    assert torch.equal(other(images), first) and torch.equal(other(images), second)
    assert not torch.equal(view(seed=6, **options)(images), first)


@pytest.mark.parametrize("options", [{}, {"augment": "ada", "p": 0.0}], ids=str)
def test_with_nothing_to_do_the_images_pass_untouched_and_nothing_is_drawn(options):
    images, idle = some_images(6), view(**options)
    before = idle.generator.get_state()
    assert idle(images) is images
    assert torch.equal(idle.generator.get_state(), before)


def test_a_view_does_what_its_functions_do_with_the_numbers_it_draws():
    images = some_images(6)
    u = torch.rand(6, 5, generator=torch.Generator().manual_seed(5))
    policy = "color,cutout"
    assert torch.equal(view(augment="diffaugment", policy=policy)(images), diff_augment(images, u, policy))
    u = torch.rand(6, ADA_COLUMNS, generator=torch.Generator().manual_seed(5))
    assert torch.equal(view(augment="ada", p=0.4)(images), ada_augment(images, u, 0.4))


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16])
def test_the_numbers_come_in_a_type_that_can_hold_them_and_do_not_depend_on_it(dtype):
    images = some_images(6, dtype=dtype)
    u, exact = view().uniform(1000, images), view().uniform(1000, images.float())
    assert u.dtype == (torch.float64 if dtype == torch.float64 else torch.float32)
    assert u.min() >= 0 and u.max() < 1 and torch.equal(u.float(), exact)
    noisy = view(sigma=0.1)(images)
    assert noisy.dtype == dtype
    noise = view().normal(images)
    assert noise.shape == images.shape and noise.dtype == dtype


def test_instance_noise_has_its_standard_deviation_and_none_is_none():
    images = torch.zeros(6, 3, 64, 64)
    noise = view(sigma=0.25)(images)
    assert abs(noise.std() - 0.25) < 0.005 and abs(noise.mean()) < 0.005
    assert torch.equal(noise, 0.25 * view().normal(images))
    assert view(sigma=noise_sigma(1000, 0.25, 1000))(images) is images


def test_gradients_pass_a_view():
    for options in ({"augment": "diffaugment", "sigma": 0.1}, {"augment": "ada", "p": 0.8, "sigma": 0.1}):
        images = some_images(6).requires_grad_()
        view(**options)(images).square().sum().backward()
        assert images.grad.flatten(1).abs().sum(1).min() > 0


def test_a_view_refuses_what_it_does_not_know_and_images_that_are_not_its_own():
    with pytest.raises(ValueError, match="augment='nothing' is not allowed; choose one of none, diffaugment, ada"):
        view(augment="nothing")
    with pytest.raises(ValueError, match="'colour' is none of color, translation, cutout"):
        view(augment="diffaugment", policy="colour")
    for options in ({"augment": "diffaugment"}, {"sigma": 1.0}):
        with pytest.raises(ValueError, match="4 images were given; this process has 2 of the 6"):
            view(slice(0, 2), **options)(some_images(4))
