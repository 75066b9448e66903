"""A step asks its device for numbers once, whatever the game: counted on the meta device, where no number can be read unseen."""

import contextlib
import math
import re
from collections import Counter
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from gan_hub.data import ImageSet
from gan_hub.models import ARCHITECTURES
from gan_hub.training.batches import Batches, Data
from gan_hub.training.callbacks import TrainContext
from gan_hub.training.config import TrainConfig
from gan_hub.training.diagnostics import Diagnostics
from gan_hub.training.flops import OneProcess
from gan_hub.training.metric_means import MetricMeans
from gan_hub.training.steps import train_step
from gan_hub.training.train_state import TrainState
from gan_hub.training.trainer import Trainer
from tests.training.waits import META, Waits

ASKED = "copy from the device"  # of a list of numbers
BASE = {"resolution": 32, "channels": 3, "batch_size": 4, "conditional": False}


@pytest.fixture(autouse=True)
def autocast_of_meta(monkeypatch):
    """torch has no autocast for the meta device; a network that switches it off there has nothing to switch off."""
    real = torch.autocast

    def autocast(device: str, *args, **options):
        return contextlib.nullcontext() if device == "meta" else real(device, *args, **options)

    monkeypatch.setattr(torch, "autocast", autocast)


class OnMeta(OneProcess):
    """Stands in for an accelerator with one process, on the meta device."""

    device = META

    def prepare(self, network):
        return network.to(META)

    def gather(self, tensor):
        return tensor

    def reduce(self, tensor, how):
        return tensor


class Run:
    """The steps of a run on the meta device, each with all that a run does at every step."""

    def __init__(self, **options) -> None:
        self.config = TrainConfig(data="made-up", **BASE | options)
        config, rng = self.config, np.random.default_rng(0)
        shape = (16, config.resolution, config.resolution)
        images, names = rng.integers(0, 256, (*shape, config.channels)).astype(np.uint8), ["a", "b", "c"]
        data = ImageSet(images)
        if config.takes_maps:
            data = ImageSet(images, maps=rng.integers(0, 3, shape).astype(np.uint8), map_names=names)
        elif config.conditional:
            data = ImageSet(images, np.arange(16) % 3, names)
        self.data = Data(data, data, None)
        with META:  # no weights are drawn for nothing
            self.state = TrainState(config, self.data.classes, OnMeta())
        self.batches = Batches(data, config, self.state.latent_size, OnMeta())
        self.means = MetricMeans({})

    def waits(self, step: int) -> dict[str, int]:
        """What a step waited for."""
        with Waits() as waits:
            metrics = train_step(self.state, self.config, self.batches, step)
            Trainer.check(SimpleNamespace(config=self.config, state=self.state), step + 1, metrics)
            self.state.ema.update(self.state.unwrapped_generator, self.config.batch_size, 4 * (step + 1))
            self.means.add(metrics)
        return dict(Counter(waits.found))


GAMES = {
    "plain": {},
    "classes, flips": {"conditional": True, "flip": True},
    "balanced classes": {"conditional": True, "balance_classes": True},
    "diffaugment": {"augment": "diffaugment"},
    "instance noise": {"instance_noise": 0.1, "instance_noise_kimg": 1.0},
    "r1": {"r1_gamma": 1.0, "penalty_interval": 2},
    "r1 and r2": {
        "architecture": "r3gan",
        "loss": "relativistic",
        "r1_gamma": 1.0,
        "r2_gamma": 1.0,
        "penalty_interval": 2,
    },
    "wgan-gp": {"loss": "wasserstein", "wgan_gp_weight": 10.0, "discriminator_steps": 3},
    "dragan": {"dragan_weight": 10.0, "penalty_interval": 2},
    "clipping": {"loss": "wasserstein", "weight_clip": 0.01},
    "shared fakes": {"share_fakes": True},
    "began": {"architecture": "began", "loss": "began"},
    "path length": {"architecture": "stylegan2", "path_length_weight": 2.0, "path_length_interval": 2, "mixing": 0.9},
    "path length of z": {"path_length_weight": 2.0, "path_length_interval": 2},
    "scales": {"architecture": "msg_gan"},
    "growing": {"architecture": "progan", "grow_kimg": 1.0},
    "mmd": {"architecture": "gmmn", "loss": "mmd"},
    "maps": {"architecture": "spade", "feature_matching_weight": 10.0, "flip": True},
    "float64": {"precision": "fp64"},
    "momentum": {"optimizer_generator": "sgd", "optimizer_discriminator": "sgd"},
}


