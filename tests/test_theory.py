"""The theory's formulas against numbers worked out by hand, and against discriminators that were trained."""

import math

import pytest
import torch
from torch import nn

from gan_hub.losses import non_saturating_discriminator
from gan_hub.models.layers import Perceptron
from gan_hub.theory import (
    absolute_error,
    indicator_discriminator,
    integral,
    jensen_shannon,
    least_absolute_error,
    line,
    mixture,
    normal,
    optimal_discriminator,
    value,
    value_at_optimum,
)

X = line(-12, 12)
PAIR = normal(X, 1), normal(X, -1)  # reals from N(1, 1), fakes from N(−1, 1)
BESIDE = [0.0, 0.01, -0.01, 0.2, -0.2]  # how far a rival discriminator is off


# ----------------------------------------------------------------------------------------------------- densities


def test_a_density_is_at_each_point_what_the_formula_says_and_sums_to_one():
    density = normal(torch.tensor([2.0, 5.0], dtype=torch.float64), mean=2, std=3)
    assert density.tolist() == pytest.approx([1 / math.sqrt(18 * math.pi), math.exp(-0.5) / math.sqrt(18 * math.pi)])
    two = mixture(X, means=[-2, 3], stds=[0.5, 1], weights=[3, 1])
    assert two.tolist() == pytest.approx((0.75 * normal(X, -2, 0.5) + 0.25 * normal(X, 3)).tolist())
    for p in (normal(X, 2, 0.5), two, mixture(X, [-2, 3], [0.5, 1])):
        assert integral(p, X) == pytest.approx(1, abs=1e-12)
    assert integral(two * X, X) == pytest.approx(0.75 * -2 + 0.25 * 3)


def test_a_density_that_is_none_is_refused():
    for std in (0, -1, math.nan):
        with pytest.raises(ValueError, match="std="):
            normal(X, 0, std)
    for arguments in (([0], [1, 1]), ([0, 1], [1, 1], [1]), ([0, 1], [1, 1], [2, -1]), ([0], [1], [0]), ([], [])):
        with pytest.raises(ValueError, match="means="):
            mixture(X, *arguments)
    for arguments in ((1, 1), (2, 1), (0, 1, 1)):
        with pytest.raises(ValueError, match="line"):
            line(*arguments)


# ------------------------------------------------------------------------------------------------------ log loss


def test_between_two_normals_the_optimal_discriminator_is_a_sigmoid():
    torch.testing.assert_close(optimal_discriminator(*PAIR), torch.sigmoid(2 * X), rtol=0, atol=1e-14)
    wide = optimal_discriminator(normal(X, 1, 2), normal(X, -1, 2))  # (x − 1)² and (x + 1)² over 2 · 2²
    torch.testing.assert_close(wide, torch.sigmoid(X / 2), rtol=0, atol=1e-14)


def test_where_nothing_is_the_optimal_discriminator_knows_nothing():
    target, generated = torch.tensor([0.0, 1.0, 0.0, 3.0]), torch.tensor([0.0, 0.0, 2.0, 1.0])
    assert optimal_discriminator(target, generated).tolist() == [0.5, 1.0, 0.0, 0.75]


def test_the_divergence_and_the_value_of_two_normals_are_the_known_numbers():
    assert jensen_shannon(*PAIR, X) == pytest.approx(0.33683, abs=5e-6)
    assert value_at_optimum(*PAIR, X) == pytest.approx(-0.7126, abs=5e-5)


