"""Each loss against numbers worked out by hand and against those of other implementations."""

import math
from pathlib import Path

import pytest
import torch
from safetensors import safe_open
from torch import nn

from gan_hub.losses import ADVERSARIAL, non_saturating_discriminator, non_saturating_generator, r1_penalty


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


def test_the_non_saturating_loss_is_what_others_compute(golden):
    real, fake = golden["inputs/logits_real"].requires_grad_(), golden["inputs/logits_fake"].requires_grad_()
    d_loss, g_loss = non_saturating_discriminator(real, fake), non_saturating_generator(fake)
    assert_equal(d_loss, golden["outputs/non_saturating/d"])
    assert_equal(d_loss, golden["outputs/minimax/d"], 1e-6)  # computed in float32 there
    assert_equal(g_loss, golden["outputs/non_saturating/g"])
    d_real, d_fake = torch.autograd.grad(d_loss, (real, fake))
    assert_equal(d_real, golden["outputs/gradients/minimax/d/real"])
    assert_equal(d_fake, golden["outputs/gradients/minimax/d/fake"])
    (g_fake,) = torch.autograd.grad(g_loss, fake)
    assert_equal(g_fake, golden["outputs/gradients/non_saturating/g/fake"])


def test_the_generator_keeps_its_gradient_while_the_discriminator_wins():
    logit = torch.tensor([math.log(1e-4 / (1 - 1e-4))], requires_grad=True)  # D(G(z)) = 1e-4
    (gradient,) = torch.autograd.grad(non_saturating_generator(logit), logit)
    assert gradient.item() == pytest.approx(-(1 - 1e-4), abs=1e-6)  # the saturating loss would have -1e-4


@pytest.mark.parametrize("logit", [-1e4, -88.0, 88.0, 1e4])
def test_extreme_logits_have_finite_losses_and_gradients(logit):
    for d_loss, g_loss in ADVERSARIAL.values():
        real, fake = torch.tensor([logit], requires_grad=True), torch.tensor([-logit], requires_grad=True)
        loss = d_loss(real, fake) + g_loss(fake)
        loss.backward()
        assert torch.isfinite(loss) and torch.isfinite(real.grad) and torch.isfinite(fake.grad)


def test_each_player_pushes_the_logits_its_own_way():
    for d_loss, g_loss in ADVERSARIAL.values():
        real, fake = torch.zeros(3, requires_grad=True), torch.zeros(3, requires_grad=True)
        d_real, d_fake = torch.autograd.grad(d_loss(real, fake), (real, fake))
        (g_fake,) = torch.autograd.grad(g_loss(fake), fake)
        assert (d_real < 0).all() and (d_fake > 0).all() and (g_fake < 0).all()


# ------------------------------------------------------------------------------------------------- R1


def test_r1_of_a_linear_discriminator_is_half_its_squared_weights_whatever_the_image():
    weight = torch.randn(3, 4, 4, dtype=torch.float64, requires_grad=True)
    reals = torch.randn(7, 3, 4, 4, dtype=torch.float64, requires_grad=True)
    penalty = r1_penalty((reals * weight).sum(dim=(1, 2, 3)) + 5, reals)
    torch.testing.assert_close(penalty, 0.5 * weight.square().sum())
    (gradient,) = torch.autograd.grad(penalty, weight)
    torch.testing.assert_close(gradient, weight)


def test_r1_is_the_mean_over_images_of_a_quadratic_discriminator():
    reals = torch.randn(5, 1, 2, 2, dtype=torch.float64, requires_grad=True)
    penalty = r1_penalty(reals.square().sum(dim=(1, 2, 3)), reals)  # the gradient is 2x
    torch.testing.assert_close(penalty, 0.5 * (4 * reals.square().sum(dim=(1, 2, 3))).mean())


def test_r1_and_its_gradient_are_what_others_compute(golden):
    model = nn.Sequential(
        nn.Flatten(), nn.Linear(48, 16), nn.Tanh(), nn.Linear(16, 8), nn.LeakyReLU(0.2), nn.Linear(8, 1)
    ).double()
    model.load_state_dict({k.removeprefix("weights/mlp/"): v for k, v in golden.items() if k.startswith("weights/mlp")})
    reals = golden["inputs/gp/real"].requires_grad_()
    logits = model(reals).squeeze(1)
    assert_equal(logits, golden["outputs/mlp/real"])
    penalty = r1_penalty(logits, reals)
    assert_equal(penalty, golden["outputs/gp/r1_half_mean"])
    assert_equal(2 * penalty, golden["outputs/gp/zero_centered_real"].mean())
    (gradient,) = torch.autograd.grad(2 * penalty, model[1].weight)
    assert_equal(gradient, golden["outputs/gp/r1_mean_gradient/1.weight"])


def test_r1_needs_reals_that_ask_for_a_gradient():
    with pytest.raises(RuntimeError):
        r1_penalty(torch.zeros(2), torch.zeros(2, 1, 2, 2))
