"""Seeds, walks, arithmetic, neighbours and truncation in latent space."""

import math

import numpy as np
import pytest
import torch

from gan_hub.latents import (
    MAX_SEED,
    arithmetic,
    as_int,
    check_seeds,
    interpolate,
    lerp,
    neighbours,
    sample,
    slerp,
    truncate,
)


def pair(count: int = 50, size: int = 16) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    return torch.randn(count, size, generator=generator), torch.randn(count, size, generator=generator)


# ---------------------------------------------------------------------------------------------- seeds


def test_a_row_depends_on_its_seed_alone():
    many = sample(range(20), 8)
    assert many.shape == (20, 8) and many.dtype == torch.float32
    for seed in (0, 7, 19):
        assert torch.equal(sample([seed], 8)[0], many[seed])
    assert torch.equal(sample([5, 3, 5], 8), many[[5, 3, 5]])
    assert len({tuple(row.tolist()) for row in many}) == 20


def test_latents_are_standard_normal():
    z = sample(range(2000), 50)
    assert abs(z.mean().item()) < 0.02 and abs(z.std().item() - 1) < 0.02
    assert sample([], 8).shape == (0, 8)


def test_sampling_leaves_the_global_random_state_alone():
    before = torch.get_rng_state()
    sample([1, 2], 8)
    assert torch.equal(before, torch.get_rng_state())


def test_seed_0_is_not_quietly_seed_two_to_the_32():
    assert torch.equal(
        torch.randn(3, generator=torch.Generator().manual_seed(2**32)),
        torch.randn(3, generator=torch.Generator().manual_seed(0)),
    ), "torch now tells these apart: the limit could be raised"
    with pytest.raises(ValueError, match="4294967296 is not allowed; .* 0 to 4294967295"):
        sample([2**32], 3)


@pytest.mark.parametrize(
    "seed",
    [-1, 2**32, 10**30, 1.0, 0.5, float("nan"), True, np.True_, torch.tensor(True), "1", None, [1], torch.tensor(1.0)],
    ids=repr,
)
def test_a_seed_is_a_whole_number_of_32_bits_and_nothing_else(seed):
    with pytest.raises(ValueError, match="seed .* is not allowed"):
        check_seeds([3, seed])


@pytest.mark.parametrize("seeds", [7, None, 1.5, torch.tensor(3)], ids=repr)
def test_one_number_is_no_list_of_seeds(seeds):
    with pytest.raises(ValueError, match=r"seeds=.* is not allowed; it is a list"):
        check_seeds(seeds)


def test_whole_numbers_of_numpy_and_torch_are_seeds_too():
    for seeds in ([3, MAX_SEED, 0], np.array([3, MAX_SEED, 0]), torch.tensor([3, MAX_SEED, 0])):
        checked = check_seeds(seeds)
        assert checked == [3, MAX_SEED, 0] and all(type(seed) is int for seed in checked)
    assert check_seeds(range(3)) == [0, 1, 2]
    assert [as_int(value) for value in (3, np.int8(3), torch.tensor(3), True, 3.0, "3")] == [3, 3, 3, None, None, None]


# ---------------------------------------------------------------------------------------------- slerp


@pytest.mark.parametrize("walk", [slerp, lerp])
def test_both_ends_are_hit_exactly_and_copied(walk):
    a, b = pair()
    assert torch.equal(walk(a, b, 0), a) and torch.equal(walk(a, b, 1), b)
    slerp(a, b, 0.0).zero_(), slerp(a, b, 1.0).zero_()
    assert a.any() and b.any()


def test_lerp_is_the_straight_line():
    a, b = pair()
    torch.testing.assert_close(lerp(a, b, 0.25), 0.75 * a + 0.25 * b)


def test_the_norm_on_an_arc_changes_linearly():
    a, b = pair()
    for t in (0.01, 0.25, 0.5, 0.9):
        expected = (1 - t) * a.norm(dim=-1) + t * b.norm(dim=-1)
        torch.testing.assert_close(slerp(a, b, t).norm(dim=-1), expected, rtol=1e-5, atol=0)