def test_the_divergence_goes_from_0_for_equal_densities_to_ln_2_for_separate_ones():
    p = mixture(X, [-2, 3], [0.5, 1])
    assert jensen_shannon(p, p, X) == pytest.approx(0, abs=1e-14)
    assert value_at_optimum(p, p, X) == pytest.approx(-2 * math.log(2))
    far = normal(X, -8, 0.2), normal(X, 8, 0.2)
    assert jensen_shannon(*far, X) == pytest.approx(math.log(2))
    assert value_at_optimum(*far, X) == pytest.approx(0, abs=1e-12)
    distances = [jensen_shannon(normal(X, d), normal(X, -d), X) for d in (0, 0.5, 1, 2)]
    assert distances == sorted(distances) and distances[1] > 0.05
    assert jensen_shannon(p, PAIR[0], X) == pytest.approx(jensen_shannon(PAIR[0], p, X))


def test_the_divergence_of_uniform_densities_by_hand():
    x = line(0, 1, 2)  # densities of a whole interval: 2 points and flat ends make the sum exact
    half, full = torch.tensor([0.5, 0.5], dtype=torch.float64), torch.tensor([1.5, 1.5], dtype=torch.float64)
    # D* = 1/4 and 3/4: ½ (½ ln ½ + 3/2 ln 3/2)
    assert jensen_shannon(half, full, x) == pytest.approx(0.5 * (0.5 * math.log(0.5) + 1.5 * math.log(1.5)))


def test_no_discriminator_has_a_higher_value_than_the_optimal_one():
    for target, generated in (PAIR, (mixture(X, [-2, 3], [0.5, 1]), normal(X, 0, 2))):
        best = optimal_discriminator(target, generated)
        values = [value((best + off).clamp(0, 1), target, generated, X) for off in BESIDE]
        assert values[0] == pytest.approx(value_at_optimum(target, generated, X), abs=1e-8)  # 2e-9 lie outside X
        assert all(values[0] > other + 1e-5 for other in values[1:])
        assert values[1] > values[3] and values[2] > values[4]
    assert value(torch.full_like(X, 0.5), *PAIR, X) == pytest.approx(-2 * math.log(2))


def test_on_a_wide_grid_where_densities_are_rounded_to_0_nothing_changes():
    wide = line(-60, 60, 24001)  # exp(−59² / 2) is 0, and D* is exactly 0 or 1, long before the ends
    target, generated = normal(wide, 1), normal(wide, -1)
    assert (target == 0).any() and ((generated > 0) & (optimal_discriminator(target, generated) == 1)).any()
    assert jensen_shannon(target, generated, wide) == pytest.approx(jensen_shannon(*PAIR, X), abs=1e-12)
    found = value(optimal_discriminator(target, generated), target, generated, wide)
    assert found == pytest.approx(value_at_optimum(*PAIR, X), abs=1e-12)
    assert value(indicator_discriminator(target, generated), target, generated, wide) < -100


# ------------------------------------------------------------------------------------------------- absolute error


def test_the_absolute_error_wants_a_verdict_and_its_least_is_half_the_overlap():
    best = indicator_discriminator(*PAIR)
    assert torch.equal(best, (X > 0).double())
    tie = indicator_discriminator(torch.tensor([0.5, 0.5, 0.2]), torch.tensor([0.5, 0.4, 0.3]))
    assert tie.tolist() == [0, 1, 0]
    # Φ(−1): a real of N(1, 1) lies below 0, a fake above, each in 15.87 % of cases.
    assert least_absolute_error(*PAIR, X) == pytest.approx(0.5 * math.erfc(1 / math.sqrt(2)), abs=1e-5)
    assert least_absolute_error(*PAIR, X) == pytest.approx(0.1587, abs=5e-5)
    assert absolute_error(best, *PAIR, X) == pytest.approx(least_absolute_error(*PAIR, X), abs=1e-12)
    assert absolute_error(optimal_discriminator(*PAIR), *PAIR, X) > least_absolute_error(*PAIR, X) + 0.05


