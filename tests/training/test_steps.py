"""The two steps: each moves its own network only, leaves nothing behind in the other, and uses the configured loss."""

import contextlib
import copy
import math
from dataclasses import replace
from types import SimpleNamespace

import pytest
import torch

from gan_hub.augment import AugmentPipe
from gan_hub.losses import ADVERSARIAL, r1_penalty, r2_penalty
from gan_hub.models import ARCHITECTURES
from gan_hub.training.config import TrainConfig
from gan_hub.training.steps import discriminator_step, generator_step
from gan_hub.training.train_state import AdaptiveState, ScaledOptimizer

CONFIG = TrainConfig(r1_gamma=1.0, penalty_interval=4)
SHAPE = {"resolution": 28, "channels": 1, "num_classes": 3, "base_channels": 4}


def toy_players(generator, discriminator, optimizer=lambda network: torch.optim.Adam(network.parameters(), 1e-3)):
    """What the steps need of a `TrainState`, on one process."""
    adaptive = AdaptiveState()
    return SimpleNamespace(
        generator=generator,
        discriminator=discriminator,
        unwrapped_discriminator=discriminator,
        generator_optimizer=ScaledOptimizer(optimizer(generator)),
        discriminator_optimizer=ScaledOptimizer(optimizer(discriminator)),
        adaptive=adaptive,
        keep_path_length=lambda mean: setattr(adaptive, "path_length_mean", mean.item()),
        eager_for_double_backward=lambda needed: contextlib.nullcontext(),
        mean=lambda value: value.item(),
    )


@pytest.fixture
def state():
    torch.manual_seed(0)
    pair = ARCHITECTURES["dcgan"]
    generator, discriminator = pair.generator(latent_size=8, **SHAPE), pair.discriminator(norm="none", **SHAPE)
    with torch.no_grad():  # large enough that gradients, and gradients of gradients, are no rounding noise
        for parameter in (*generator.parameters(), *discriminator.parameters()):
            parameter.normal_(std=0.2)
    return toy_players(generator, discriminator)


@pytest.fixture
def batch():
    """(reals, fakes, labels)"""
    torch.manual_seed(1)
    return torch.rand(6, 1, 28, 28) * 2 - 1, torch.rand(6, 1, 28, 28) * 2 - 1, torch.tensor([0, 1, 2, 0, 1, 2])


def view() -> AugmentPipe:
    return AugmentPipe(torch.Generator().manual_seed(0), 6)


def parameters(network) -> list[torch.Tensor]:
    return [parameter.detach().clone() for parameter in network.parameters()]


def gradients(network) -> torch.Tensor:
    return torch.cat([parameter.grad.flatten() for parameter in network.parameters()])


def same(before: list[torch.Tensor], network) -> bool:
    return all(torch.equal(a, b) for a, b in zip(before, network.parameters()))


def without_updates(state):
    """The same networks with optimizers that compute gradients and change nothing."""
    return toy_players(
        copy.deepcopy(state.generator),
        copy.deepcopy(state.discriminator),
        lambda network: torch.optim.SGD(network.parameters(), 0.0),
    )


def discriminator_gradient(state, config, batch, penalize: bool) -> torch.Tensor:
    work = without_updates(state)
    discriminator_step(work, config, *(tensor.clone() for tensor in batch), view(), penalize)
    return gradients(work.discriminator)


def generator_turn(state, config, batch, z, seen=None) -> dict:
    reals, _, labels = batch
    return generator_step(state, config, reals, state.generator(z, labels), labels, seen or view())


def test_the_discriminator_step_moves_the_discriminator_only(state, batch):
    generator, discriminator = parameters(state.generator), parameters(state.discriminator)
    metrics = discriminator_step(state, CONFIG, *batch, view(), penalize=True)
    assert same(generator, state.generator) and not same(discriminator, state.discriminator)
    assert all(parameter.grad is None for parameter in state.generator.parameters())
    assert metrics["penalty/r1"] > 0 and not any(value.requires_grad for value in metrics.values())


