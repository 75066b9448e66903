"""What a run costs: operations counted by the rules that one can do by hand, for a whole step of both players."""

import numpy as np
import pytest
import torch

from gan_hub.data import ImageSet
from gan_hub.training.config import TrainConfig
from gan_hub.training.flops import Operations, describe_cost, flops_per_image

IMAGES = ImageSet(np.zeros((20, 28, 28, 1), np.uint8))
MLP = {
    "architecture": "mlp", "conditional": False, "r1_gamma": 0.0, "batch_size": 8,
    "generator": {"latent_size": 10, "hidden_size": 20, "hidden_layers": 1},
    "discriminator": {"hidden_size": 6, "hidden_layers": 1, "pieces": 2, "dropout_percent": 0},
}  # fmt: skip
GENERATOR, DISCRIMINATOR = (10 * 20, 20 * 784), (784 * 12, 6)  # products of each layer and image


def by_hand() -> int:
    """An addition to each product. The gradients of a layer's weights cost as much again, and those of its inputs."""
    forward, below = sum(DISCRIMINATOR), sum(DISCRIMINATOR[1:])  # the pixels of reals and fakes need no gradient
    discriminator_step = sum(GENERATOR) + 2 * (forward + forward + below)
    generator_step = sum(GENERATOR) + 2 * forward + sum(GENERATOR) + GENERATOR[1]
    return 2 * (discriminator_step + generator_step)


def test_a_step_of_both_players_has_the_operations_that_one_counts_by_hand():
    assert flops_per_image(TrainConfig(**MLP), 0, IMAGES) == by_hand()


def test_a_penalty_counts_as_often_as_it_comes():
    always, seldom = (
        flops_per_image(TrainConfig(**MLP | {"r1_gamma": 1.0, "penalty_interval": interval}), 0, IMAGES)
        for interval in (1, 4)
    )
    assert by_hand() < seldom < always and seldom - by_hand() == pytest.approx((always - by_hand()) / 4)


def test_a_count_leaves_the_random_numbers_of_a_run_alone():
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    flops_per_image(TrainConfig(**MLP), 0, IMAGES)
    assert torch.equal(torch.rand(3), expected)


def test_a_convolution_counts_its_gradients_too():
    layer, images = torch.nn.Conv2d(3, 8, 3, padding=1), torch.ones(2, 3, 4, 4)
    with Operations() as operations:
        layer(images).sum().backward()
    assert operations.count == 2 * (2 * 16 * 8 * 27) * 2  # forward and the weights' gradient; images want none


@pytest.mark.parametrize("groups", [1, 3, 6])
def test_a_convolution_in_groups_counts_each_gradient_as_often_as_itself(groups):
    layer, images = torch.nn.Conv2d(6, 12, 3, padding=1, groups=groups), torch.ones(2, 6, 4, 4, requires_grad=True)
    with Operations() as operations:
        layer(images).sum().backward()
    assert operations.count == 3 * 2 * (2 * 16 * 12 * 9 * 6 // groups)


def test_the_estimate_says_what_it_assumes():
    assert "3.6 PFLOP" in describe_cost(3.6e15) and "at least 6 minutes" in describe_cost(3.6e15)
    assert "an estimate and no measurement" in describe_cost(1e12) and "0.1 seconds" in describe_cost(1e12)
