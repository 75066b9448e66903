"""Each loss against numbers worked out by hand and against those of other implementations."""

import math
from pathlib import Path

import pytest
import torch
from safetensors import safe_open
from torch import nn

from gan_hub.losses import (
    ADVERSARIAL,
    PENALTIES,
    Adversarial,
    began_balance,
    began_convergence,
    clip_weights,
    dragan_points,
    input_gradients,
    interpolate_real_fake,
    least_squares_discriminator,
    mmd2,
    moment_matching_generator,
    non_saturating_discriminator,
    non_saturating_generator,
    path_length_penalty,
    r1_penalty,
    r2_penalty,
    relativistic_discriminator,
    wgan_gp_penalty,
)

# What a game's discriminator is given besides the logits, where it asks for something.
OPTIONS = {"balance": 0.5, "real_target": 0.9}
every_game = pytest.mark.parametrize("game", ADVERSARIAL.values(), ids=ADVERSARIAL)


def losses_of(game: Adversarial, real: torch.Tensor, fake: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Both players' losses, as the trainer computes them."""
    options = {name: OPTIONS[name] for name in game.options}
    return game.discriminator(real, fake, **options), game.generator(fake, real) if game.paired else game.generator(
        fake
    )


@pytest.fixture(scope="module")
def golden() -> dict[str, torch.Tensor]:
    """float64 throughout: the reference values were computed in it from float32 inputs."""
    with safe_open(Path(__file__).parent / "golden" / "losses.safetensors", "pt") as file:
        return {key: file.get_tensor(key).double() for key in file.keys()}


def assert_equal(ours: torch.Tensor, golden: torch.Tensor, tolerance: float = 1e-9) -> None:
    assert ours.shape == golden.shape
    assert (ours - golden).abs().max() <= tolerance * golden.abs().max()


def test_a_discriminator_that_knows_nothing_costs_two_log_two():
    zero = torch.zeros(4)
    torch.testing.assert_close(non_saturating_discriminator(zero, zero), torch.tensor(2 * math.log(2)))
    torch.testing.assert_close(non_saturating_generator(zero), torch.tensor(math.log(2)))


def test_the_values_are_the_formulas_of_the_paper():
    real, fake = torch.tensor([0.3, -1.2, 4.0]), torch.tensor([-0.7, 0.1, 2.5])

    def d(logit):
        return 1 / (1 + math.exp(-logit))

    discriminator = -sum(math.log(d(x)) for x in real) / 3 - sum(math.log(1 - d(x)) for x in fake) / 3
    generator = -sum(math.log(d(x)) for x in fake) / 3
    torch.testing.assert_close(non_saturating_discriminator(real, fake), torch.tensor(discriminator))
    torch.testing.assert_close(non_saturating_generator(fake), torch.tensor(generator))


def d(logit: float) -> float:
    return 1 / (1 + math.exp(-logit))


@pytest.mark.parametrize(
    ("name", "options", "discriminator", "generator"),
    [
        ("minimax", {}, -math.log(d(2)) - math.log(1 - d(-0.5)), math.log(1 - d(-0.5))),
        ("non_saturating", {}, -math.log(d(2)) - math.log(1 - d(-0.5)), -math.log(d(-0.5))),
        ("least_squares", {}, 0.5 * 1 + 0.5 * 0.25, 0.5 * 2.25),
        ("hinge", {}, 0 + 0.5, 0.5),
        ("wasserstein", {}, -0.5 - 2, 0.5),
        ("relativistic", {}, -math.log(d(2.5)), -math.log(d(-2.5))),
        ("began", {"balance": 0.5}, -2 + 0.5 * -0.5, 0.5),
    ],
)
def test_each_game_by_hand_for_a_real_of_2_and_a_fake_of_minus_a_half(name, options, discriminator, generator):
    game, real, fake = ADVERSARIAL[name], torch.tensor([2.0]), torch.tensor([-0.5])
    assert game.discriminator(real, fake, **options).item() == pytest.approx(discriminator, abs=1e-6)
    assert (game.generator(fake, real) if game.paired else game.generator(fake)).item() == pytest.approx(
        generator, 1e-5
    )


def test_each_hand_case_above_is_a_game_and_each_game_a_hand_case():
    marks = test_each_game_by_hand_for_a_real_of_2_and_a_fake_of_minus_a_half.pytestmark
    assert {case[0] for case in marks[0].args[1]} == set(ADVERSARIAL)


@every_game
def test_each_loss_is_the_mean_over_the_batch(game):
    torch.manual_seed(0)
    real, fake = torch.randn(5, dtype=torch.float64), torch.randn(5, dtype=torch.float64)
    whole = torch.stack(losses_of(game, real, fake))
    single = [torch.stack(losses_of(game, real[i : i + 1], fake[i : i + 1])) for i in range(5)]
    assert whole.shape == (2,)
    torch.testing.assert_close(whole, torch.stack(single).mean(0))


@pytest.mark.parametrize(
    ("name", "discriminator", "generator"),
    [
        ("minimax", "non_saturating/d", "minimax/g_saturating"),
        ("non_saturating", "non_saturating/d", "non_saturating/g"),
        ("least_squares", "least_squares/d_half", "least_squares/g_half"),
        ("hinge", "hinge/d", "hinge/g"),
        ("wasserstein", "wasserstein/d", "wasserstein/g"),
        ("relativistic", "relativistic_pair/d", "relativistic_pair/g"),
    ],
)
def test_the_losses_are_what_others_compute(golden, name, discriminator, generator):
    game, real, fake = ADVERSARIAL[name], golden["inputs/logits_real"], golden["inputs/logits_fake"]
    assert_equal(game.discriminator(real, fake), golden[f"outputs/{discriminator}"])
    assert_equal(game.generator(fake, real) if game.paired else game.generator(fake), golden[f"outputs/{generator}"])


def test_a_second_program_computes_the_minimax_discriminator_in_float32(golden):
    loss = non_saturating_discriminator(golden["inputs/logits_real"], golden["inputs/logits_fake"])
    assert_equal(loss, golden["outputs/minimax/d"], 1e-6)


@pytest.mark.parametrize(
    ("name", "key"),
    [
        ("non_saturating", "minimax/d"),
        ("hinge", "hinge/d"),
        ("least_squares", "least_squares/d_half"),
        ("relativistic", "relativistic_pair/d"),
    ],
)
def test_the_gradients_on_the_logits_are_what_others_compute(golden, name, key):
    real, fake = golden["inputs/logits_real"].clone(), golden["inputs/logits_fake"].clone()
    loss = ADVERSARIAL[name].discriminator(real.requires_grad_(), fake.requires_grad_())
    d_real, d_fake = torch.autograd.grad(loss, (real, fake))
    assert_equal(d_real, golden[f"outputs/gradients/{key}/real"])
    assert_equal(d_fake, golden[f"outputs/gradients/{key}/fake"])


def test_the_non_saturating_generators_gradient_is_what_others_compute(golden):
    fake = golden["inputs/logits_fake"].clone().requires_grad_()
    (gradient,) = torch.autograd.grad(non_saturating_generator(fake), fake)
    assert_equal(gradient, golden["outputs/gradients/non_saturating/g/fake"])


@pytest.mark.parametrize(("name", "expected"), [("minimax", 1e-4), ("non_saturating", 1 - 1e-4)])
def test_while_the_discriminator_wins_the_minimax_generator_has_no_gradient_and_the_non_saturating_one_does(
    name, expected
):
    logit = torch.tensor([math.log(1e-4 / (1 - 1e-4))], dtype=torch.float64, requires_grad=True)  # D(G(z)) = 1e-4
    (gradient,) = torch.autograd.grad(ADVERSARIAL[name].generator(logit), logit)
    assert gradient.item() == pytest.approx(-expected, rel=1e-6)


@pytest.mark.parametrize("name", ["minimax", "non_saturating"])
def test_against_the_best_discriminator_both_generators_stop_at_the_distribution_of_the_data(name):
    """Three possible images: D's best logit for each is log p / q (Goodfellow et al. 2014, proposition 1)."""
    p = torch.tensor([0.2, 0.3, 0.5], dtype=torch.float64)
    free = torch.tensor([1.0, 0.0, -1.0], dtype=torch.float64, requires_grad=True)  # q = softmax(free)
    assert (free.softmax(0) - p).abs().max() > 0.3
    for _ in range(2000):
        q = free.softmax(0)
        logits = (p / q).log().detach()
        loss = (q * torch.stack([ADVERSARIAL[name].generator(logit[None]) for logit in logits])).sum()
        (gradient,) = torch.autograd.grad(loss, free)
        free.data -= 0.5 * gradient
    torch.testing.assert_close(free.softmax(0), p, atol=1e-6, rtol=0)
    # there D knows nothing, and has no reason to change
    logits = torch.zeros(3, dtype=torch.float64, requires_grad=True)
    d_loss = sum(p[i] * ADVERSARIAL[name].discriminator(logits[i : i + 1], logits[i : i + 1]) for i in range(3))
    assert torch.autograd.grad(d_loss, logits)[0].abs().max() < 1e-12


@every_game
@pytest.mark.parametrize("logit", [-1e4, -88.0, 88.0, 1e4])
def test_extreme_logits_have_finite_losses_and_gradients(game, logit):
    real, fake = torch.tensor([logit], requires_grad=True), torch.tensor([-logit], requires_grad=True)
    loss = sum(losses_of(game, real, fake))
    loss.backward()
    assert torch.isfinite(loss) and torch.isfinite(real.grad) and torch.isfinite(fake.grad)


@every_game
def test_each_player_pushes_the_logits_its_own_way(game):
    real, fake = (torch.full((3,), 0.25, requires_grad=True) for _ in range(2))  # between every loss's targets
    d_loss, g_loss = losses_of(game, real, fake)
    d_real, d_fake = torch.autograd.grad(d_loss, (real, fake))
    (g_fake,) = torch.autograd.grad(g_loss, fake)
    assert (d_real < 0).all() and (d_fake > 0).all() and (g_fake < 0).all()


def test_the_relativistic_game_sees_differences_only_and_others_do_not():
    torch.manual_seed(0)
    real, fake, shift = torch.randn(8), torch.randn(8), torch.randn(8)
    for name, game in ADVERSARIAL.items():
        before, after = losses_of(game, real, fake), losses_of(game, real + shift, fake + shift)
        assert game.paired == (name == "relativistic")
        assert torch.allclose(torch.stack(before), torch.stack(after), atol=1e-6) == game.paired, name


def test_reals_and_fakes_of_different_number_cannot_be_paired():
    with pytest.raises(ValueError, match="1 reals cannot be paired with 4 fakes"):
        relativistic_discriminator(torch.zeros(1), torch.zeros(4))


# --------------------------------------------------------------------------------------- label smoothing


def test_smoothed_labels_by_hand():
    real, fake = torch.tensor([2.0]), torch.tensor([-0.5])
    expected = -0.9 * math.log(d(2)) - 0.1 * math.log(1 - d(2)) - math.log(1 - d(-0.5))
    assert non_saturating_discriminator(real, fake, real_target=0.9).item() == pytest.approx(expected, abs=1e-6)
    expected = 0.5 * 1.1**2 + 0.5 * 0.5**2
    assert least_squares_discriminator(real, fake, real_target=0.9).item() == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize("name", [name for name, game in ADVERSARIAL.items() if "real_target" in game.options])
@pytest.mark.parametrize("target", [0.7, 0.9])
def test_with_smoothed_labels_the_best_verdict_on_reals_is_the_target_and_on_fakes_still_nothing(name, target):
    best = math.log(target / (1 - target)) if name != "least_squares" else target
    real = torch.tensor([best - 0.01, best, best + 0.01], dtype=torch.float64, requires_grad=True)
    fake = torch.tensor([-3.0, 0.5, 3.0], dtype=torch.float64, requires_grad=True)
    loss = ADVERSARIAL[name].discriminator(real, fake, real_target=target)
    d_real, d_fake = torch.autograd.grad(loss, (real, fake))
    assert d_real[0] < -1e-5 and abs(d_real[1]) < 1e-12 and d_real[2] > 1e-5
    plain = torch.autograd.grad(ADVERSARIAL[name].discriminator(real, fake), fake)[0]
    assert torch.equal(d_fake, plain)


# ------------------------------------------------------------------------------------------------- BEGAN


def test_the_balance_moves_by_hand_and_stays_between_0_and_1():
    # L(x) = 0.4, L(G(z)) = 0.1: with gamma 0.5 the fakes are too good, so D shall fight them more
    assert began_balance(0.2, -0.4, -0.1, gamma=0.5, rate=0.1) == pytest.approx(0.2 + 0.1 * (0.2 - 0.1))
    assert began_balance(0.2, -0.4, -0.3, gamma=0.5, rate=0.1) == pytest.approx(0.2 + 0.1 * (0.2 - 0.3))
    assert began_balance(0.2, -0.4, -0.2, gamma=0.5, rate=0.1) == pytest.approx(0.2)  # L(G) / L(x) = gamma
    assert began_balance(0.999, -9.0, -0.1, gamma=0.5, rate=1.0) == 1.0
    assert began_balance(0.001, -0.1, -9.0, gamma=0.5, rate=1.0) == 0.0
    moved = began_balance(torch.tensor(0.5), torch.tensor(-0.4), torch.tensor(-0.1), gamma=0.5, rate=0.1)
    assert isinstance(moved, float) and moved == pytest.approx(0.51)


def test_the_convergence_measure_by_hand():
    assert began_convergence(-0.4, -0.1, gamma=0.5) == pytest.approx(0.4 + 0.1)
    assert began_convergence(-0.4, -0.3, gamma=0.5) == pytest.approx(0.4 + 0.1)
    assert began_convergence(-0.4, -0.2, gamma=0.5) == pytest.approx(0.4)


def test_began_needs_its_balance():
    with pytest.raises(TypeError, match="balance"):
        ADVERSARIAL["began"].discriminator(torch.zeros(1), torch.zeros(1))


# --------------------------------------------------------------------------------- penalties: the points


def test_points_between_are_what_others_compute_and_ask_for_a_gradient(golden):
    reals, fakes, u = golden["inputs/gp/real"], golden["inputs/gp/fake"], golden["inputs/gp/alpha"][:, None]
    points = interpolate_real_fake(reals.clone().requires_grad_() * 1, fakes, u)
    assert points.requires_grad and points.is_leaf and points.shape == reals.shape
    ends = torch.stack(
        [
            interpolate_real_fake(reals, fakes, torch.ones_like(u)),
            interpolate_real_fake(reals, fakes, torch.zeros_like(u)),
        ]
    )
    assert torch.equal(ends, torch.stack([reals, fakes]))
    torch.testing.assert_close(points[3], u[3] * reals[3] + (1 - u[3]) * fakes[3])


def test_points_around_by_hand_each_with_a_share_of_its_own():
    reals = torch.tensor([[1.0, 2.0], [4.0, 5.0]])  # standard deviation of the four: √(10 / 3)
    points = dragan_points(reals, torch.tensor([[0.5, 1.0, 0.2], [0.0, 1.0, 1.0]]))
    half = 0.5 * math.sqrt(10 / 3)
    assert points.requires_grad and points.is_leaf
    torch.testing.assert_close(points, torch.tensor([[1 + 0.5 * half, 2 + 0.1 * half], [4.0, 5.0]]))


# ------------------------------------------------------------------------------------ penalties: the norms


def mlp(golden: dict[str, torch.Tensor]) -> nn.Sequential:
    model = nn.Sequential(
        nn.Flatten(), nn.Linear(48, 16), nn.Tanh(), nn.Linear(16, 8), nn.LeakyReLU(0.2), nn.Linear(8, 1)
    ).double()
    model.load_state_dict({k.removeprefix("weights/mlp/"): v for k, v in golden.items() if k.startswith("weights/mlp")})
    return model


@pytest.mark.parametrize("shape", [(3, 4, 4), (1, 2, 6), (2,)])
@pytest.mark.parametrize("name", PENALTIES)
def test_the_penalty_of_a_linear_discriminator_depends_on_its_weights_only(name, shape):
    torch.manual_seed(0)
    weight = torch.randn(shape, dtype=torch.float64, requires_grad=True)
    points = torch.randn(7, *shape, dtype=torch.float64, requires_grad=True)
    penalty = PENALTIES[name]((points * weight).flatten(1).sum(1) + 5, points)
    norm = weight.detach().norm()
    value, slope = (0.5 * norm**2, 1) if name in ("r1", "r2") else ((norm - 1) ** 2, 2 * (norm - 1) / norm)
    torch.testing.assert_close(penalty, value)
    (gradient,) = torch.autograd.grad(penalty, weight)
    torch.testing.assert_close(gradient, slope * weight.detach())


def test_a_penalty_is_the_mean_over_images_of_a_quadratic_discriminator():
    points = torch.randn(5, 1, 2, 2, dtype=torch.float64, requires_grad=True)
    squares = points.detach().square().flatten(1).sum(1)  # D(x) = ‖x‖², whose gradient is 2x
    for name, penalty in PENALTIES.items():
        expected = 0.5 * 4 * squares if name in ("r1", "r2") else (2 * squares.sqrt() - 1) ** 2
        torch.testing.assert_close(penalty(points.square().flatten(1).sum(1), points), expected.mean())


def test_r1_and_r2_and_their_gradients_are_what_others_compute(golden):
    model = mlp(golden)
    reals, fakes = golden["inputs/gp/real"].clone().requires_grad_(), golden["inputs/gp/fake"].clone().requires_grad_()
    logits = model(reals).squeeze(1)
    assert_equal(logits, golden["outputs/mlp/real"])
    penalty = r1_penalty(logits, reals)
    assert_equal(penalty, golden["outputs/gp/r1_half_mean"])
    assert_equal(2 * penalty, golden["outputs/gp/zero_centered_real"].mean())
    (gradient,) = torch.autograd.grad(2 * penalty, model[1].weight)
    assert_equal(gradient, golden["outputs/gp/r1_mean_gradient/1.weight"])
    assert_equal(2 * r2_penalty(model(fakes).squeeze(1), fakes), golden["outputs/gp/zero_centered_fake"].mean())


def test_of_logits_of_patches_the_mean_is_penalised_however_many_there_are():
    points = torch.randn(3, 5, dtype=torch.float64, requires_grad=True)
    weights = torch.randn(5, 4, dtype=torch.float64)
    patches = (points @ weights).tanh()  # (N, P)
    expected = r1_penalty(patches.mean(1), points)
    torch.testing.assert_close(r1_penalty(patches, points), expected)
    torch.testing.assert_close(r1_penalty(patches.repeat(1, 7), points), expected)


def test_of_a_list_of_scales_the_squared_norms_add_up_and_each_scale_s_weights_are_reached():
    torch.manual_seed(0)
    weights = [torch.randn(3, side, side, dtype=torch.float64, requires_grad=True) for side in (2, 4)]
    points = [torch.randn(5, 3, side, side, dtype=torch.float64, requires_grad=True) for side in (2, 4)]
    logits = sum((image * weight).flatten(1).sum(1) for image, weight in zip(points, weights))
    rows = input_gradients(logits, points)
    assert rows.shape == (5, 12 + 48)
    torch.testing.assert_close(rows.detach(), torch.cat([w.detach().flatten() for w in weights]).expand(5, -1))
    for penalty in (r1_penalty(logits, points), r2_penalty(logits, points)):
        torch.testing.assert_close(penalty, 0.5 * sum(weight.square().sum() for weight in weights))
        for found, weight in zip(torch.autograd.grad(penalty, weights, retain_graph=True), weights):
            torch.testing.assert_close(found, weight.detach())
    assert torch.equal(input_gradients(logits, points[1]), rows[:, 12:])  # one scale alone, as a tensor


def test_a_scale_that_the_logit_does_not_depend_on_is_an_error_and_no_zero():
    points = [torch.randn(2, 1, side, side, requires_grad=True) for side in (2, 4)]
    with pytest.raises(RuntimeError, match="not have been used"):
        r1_penalty(points[0].flatten(1).sum(1), points)


def test_wgan_gp_and_its_gradient_are_what_others_compute(golden):
    model = mlp(golden)
    points = interpolate_real_fake(
        golden["inputs/gp/real"], golden["inputs/gp/fake"], golden["inputs/gp/alpha"][:, None]
    )
    penalty = wgan_gp_penalty(model(points).squeeze(1), points)
    assert_equal(penalty, golden["outputs/gp/wgan_gp"])
    assert_equal(10 * penalty, golden["outputs/gp/wgan_gp_times_10"])
    (gradient,) = torch.autograd.grad(penalty, model[1].weight)
    assert_equal(gradient, golden["outputs/gp/wgan_gp_gradient/1.weight"])


def test_dragan_is_what_others_compute(golden):
    u = torch.cat([golden["inputs/dragan/alpha"][:, None], golden["inputs/dragan/uniform"].flatten(1)], 1)
    points = dragan_points(golden["inputs/gp/real"], u)
    assert_equal(PENALTIES["dragan"](mlp(golden)(points).squeeze(1), points), golden["outputs/gp/dragan"])


@pytest.mark.parametrize("name", PENALTIES)
def test_the_second_order_gradients_are_those_of_finite_differences(name):
    torch.manual_seed(0)
    points = torch.randn(4, 1, 2, 3, dtype=torch.float64, requires_grad=True)
    first, second = torch.randn(5, 6, dtype=torch.float64), torch.randn(5, dtype=torch.float64)

    def penalty(first, second):
        return PENALTIES[name](torch.tanh(points.flatten(1) @ first.T) @ second, points)

    assert torch.autograd.gradcheck(penalty, (first.requires_grad_(), second.requires_grad_()))


@pytest.mark.parametrize("name", PENALTIES)
def test_a_flat_discriminator_gives_no_nan(name):
    weight = torch.zeros(12, requires_grad=True)
    points = torch.randn(3, 3, 2, 2, requires_grad=True)
    penalty = PENALTIES[name](points.flatten(1) @ weight, points)
    assert penalty.item() == (0.0 if name in ("r1", "r2") else 1.0)
    (gradient,) = torch.autograd.grad(penalty, weight)
    assert torch.equal(gradient, torch.zeros(12))


@pytest.mark.parametrize("name", PENALTIES)
def test_a_penalty_needs_points_that_ask_for_a_gradient(name):
    with pytest.raises(RuntimeError):
        PENALTIES[name](torch.zeros(2), torch.zeros(2, 1, 2, 2))


# -------------------------------------------------------------------------------------------- path length


@pytest.mark.parametrize("rows", [None, 1, 5])
def test_the_path_length_of_a_linear_generator_by_hand(rows):
    """images = Σ over the rows of J w: each row's gradient is Jᵀy, so the length does not depend on their number."""
    torch.manual_seed(0)
    jacobian = torch.randn(3 * 2 * 4, 6, dtype=torch.float64, requires_grad=True)
    latents = torch.randn(4, *([] if rows is None else [rows]), 6, dtype=torch.float64, requires_grad=True)
    noise = torch.randn(4, 3, 2, 4, dtype=torch.float64)
    summed = latents if rows is None else latents.sum(1)
    penalty, mean = path_length_penalty((summed @ jacobian.T).view_as(noise), latents, noise, torch.tensor(0.5))
    lengths = (noise.flatten(1) / math.sqrt(8) @ jacobian.detach()).norm(dim=1)
    expected = 0.99 * 0.5 + 0.01 * lengths.mean()
    torch.testing.assert_close(mean, expected)
    assert not mean.requires_grad
    torch.testing.assert_close(penalty, (lengths - expected).square().mean())
    assert torch.autograd.grad(penalty, jacobian)[0].abs().max() > 0


def test_rows_of_different_influence_count_by_their_mean_square():
    latents = torch.zeros(1, 2, 1, requires_grad=True)
    images = (3 * latents[:, 0] + 4 * latents[:, 1]).view(1, 1, 1, 1)
    penalty, _ = path_length_penalty(images, latents, torch.ones(1, 1, 1, 1), 0.0, decay=0.0)
    assert penalty.item() == pytest.approx((9 + 16) / 2)


def test_the_penalty_and_the_new_mean_are_what_others_compute_of_three_lengths():
    """From stylegan2-ada-pytorch's own networks, in float32: lengths, mean before and after, twice the penalty."""
    lengths = torch.tensor([1.3843878507614136, 1.3459974527359009, 1.4011389017105103])
    latents = torch.zeros(3, 1, requires_grad=True)
    images = (lengths[:, None] * latents).view(3, 1, 1, 1)
    penalty, mean = path_length_penalty(images, latents, torch.ones(3, 1, 1, 1), 0.699999988079071)
    assert mean.item() == pytest.approx(0.706771731376648, rel=1e-6)
    assert 2 * penalty.item() == pytest.approx(0.8999459147453308, rel=1e-6)


def test_the_path_lengths_gradient_is_that_of_finite_differences_through_the_new_mean_as_well():
    torch.manual_seed(0)
    latents = torch.randn(3, 2, 4, dtype=torch.float64, requires_grad=True)
    noise, first = torch.randn(3, 1, 2, 3, dtype=torch.float64), torch.randn(5, 8, dtype=torch.float64)
    second = torch.randn(6, 5, dtype=torch.float64)

    def penalty(first, second):
        images = (torch.tanh(latents.flatten(1) @ first.T) @ second.T).view(3, 1, 2, 3)
        return path_length_penalty(images, latents, noise, torch.tensor(0.3), decay=0.5)[0]

    assert torch.autograd.gradcheck(penalty, (first.requires_grad_(), second.requires_grad_()))


def test_a_generator_that_ignores_its_latents_gives_no_nan():
    weight, latents = torch.zeros(4, requires_grad=True), torch.randn(2, 4, requires_grad=True)
    images = (latents @ weight).view(2, 1, 1, 1)
    penalty, mean = path_length_penalty(images, latents, torch.ones(2, 1, 1, 1), torch.tensor(1.0))
    assert penalty.item() == pytest.approx(0.99**2) and mean.item() == pytest.approx(0.99)
    assert torch.isfinite(torch.autograd.grad(penalty, weight)[0]).all()


# --------------------------------------------------------------------------------------------- clipping


def test_clipping_puts_every_parameter_within_the_bound_in_place_and_leaves_buffers():
    network = nn.Sequential(nn.Linear(2, 2), nn.BatchNorm1d(2))
    weight = network[0].weight
    with torch.no_grad():
        weight.copy_(torch.tensor([[0.5, -0.5], [0.005, -0.01]]))
    network[1].running_var.fill_(3.0)
    clip_weights(network, 0.01)
    assert network[0].weight is weight and weight.requires_grad
    torch.testing.assert_close(weight.detach(), torch.tensor([[0.01, -0.01], [0.005, -0.01]]))
    assert network[1].weight.abs().max() <= 0.01 and (network[1].running_var == 3.0).all()


# ---------------------------------------------------------------------------------------------------- moments


def kernel(a: torch.Tensor, b: torch.Tensor, bandwidths: list[float]) -> float:
    return sum(math.exp(-(a - b).square().sum().item() / (2 * sigma**2)) for sigma in bandwidths)


def draw(count: int, seed: int, shift: float = 0.0) -> torch.Tensor:
    return torch.randn(count, 2, generator=torch.Generator().manual_seed(seed), dtype=torch.float64) + shift


def test_the_discrepancy_by_hand_with_and_without_the_pairs_of_an_image_and_itself():
    x, y = torch.tensor([[0.0], [1.0]]), torch.tensor([[1.0], [3.0]])
    near, far, further = (math.exp(-d / 2) for d in (1, 4, 9))  # σ = 1: distances 1, 2 and 3
    across = (near + further + 1 + far) / 4
    assert mmd2(x, y, [1.0]).item() == pytest.approx(near + far - 2 * across, abs=1e-6)
    biased = (2 + 2 * near) / 4 + (2 + 2 * far) / 4 - 2 * across
    assert mmd2(x, y, [1.0], unbiased=False).item() == pytest.approx(biased, abs=1e-6)


@pytest.mark.parametrize("labelled", [False, True])
@pytest.mark.parametrize("unbiased", [False, True])
def test_the_discrepancy_is_the_sum_over_all_pairs(unbiased, labelled):
    x, y, bandwidths = draw(5, 0), draw(4, 1), [0.5, 2.0]
    ours, theirs = torch.tensor([0, 1, 1, 0, 2]), torch.tensor([1, 0, 2, 1])

    def mean(a, b, of_a, of_b, same: bool) -> float:
        pairs = [(i, j) for i in range(len(a)) for j in range(len(b)) if not (same and unbiased and i == j)]
        counted = [pair for pair in pairs if not labelled or of_a[pair[0]] == of_b[pair[1]]]
        return sum(kernel(a[i], b[j], bandwidths) for i, j in counted) / len(pairs)

    expected = mean(x, x, ours, ours, True) + mean(y, y, theirs, theirs, True) - 2 * mean(x, y, ours, theirs, False)
    found = mmd2(x, y, bandwidths, unbiased, (ours, theirs) if labelled else None)
    assert found.item() == pytest.approx(expected, abs=1e-12) and found.dtype == torch.float64


def test_equal_distributions_have_0_on_the_average_and_others_more():
    def standing(shift: float, **options) -> float:
        """How many standard errors the mean over 200 pairs of small samples lies above 0."""
        found = torch.stack(
            [mmd2(draw(20, 2 * i), draw(20, 2 * i + 1, shift), [0.5, 1, 2], **options) for i in range(200)]
        )
        return (found.mean() / (found.std() / 200**0.5)).item()

    assert abs(standing(0.0)) < 3
    assert standing(0.5) > 10
    assert standing(0.0, unbiased=False) > 10  # which is what the pairs of a point and itself add


def test_images_alike_in_the_wrong_classes_are_told_apart_by_their_labels_only():
    x, y = draw(40, 0), draw(40, 1)
    x[20:] += 5
    y[20:] += 5
    right, wrong = torch.arange(40) // 20, 1 - torch.arange(40) // 20
    assert mmd2(x, y, [1.0]) < 0.05 and mmd2(x, y, [1.0], labels=(right, right)) < 0.05
    assert mmd2(x, y, [1.0], labels=(right, wrong)) > 0.2


@pytest.mark.parametrize("unbiased", [False, True])
def test_the_gradient_of_the_discrepancy_is_that_of_its_values(unbiased):
    x, y = draw(4, 0).requires_grad_(), draw(3, 1).requires_grad_()
    assert torch.autograd.gradcheck(lambda a, b: mmd2(a, b, [0.5, 2.0], unbiased), (x, y))
    labels = torch.tensor([0, 1, 0, 1]), torch.tensor([1, 0, 0])
    assert torch.autograd.gradcheck(lambda a, b: mmd2(a, b, [1.0], unbiased, labels), (x, y))


def test_far_from_the_origin_and_under_autocast_no_digits_are_lost():
    x, y = draw(50, 0), draw(50, 1, 0.3)
    exact = mmd2(x, y, [1.0, 2.0]).item()
    assert mmd2(x.float(), y.float(), [1.0, 2.0]).item() == pytest.approx(exact, abs=1e-6)
    far = mmd2(x.float() + 1000, y.float() + 1000, [1.0, 2.0]).item()  # float32 has 1e-4 there
    assert far == pytest.approx(exact, abs=1e-3)
    with torch.autocast("cpu", torch.bfloat16):
        assert mmd2(x.float(), y.float(), [1.0, 2.0]).item() == pytest.approx(exact, abs=1e-6)
    assert mmd2(x.bfloat16(), y.bfloat16(), [1.0]).dtype == torch.float32
    assert mmd2(x.float(), x.float(), [1.0], unbiased=False).abs() <= 1e-6


def test_images_are_matched_at_the_papers_bandwidths_and_those_mean_the_same_at_any_size():
    torch.manual_seed(0)
    reals, fakes = torch.rand(2, 6, 1, 28, 28, dtype=torch.float64)  # in [0, 1], as in the paper
    squared = [2, 5, 10, 20, 40, 80]
    expected = mmd2(fakes, reals, [variance**0.5 for variance in squared], unbiased=False)
    found = moment_matching_generator(2 * fakes - 1, 2 * reals - 1)
    torch.testing.assert_close(found, expected.sqrt())
    tiles = (fakes * 2 - 1).tile(1, 3, 2, 2), (reals * 2 - 1).tile(1, 3, 2, 2)
    torch.testing.assert_close(moment_matching_generator(*tiles), found)
    labels = torch.tensor([0, 0, 1, 1, 2, 2])
    assert moment_matching_generator(2 * fakes - 1, 2 * reals - 1, (labels, labels)) > 0


def test_images_that_are_matched_exactly_have_a_finite_gradient():
    images = torch.rand(4, 1, 8, 8) * 2 - 1
    fakes = images.clone().requires_grad_()
    moment_matching_generator(fakes, images).backward()
    assert torch.isfinite(fakes.grad).all()