def test_the_generator_step_moves_the_generator_only(state, batch):
    generator, discriminator = parameters(state.generator), parameters(state.discriminator)
    metrics = generator_turn(state, CONFIG, batch, torch.randn(6, 8))
    assert same(discriminator, state.discriminator) and not same(generator, state.generator)
    assert all(parameter.grad is None for parameter in state.discriminator.parameters())
    assert all(parameter.requires_grad for parameter in state.discriminator.parameters())
    assert not any(value.requires_grad for value in metrics.values())


def test_a_generator_step_in_between_does_not_leak_into_the_discriminator(state, batch):
    alone = copy.deepcopy(state.discriminator)
    reals, fakes, labels = batch
    generator_turn(state, CONFIG, batch, torch.randn(6, 8))
    expected = torch.nn.functional.softplus(-alone(reals, labels)).mean()
    expected = expected + torch.nn.functional.softplus(alone(fakes, labels)).mean()
    alone.zero_grad()
    expected.backward()
    discriminator_step(state, CONFIG, *batch, view(), penalize=False)
    for ours, theirs in zip(state.discriminator.parameters(), alone.parameters()):
        torch.testing.assert_close(ours.grad, theirs.grad)


def test_nothing_of_one_step_is_left_in_the_next(state, batch):
    state, z = without_updates(state), torch.randn(6, 8)
    for network, step in (
        (state.discriminator, lambda: discriminator_step(state, CONFIG, *batch, view(), False)),
        (state.generator, lambda: generator_turn(state, CONFIG, batch, z)),
    ):
        step()
        first = gradients(network)
        step()
        assert first.abs().max() > 1e-3
        torch.testing.assert_close(gradients(network), first)