def test_the_direction_turns_at_constant_speed():
    a, b = (vectors.double() for vectors in pair())

    def angle(x, y):
        return torch.acos(torch.nn.functional.cosine_similarity(x, y, dim=-1).clamp(-1, 1))

    for t in (0.1, 0.5, 0.8):
        torch.testing.assert_close(angle(a, slerp(a, b, t)), t * angle(a, b), rtol=1e-6, atol=1e-6)
        torch.testing.assert_close(angle(slerp(a, b, t), b), (1 - t) * angle(a, b), rtol=1e-6, atol=1e-6)


def test_a_quarter_turn_by_hand():
    a, b = torch.tensor([2.0, 0.0]), torch.tensor([0.0, 4.0])
    torch.testing.assert_close(slerp(a, b, 0.5), torch.tensor([1.0, 1.0]) / math.sqrt(2) * 3)
    torch.testing.assert_close(slerp(a, b, 1 / 3), torch.tensor([math.cos(math.pi / 6), 0.5]) * (2 + 2 / 3))


def test_the_way_back_is_the_same_way():
    a, b = pair()
    torch.testing.assert_close(slerp(a, b, 0.3), slerp(b, a, 0.7), rtol=1e-4, atol=1e-5)


def test_equal_ends_stay_where_they_are():
    a, _ = pair()
    for t in (0.0, 0.3, 0.5, 1.0):
        torch.testing.assert_close(slerp(a, a, t), a, rtol=1e-6, atol=1e-6)
    torch.testing.assert_close(slerp(a, 3 * a, 0.5), 2 * a)


def test_opposite_ends_are_joined_by_a_half_circle_that_keeps_the_norm():
    a, _ = pair()
    middle = slerp(a, -a, 0.5)
    torch.testing.assert_close(middle.norm(dim=-1), a.norm(dim=-1), rtol=1e-5, atol=0)
    assert (middle * a).sum(-1).abs().max() < 1e-4 * a.norm(dim=-1).max() ** 2
    quarter = torch.nn.functional.cosine_similarity(a, slerp(a, -a, 0.25), dim=-1)
    torch.testing.assert_close(quarter, torch.full_like(quarter, math.cos(math.pi / 4)), rtol=1e-4, atol=0)


def test_zero_and_nearly_parallel_and_tiny_vectors_give_finite_latents():
    a, b = pair()
    zero = torch.zeros_like(a)
    torch.testing.assert_close(slerp(zero, b, 0.25), 0.25 * b)
    torch.testing.assert_close(slerp(a, zero, 0.25), 0.75 * a)
    assert not slerp(zero, zero, 0.5).any()
    for other in (a + 1e-7 * b, -a + 1e-7 * b, 1e-30 * b, a * (1 + 1e-6)):
        for t in (1e-6, 0.5, 1 - 1e-6):
            between = slerp(a, other, t)
            assert torch.isfinite(between).all()
            assert (between.norm(dim=-1) <= 1.0001 * torch.maximum(a.norm(dim=-1), other.norm(dim=-1))).all()


def test_a_batch_is_walked_row_by_row():
    a, b = pair(5)
    torch.testing.assert_close(
        slerp(a, b, 0.4), torch.stack([slerp(x, y, 0.4) for x, y in zip(a, b)]), rtol=1e-6, atol=1e-6
    )


# ---------------------------------------------------------------------------------------- interpolate


