"""The two steps: each moves its own player only, and leaves nothing behind in the other."""

import copy
from types import SimpleNamespace

import pytest
import torch

from gan_hub.models import ARCHITECTURES
from gan_hub.training.steps import discriminator_step, generator_step

CONFIG = SimpleNamespace(loss="non_saturating", r1_gamma=1.0, r1_interval=4)
SHAPE = {"resolution": 28, "channels": 1, "num_classes": 3, "base_channels": 4}


@pytest.fixture
def players():
    torch.manual_seed(0)
    pair = ARCHITECTURES["dcgan"]
    generator, discriminator = pair.generator(latent_size=8, **SHAPE), pair.discriminator(norm="none", **SHAPE)
    with torch.no_grad():  # large enough that gradients, and gradients of gradients, are no rounding noise
        for parameter in discriminator.parameters():
            parameter.normal_(std=0.2)
    return SimpleNamespace(
        generator=generator,
        discriminator=discriminator,
        generator_optimizer=torch.optim.Adam(generator.parameters(), 1e-3),
        discriminator_optimizer=torch.optim.Adam(discriminator.parameters(), 1e-3),
        backward=lambda loss: loss.backward(),
    )


@pytest.fixture
def batch():
    torch.manual_seed(1)
    return torch.rand(6, 1, 28, 28) * 2 - 1, torch.tensor([0, 1, 2, 0, 1, 2]), torch.randn(6, 8)


def parameters(network) -> list[torch.Tensor]:
    return [parameter.detach().clone() for parameter in network.parameters()]


def same(before: list[torch.Tensor], network) -> bool:
    return all(torch.equal(a, b) for a, b in zip(before, network.parameters()))


def test_the_discriminator_step_moves_the_discriminator_only(players, batch):
    generator, discriminator = parameters(players.generator), parameters(players.discriminator)
    metrics = discriminator_step(players, CONFIG, *batch, penalise=True)
    assert same(generator, players.generator) and not same(discriminator, players.discriminator)
    assert all(parameter.grad is None for parameter in players.generator.parameters())
    assert metrics["penalty/r1"] > 0 and not any(value.requires_grad for value in metrics.values())


def test_the_generator_step_moves_the_generator_only(players, batch):
    generator, discriminator = parameters(players.generator), parameters(players.discriminator)
    _, labels, z = batch
    generator_step(players, CONFIG, labels, z)
    assert same(discriminator, players.discriminator) and not same(generator, players.generator)
    assert all(parameter.grad is None for parameter in players.discriminator.parameters())
    assert all(parameter.requires_grad for parameter in players.discriminator.parameters())


def test_a_generator_step_in_between_does_not_leak_into_the_discriminator(players, batch):
    alone = copy.deepcopy(players.discriminator)
    reals, labels, z = batch
    generator_step(players, SimpleNamespace(loss="non_saturating"), labels, z)
    players.generator.eval()
    with torch.no_grad():
        fakes = players.generator(z, labels)
    expected = torch.nn.functional.softplus(-alone(reals, labels)).mean()
    expected = expected + torch.nn.functional.softplus(alone(fakes, labels)).mean()
    alone.zero_grad()
    expected.backward()
    discriminator_step(players, CONFIG, reals, labels, z, penalise=False)
    for ours, theirs in zip(players.discriminator.parameters(), alone.parameters()):
        torch.testing.assert_close(ours.grad, theirs.grad)


def test_nothing_of_one_step_is_left_in_the_next(players, batch):
    reals, labels, z = batch
    players.generator_optimizer = torch.optim.SGD(players.generator.parameters(), 0.0)
    players.discriminator_optimizer = torch.optim.SGD(players.discriminator.parameters(), 0.0)

    def gradients(network) -> torch.Tensor:
        return torch.cat([parameter.grad.flatten() for parameter in network.parameters()])

    for network, step in (
        (players.discriminator, lambda: discriminator_step(players, CONFIG, reals, labels, z, False)),
        (players.generator, lambda: generator_step(players, CONFIG, labels, z)),
    ):
        step()
        first = gradients(network)
        step()
        assert first.abs().max() > 1e-3
        torch.testing.assert_close(gradients(network), first)


def test_the_lazy_penalty_is_weighted_by_gamma_and_its_interval(players, batch):
    reals, labels, z = batch
    players.generator.eval()

    def gradient(config, penalise):
        work = SimpleNamespace(**vars(players))
        work.discriminator = copy.deepcopy(players.discriminator)
        work.discriminator_optimizer = torch.optim.SGD(work.discriminator.parameters(), 0.0)
        discriminator_step(work, config, reals.clone(), labels, z, penalise)
        return torch.cat([parameter.grad.flatten() for parameter in work.discriminator.parameters()])

    plain = gradient(CONFIG, False)
    once = gradient(SimpleNamespace(loss="non_saturating", r1_gamma=1.0, r1_interval=1), True) - plain
    lazy = gradient(CONFIG, True) - plain
    assert once.abs().max() > 0.1
    torch.testing.assert_close(lazy, 4 * once, rtol=1e-3, atol=1e-4)