def test_the_lazy_penalty_is_weighted_by_gamma_and_its_interval(state, batch):
    plain = discriminator_gradient(state, CONFIG, batch, False)
    once = discriminator_gradient(state, replace(CONFIG, penalty_interval=1), batch, True) - plain
    lazy = discriminator_gradient(state, CONFIG, batch, True) - plain
    assert once.abs().max() > 0.1
    torch.testing.assert_close(lazy, 4 * once, rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("name", ["r1", "r2", "wgan_gp", "dragan"])
def test_each_penalty_is_added_with_its_weight_and_reported(state, batch, name):
    switch = {"r1": "r1_gamma", "r2": "r2_gamma", "wgan_gp": "wgan_gp_weight", "dragan": "dragan_weight"}[name]
    off = replace(CONFIG, r1_gamma=0.0, penalty_interval=1)
    plain = discriminator_gradient(state, off, batch, True)
    single = discriminator_gradient(state, replace(off, **{switch: 1.0}), batch, True) - plain
    triple = discriminator_gradient(state, replace(off, **{switch: 3.0}), batch, True) - plain
    assert single.abs().max() > 1e-2
    torch.testing.assert_close(triple, 3 * single, rtol=1e-2, atol=1e-3)
    metrics = discriminator_step(state, replace(off, **{switch: 1.0}), *batch, view(), True)
    assert [key for key in metrics if key.startswith("penalty/")] == [f"penalty/{name}"]


def test_r1_looks_at_the_reals_and_r2_at_the_fakes(state, batch):
    reals, fakes, labels = batch
    config = replace(CONFIG, r2_gamma=1.0)
    expected = {}
    for name, penalty, images in (("r1", r1_penalty, reals), ("r2", r2_penalty, fakes)):
        points = images.clone().requires_grad_()
        expected[name] = penalty(state.discriminator(points, labels), points)
    metrics = discriminator_step(state, config, *batch, view(), True)
    for name, value in expected.items():
        torch.testing.assert_close(metrics[f"penalty/{name}"], value.detach())
    assert (expected["r1"] - expected["r2"]).abs() > 1e-3


@pytest.mark.parametrize("loss", [name for name in ADVERSARIAL if name != "began"])
def test_a_recipes_loss_is_the_one_that_is_played(state, batch, loss):
    reals, fakes, labels = batch
    game, config, z = ADVERSARIAL[loss], TrainConfig(loss=loss, r1_gamma=0.0), torch.randn(6, 8)
    state = without_updates(state)
    real, fake = state.discriminator(reals, labels), state.discriminator(fakes, labels)
    metrics = discriminator_step(state, config, *batch, view(), True)
    torch.testing.assert_close(metrics["loss/discriminator"], game.discriminator(real, fake).detach())
    fake = state.discriminator(state.generator(z, labels), labels)
    expected = game.generator(fake, real) if game.paired else game.generator(fake)
    torch.testing.assert_close(
        generator_turn(state, config, batch, z)["loss/generator"], expected.detach(), rtol=1e-4, atol=1e-5
    )


def test_label_smoothing_reaches_the_loss(state, batch):
    reals, fakes, labels = batch
    state = without_updates(state)
    real, fake = state.discriminator(reals, labels).detach(), state.discriminator(fakes, labels).detach()
    metrics = discriminator_step(state, TrainConfig(label_smoothing=0.1), *batch, view(), False)
    d_real, d_fake = torch.sigmoid(real.double()), torch.sigmoid(fake.double())
    by_hand = -(0.9 * d_real.log() + 0.1 * (1 - d_real).log()).mean() - (1 - d_fake).log().mean()
    assert metrics["loss/discriminator"].item() == pytest.approx(by_hand.item(), rel=1e-4)


def test_a_discriminator_whose_loss_is_low_is_skipped_only_where_asked(state, batch):
    loss = discriminator_step(without_updates(state), CONFIG, *batch, view(), False)["loss/discriminator"].item()
    for threshold, moves in ((loss * 1.01, False), (loss * 0.99, True), (0.0, True)):
        work = toy_players(copy.deepcopy(state.generator), copy.deepcopy(state.discriminator))
        before = parameters(work.discriminator)
        config = replace(CONFIG, skip_discriminator_below=threshold)
        metrics = discriminator_step(work, config, *batch, view(), False)
        assert same(before, work.discriminator) is not moves
        assert ("gradient/discriminator" in metrics) is moves


def test_weights_are_clipped_after_the_update(state, batch):
    discriminator_step(state, replace(CONFIG, weight_clip=0.05), *batch, view(), False)
    largest = max(parameter.abs().max().item() for parameter in state.discriminator.parameters())
    assert largest == pytest.approx(0.05)


class Shifted(AugmentPipe):
    """An augmentation that shows: it adds 0.25, and counts its calls."""

    def __call__(self, images):
        self.asked = getattr(self, "asked", 0) + 1
        return images + 0.25


def test_reals_and_fakes_are_seen_through_the_view_in_both_steps(state, batch):
    reals, fakes, labels = batch
    state, z = without_updates(state), torch.randn(6, 8)
    seen = Shifted(torch.Generator(), 6)
    metrics = discriminator_step(state, CONFIG, *batch, seen, False)
    assert seen.asked == 2
    torch.testing.assert_close(metrics["logit/real"], state.discriminator(reals + 0.25, labels).mean().detach())
    torch.testing.assert_close(metrics["logit/fake"], state.discriminator(fakes + 0.25, labels).mean().detach())
    expected = ADVERSARIAL["non_saturating"].generator(state.discriminator(state.generator(z, labels) + 0.25, labels))
    metrics = generator_turn(state, CONFIG, batch, z, seen)
    torch.testing.assert_close(metrics["loss/generator"], expected.detach(), rtol=1e-4, atol=1e-5)


def test_the_path_length_penalty_moves_its_running_mean_and_the_generator(state, batch):
    reals, _, labels = batch
    config = replace(CONFIG, path_length_weight=2.0, path_length_interval=4)

    def gradient(config, stretch: bool):
        work = without_updates(state)
        work.generator.eval()  # the same fakes in each call
        torch.manual_seed(3)
        z = torch.randn(6, 8).requires_grad_(stretch)
        fakes = work.generator(z, labels)
        metrics = generator_step(work, config, reals, fakes, labels, view(), z if stretch else None)
        return gradients(work.generator), metrics, work.adaptive.path_length_mean

    plain, metrics, mean = gradient(config, False)
    assert "penalty/path_length" not in metrics and mean == 0.0
    lazy, metrics, mean = gradient(config, True)
    once, _, _ = gradient(replace(config, path_length_interval=1), True)
    assert mean > 0 and metrics["penalty/path_length"] > 0
    assert (once - plain).abs().max() > 1e-6
    torch.testing.assert_close(lazy - plain, 4 * (once - plain), rtol=1e-2, atol=1e-5)


def test_the_gradient_norm_is_that_of_the_whole_gradient(state, batch):
    state = without_updates(state)
    metrics = discriminator_step(state, CONFIG, *batch, view(), True)
    torch.testing.assert_close(metrics["gradient/discriminator"], gradients(state.discriminator).norm())
    metrics = generator_turn(state, CONFIG, batch, torch.randn(6, 8))
    torch.testing.assert_close(metrics["gradient/generator"], gradients(state.generator).norm())


def test_accuracies_are_shares_of_right_verdicts():
    from gan_hub.training.steps import logit_statistics

    said = logit_statistics("hinge", torch.tensor([1.0, -1.0, 3.0, 2.0]), torch.tensor([-2.0, 0.5, 3.0, -1.0]))
    assert said["accuracy/real"] == 0.75 and said["accuracy/fake"] == 0.5
    assert said["accuracy/pairs"] == (1 + 0 + 0.5 + 1) / 4
    undecided = logit_statistics("least_squares", torch.full((4,), 0.5), torch.full((4,), 0.5))
    assert undecided["accuracy/real"] == undecided["accuracy/fake"] == undecided["accuracy/pairs"] == 0.5
    assert "accuracy/real" not in logit_statistics("wasserstein", torch.ones(2), torch.zeros(2))
    assert logit_statistics("began", torch.ones(2), torch.zeros(2)).keys() == {"logit/real", "logit/fake"}


# ------------------------------------------------------------------------------------------ loss scalers


def scaled_optimizer(value: float) -> tuple[torch.nn.Parameter, ScaledOptimizer]:
    parameter = torch.nn.Parameter(torch.tensor([value]))
    return parameter, ScaledOptimizer(torch.optim.SGD([parameter], 0.5), scaled=True)


def test_one_players_overflow_halves_its_own_scale_only_and_leaves_its_weights():
    (one, first), (two, second) = scaled_optimizer(2.0), scaled_optimizer(2.0)
    before = first.scaler.get_scale()
    first.zero_grad()
    norm = first.step((one * torch.tensor(float("inf"))).sum())
    assert not math.isfinite(norm) and one.item() == 2.0
    second.zero_grad()
    assert second.step((two * 3).sum()).item() == pytest.approx(3.0)  # the true gradient, not the scaled one
    assert two.item() == pytest.approx(2.0 - 0.5 * 3)
    assert first.scaler.get_scale() == before / 2 and second.scaler.get_scale() == before


def test_a_scaler_keeps_gradients_that_would_vanish_in_fp16():
    def learn(scaled: bool) -> float:
        weight = torch.nn.Parameter(torch.zeros(1))
        optimizer = ScaledOptimizer(torch.optim.SGD([weight], 1.0), scaled=scaled)
        optimizer.zero_grad()
        return optimizer.step((weight.half() * 1e-4).float().sum() * 1e-4).item()  # the gradient 1e-8 is 0 in float16

    assert learn(False) == 0.0 and learn(True) == pytest.approx(1e-8, rel=0.05)