@pytest.mark.parametrize("mode", ["slerp", "lerp"])
@pytest.mark.parametrize(("keyframes", "frames"), [(2, 2), (2, 5), (3, 5), (4, 31), (5, 4), (3, 100)])
def test_a_walk_meets_its_ends_exactly_and_its_keyframes_where_a_frame_falls_on_them(mode, keyframes, frames):
    keys, _ = pair(keyframes)
    walk = interpolate(keys, frames, mode)
    assert walk.shape == (frames, 16) and torch.isfinite(walk).all()
    assert torch.equal(walk[0], keys[0]) and torch.equal(walk[-1], keys[-1])
    if (frames - 1) % (keyframes - 1) == 0:
        assert torch.equal(walk[:: (frames - 1) // (keyframes - 1)], keys)


def test_the_frames_of_a_straight_walk_are_evenly_spaced():
    a, b = pair(1)
    steps = interpolate(torch.cat([a, b]), 11, "lerp").diff(dim=0)
    torch.testing.assert_close(steps, ((b - a) / 10).expand(10, -1), rtol=1e-4, atol=1e-6)


def test_a_smooth_walk_meets_its_keyframes_and_slows_down_at_each_of_them():
    keys, _ = pair(3)
    walk = interpolate(keys, 41, "lerp", "smooth")
    assert torch.equal(walk[[0, 20, 40]], keys)
    torch.testing.assert_close(walk[10], (keys[0] + keys[1]) / 2)
    steps = walk.diff(dim=0).norm(dim=1)
    assert steps[[0, 19, 20, 39]].max() < steps.mean() / 4 and steps[9] > 1.4 * steps[:20].mean()
    with pytest.raises(ValueError, match="easing 'fast' is not allowed; choose one of linear, smooth"):
        interpolate(keys, 5, "lerp", "fast")


@pytest.mark.parametrize(
    ("keys", "frames", "mode", "sentence"),
    [
        (torch.zeros(1, 4), 5, "slerp", "at least two keyframes"),
        (torch.zeros(4), 5, "slerp", "at least two keyframes"),
        (torch.zeros(2, 4), 1, "slerp", "frames=1 is not allowed"),
        (torch.zeros(2, 4), True, "slerp", "frames=True is not allowed"),
        (torch.zeros(2, 4), 2.5, "slerp", "frames=2.5 is not allowed"),
        (torch.zeros(2, 4), "9", "slerp", "frames='9' is not allowed"),
        (torch.zeros(2, 4), 5, "cubic", "mode 'cubic' is not allowed; choose one of slerp, lerp"),
    ],
)
def test_an_odd_walk_is_refused_with_a_sentence(keys, frames, mode, sentence):
    with pytest.raises(ValueError, match=sentence):
        interpolate(keys, frames, mode)


# --------------------------------------------------------------- arithmetic, neighbours, truncation


def test_arithmetic_takes_the_means_of_groups_of_any_size():
    plus, minus, then_plus = (
        torch.tensor([[1.0, 2], [3, 4]]),
        torch.tensor([[1.0, 1]]),
        torch.tensor([[0.0, 0], [3, 6]]),
    )
    torch.testing.assert_close(arithmetic(plus, minus, then_plus), torch.tensor([2 - 1 + 1.5, 3 - 1 + 3]))
    for groups, name in (((plus[:0], minus, minus), "plus"), ((plus, minus[0], minus), "minus")):
        with pytest.raises(ValueError, match=f"^{name} needs at least one latent"):
            arithmetic(*groups)


def test_neighbours_fill_a_cube_around_the_latent_and_follow_their_generator():
    z = torch.randn(16, generator=torch.Generator().manual_seed(1))
    around = neighbours(z, 1000, 0.25, torch.Generator().manual_seed(2))
    offsets = around - z
    assert around.shape == (1000, 16)
    assert -0.2501 <= offsets.min() < -0.24 and 0.24 < offsets.max() <= 0.2501
    assert abs(offsets.mean().item()) < 0.01
    assert torch.equal(around, neighbours(z, 1000, 0.25, torch.Generator().manual_seed(2)))
    assert not torch.equal(around, neighbours(z, 1000, 0.25, torch.Generator().manual_seed(3)))


def test_truncation_is_a_straight_way_to_the_mean():
    z, mean = pair()
    assert truncate(z, 1) is z and truncate(z, 1.0) is z
    assert not truncate(z, 0).any() and torch.equal(truncate(z, 0, mean), mean)
    torch.testing.assert_close(truncate(z, 0.7), 0.7 * z)
    torch.testing.assert_close(truncate(z, 0.25, mean), mean + 0.25 * (z - mean))


@pytest.mark.parametrize("psi", [-0.01, 1.01, float("nan"), float("inf"), True, "0.5", None, [0.5]], ids=repr)
def test_truncation_is_a_number_from_0_to_1(psi):
    with pytest.raises(ValueError, match="truncation .* is not allowed; it is a number from 0"):
        truncate(torch.zeros(1, 2), psi)