@pytest.mark.parametrize("game", GAMES)
def test_a_step_waits_for_its_device_once(game):
    run = Run(**GAMES[game])
    assert [run.waits(step) for step in range(2)] == [{ASKED: 1}] * 2  # with penalties, and without


@pytest.mark.parametrize("architecture", sorted(ARCHITECTURES))
def test_no_architecture_makes_a_step_wait_again(architecture):
    loss = {"began": "began", "gmmn": "mmd"}.get(architecture, "non_saturating")
    assert Run(architecture=architecture, loss=loss).waits(0) == {ASKED: 1}


def test_ada_waits_once_more_every_fourth_step_as_its_p_decides_on_the_same_step():
    run = Run(augment="ada", loss="non_saturating")
    run.state.adaptive.augment_p = 0.3  # at 0 nothing is augmented
    assert [sum(run.waits(step).values()) for step in range(5)] == [2, 1, 1, 1, 2]


def test_a_discriminator_that_may_be_skipped_is_asked_at_each_of_its_updates():
    run = Run(skip_discriminator_below=0.1, discriminator_steps=2)
    assert sum(run.waits(0).values()) == 1 + 2


def test_fp16_waits_once_for_each_player_whose_gradient_may_have_overflowed():
    run = Run(precision="fp16")
    assert sum(run.waits(0).values()) == 1 + 2


def test_a_look_waits_a_few_times_and_no_oftener_the_more_steps_it_looks_back_at():
    run, waited = Run(), []
    diagnostics = Diagnostics(run.config, run.state, run.data, print)
    for steps in (1, 3):
        for step in range(steps):
            run.waits(step)
        context = TrainContext(run.config, Path(), lambda: None)
        with Waits() as waits:
            context.metrics = run.means.reduce(OnMeta())
            diagnostics.on_look(context)
        waited.append(Counter(waits.found))
    # the means; the changes of both players' weights and the diversity; the latents that it draws from
    assert waited[0] == waited[1] == {ASKED: 1, "_local_scalar_dense": 3, "copy to the device": 2}


@pytest.mark.parametrize(
    "ask",
    [
        lambda x: x.sum().item(),
        lambda x: bool((x > 0).all()),
        lambda x: x.cpu(),
        lambda x: x.tolist(),
        lambda x: torch.equal(x, x),
        lambda x: x[x > 0],
        lambda x: x.nonzero(),
        lambda x: torch.ones(3).to(META),
        lambda x: x.copy_(torch.ones(3)),
        lambda x: torch.tensor([1.0, 2.0], device=META),
        lambda x: x.new_tensor([1.0, 2.0]),
    ],
)
def test_every_way_to_wait_is_counted(ask):
    with Waits() as waits:
        with contextlib.suppress(NotImplementedError):  # what depends on numbers has no result here
            ask(torch.ones(3, device=META))
    assert len(waits.found) == 1


def test_what_waits_for_nothing_is_not_counted():
    with Waits() as waits:
        x = torch.ones(3, device=META)
        torch.where(x > 0, x, 1.0).sum()
        torch.ones(3).to(META, non_blocking=True)
        torch.ones(3).sum().item()  # of the host's own
        x[torch.zeros(2, dtype=torch.long, device=META)]
    assert waits.found == []


@pytest.mark.parametrize(
    "scale, metrics, problem",
    [
        (1.0, {"loss/generator": 1.0, "gradient/generator": math.inf}, None),  # the scaler skips this update
        (2.0**-12, {"loss/generator": 1.0, "gradient/generator": math.inf}, "gradient/generator never fits into fp16"),
        (2.0**-12, {"loss/generator": 1.0, "gradient/generator": 1.0}, None),
        (1.0, {"gradient/generator": math.nan, "loss/generator": math.nan}, "loss/generator became nan"),
        (1.0, {"loss/generator": 1.0, "weights/generator": -math.inf}, "weights/generator became -inf"),
    ],
)
def test_a_gradient_that_overflows_in_fp16_ends_a_run_only_where_no_scale_is_left(scale, metrics, problem):
    run = Run(precision="fp16")
    for optimizer in run.state.optimizers.values():
        optimizer.scaler.load_state_dict(optimizer.scaler.state_dict() | {"scale": scale})
    run = SimpleNamespace(config=run.config, state=run.state)
    checked = {name: torch.tensor(value) for name, value in metrics.items()}
    if problem is None:
        Trainer.check(run, 8, checked)
    else:
        with pytest.raises(ValueError, match=rf"^{re.escape(problem)} at 0\.0 kimg; no checkpoint or average has it"):
            Trainer.check(run, 8, checked)