def test_every_step_away_from_the_verdict_costs_absolute_error():
    target, generated = mixture(X, [-2, 3], [0.5, 1]), normal(X, 0, 2)
    best = indicator_discriminator(target, generated)
    errors = [absolute_error(best + share * (0.5 - best), target, generated, X) for share in (0, 0.01, 0.5, 1)]
    assert errors == sorted(errors) and errors[1] > errors[0] + 1e-4
    assert errors[0] == pytest.approx(least_absolute_error(target, generated, X), abs=1e-12)
    assert errors[-1] == pytest.approx(0.5)  # D = ½ everywhere


def test_the_least_absolute_error_goes_from_one_half_to_0():
    assert least_absolute_error(PAIR[0], PAIR[0], X) == pytest.approx(0.5)
    assert least_absolute_error(normal(X, -8, 0.2), normal(X, 8, 0.2), X) == pytest.approx(0, abs=1e-12)


# --------------------------------------------------------------------------------------- discriminators that learn


def absolute(real_logits: torch.Tensor, fake_logits: torch.Tensor) -> torch.Tensor:
    """½ E|1 − D(x)| + ½ E|D(G(z))| from logits."""
    return ((1 - torch.sigmoid(real_logits)).mean() + torch.sigmoid(fake_logits).mean()) / 2


def trained(loss, reals: torch.Tensor, fakes: torch.Tensor) -> tuple[torch.Tensor, float]:
    """D on the grid X, and the last loss, of a small network that was trained on `reals` and `fakes` (n,)."""
    torch.manual_seed(0)
    network = Perceptron([1, 32, 1], nn.Tanh).double()
    optimizer = torch.optim.Adam(network.parameters(), 0.02)
    for _ in range(400):
        optimizer.zero_grad()
        last = loss(network(reals[:, None])[:, 0], network(fakes[:, None])[:, 0])
        last.backward()
        optimizer.step()
    with torch.no_grad():
        return torch.sigmoid(network(X[:, None])[:, 0]), last.item()


def sample(means: list[float], stds: list[float], count: int = 600) -> torch.Tensor:
    """`count` numbers, equally many from each normal: evenly spread quantiles, the least noisy sample there is."""
    share = (torch.arange(count // len(means), dtype=torch.float64) + 0.5) * len(means) / count
    noise = torch.special.ndtri(share)
    return torch.cat([mean + std * noise for mean, std in zip(means, stds)])


GAMES = [(([1.0], [1.0]), ([-1.0], [1.0])), (([-2.0, 2.0], [0.7, 0.7]), ([0.0], [1.0]))]


@pytest.mark.parametrize(("real", "fake"), GAMES, ids=["two normals", "a mixture and a normal"])
def test_a_discriminator_trained_on_the_log_loss_becomes_the_optimal_one(real, fake):
    target, generated = mixture(X, *real), mixture(X, *fake)
    found, loss = trained(non_saturating_discriminator, sample(*real), sample(*fake))
    crowded = target + generated > 0.05  # elsewhere there was too little to learn from
    assert crowded.sum() > 500
    assert (found - optimal_discriminator(target, generated))[crowded].abs().max() < 0.06
    assert loss == pytest.approx(-value_at_optimum(target, generated, X), abs=0.03)
    assert value(found, target, generated, X) < value_at_optimum(target, generated, X)
    assert (found - indicator_discriminator(target, generated))[crowded].abs().max() > 0.3


@pytest.mark.parametrize(("real", "fake"), GAMES, ids=["two normals", "a mixture and a normal"])
def test_a_discriminator_trained_on_the_absolute_error_becomes_the_indicator(real, fake):
    target, generated = mixture(X, *real), mixture(X, *fake)
    found, loss = trained(absolute, sample(*real), sample(*fake))
    clear = ((target - generated).abs() > 0.1) & (target + generated > 0.05)
    assert clear.sum() > 400
    assert (found - indicator_discriminator(target, generated))[clear].abs().max() < 0.1
    assert loss == pytest.approx(least_absolute_error(target, generated, X), abs=0.02)
    assert (found - optimal_discriminator(target, generated))[clear].abs().max() > 0.2
