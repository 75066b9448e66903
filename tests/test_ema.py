"""The running average: its half-life is counted in images, and nothing of a network is left out."""

import copy

import pytest
import torch
from torch import nn

from gan_hub.ema import EMA

LATE = 10**9  # images seen, long after the warm-up


def network(value: float = 0.0) -> nn.Module:
    model = nn.Sequential(nn.Linear(2, 2), nn.BatchNorm1d(2))
    with torch.no_grad():
        for tensor in model.state_dict().values():
            tensor.fill_(value)
    return model


@pytest.mark.parametrize("batch_size", [1, 10, 50, 500, 1000])
def test_after_a_half_life_of_images_half_of_the_old_is_left_whatever_the_batch(batch_size):
    ema, live = EMA(network(0.0), halflife_kimg=1), network(1.0)
    for _ in range(1000 // batch_size):
        ema.update(live, batch_size, LATE)
    for tensor in ema.model[0].state_dict().values():
        torch.testing.assert_close(tensor, torch.full_like(tensor, 0.5), rtol=1e-4, atol=0)


def test_running_statistics_are_averaged_like_weights_and_counters_are_copied():
    ema, live = EMA(network(0.0), halflife_kimg=1), network(4.0)
    ema.update(live, 1000, LATE)
    norm = ema.model[1]
    for tensor in (norm.weight, norm.bias, norm.running_mean, norm.running_var):
        torch.testing.assert_close(tensor, torch.full_like(tensor, 2.0))
    assert norm.num_batches_tracked == 4


def test_the_live_network_and_its_gradients_are_left_alone_and_the_average_wants_none():
    live = network(1.0).train()
    before = copy.deepcopy(live.state_dict())
    ema = EMA(live, halflife_kimg=1)
    ema.update(live, 10, LATE)
    assert live.training and all(parameter.requires_grad for parameter in live.parameters())
    assert all(torch.equal(tensor, before[name]) for name, tensor in live.state_dict().items())
    assert not ema.model.training and not any(parameter.requires_grad for parameter in ema.model.parameters())
    with torch.no_grad():
        live[0].weight.fill_(9)
    assert (ema.model[0].weight == 1).all(), "the average must not share its memory"


def test_no_half_life_means_no_averaging():
    ema = EMA(network(0.0), halflife_kimg=0)
    ema.update(network(3.0), 10, LATE)
    assert (ema.model[0].weight == 3).all()


def test_during_the_warm_up_the_half_life_is_a_share_of_the_images_seen():
    ema = EMA(network(), halflife_kimg=10, warmup=0.05)
    assert ema.decay(64, 0) == 0.0  # the first update forgets the random start
    assert ema.decay(50, 1000) == pytest.approx(0.5)  # 5 % of 1,000 images
    assert ema.decay(50, 2000) == pytest.approx(0.5**0.5)
    assert ema.decay(10_000, 200_000) == ema.decay(10_000, LATE) == pytest.approx(0.5)  # from here on it is constant
    assert ema.decay(10_000, 100_000) == pytest.approx(0.25)


def test_the_default_warm_up_is_a_twentieth_of_the_images_seen():
    ema = EMA(network(), halflife_kimg=10)
    assert ema.decay(50, 0) == 0.0
    assert ema.decay(50, 1000) == pytest.approx(0.5) and ema.decay(500, 10_000) == pytest.approx(0.5)
    assert ema.decay(10_000, 199_000) < 0.499 and ema.decay(10_000, 201_000) == pytest.approx(0.5)


def test_by_default_nothing_of_the_random_start_is_left_after_a_few_batches_whatever_the_half_life():
    ema, live = EMA(network(0.0), halflife_kimg=500), network(1.0)
    for seen in range(64, 641, 64):
        ema.update(live, 64, seen)
    assert (ema.model[0].weight > 0.99).all()


def test_two_updates_of_one_batch_equal_one_of_two_batches_for_a_network_that_stands_still():
    one, two, live = EMA(network(0.0), 1), EMA(network(0.0), 1), network(1.0)
    two.update(live, 64, LATE), two.update(live, 64, LATE), one.update(live, 128, LATE)
    torch.testing.assert_close(one.model[0].weight, two.model[0].weight)


def test_the_average_of_a_half_precision_network_is_kept_in_its_own_precision():
    ema = EMA(network(0.0), halflife_kimg=1)
    ema.update(network(1.0).to(torch.bfloat16), 1000, LATE)
    assert ema.model[0].weight.dtype == torch.float32
    torch.testing.assert_close(ema.model[0].weight, torch.full((2, 2), 0.5))


@pytest.mark.parametrize("halflife", [-1, float("nan")])
def test_an_odd_half_life_is_refused(halflife):
    with pytest.raises(ValueError, match="halflife_kimg=.* is not allowed"):
        EMA(network(), halflife)
