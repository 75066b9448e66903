"""The dry run: sizes of the networks, the images, and how long the steps take on this machine."""

import math
import time
from collections.abc import Callable
from typing import cast

import torch
from accelerate import Accelerator

from gan_hub.metrics.features import Extractor
from gan_hub.training.accelerator import (
    CPU,
    EMULATED,
    emulates_bf16,
    make_accelerator,
    only_training_of_this_process,
)
from gan_hub.training.batches import Batches, load_data
from gan_hub.training.config import TrainConfig
from gan_hub.training.flops import step_kinds
from gan_hub.training.memory import freed_memory_kept
from gan_hub.training.precision import with_precision
from gan_hub.training.steps import train_step
from gan_hub.training.train_state import TrainState

MEASURED_SECONDS = 2.0  # of steps, at most, where a step takes less than that


def preview(config: TrainConfig) -> None:
    """Print the sizes and the time of a run, in lines that begin with #; write nothing.

    Raises ValueError for options, data, models and logins that the run would refuse.
    """
    with only_training_of_this_process():
        config = with_precision(config, prefix="# ")
        accelerator = make_accelerator(config)
        with freed_memory_kept(accelerator.device):
            _preview(config, accelerator)


def _preview(config: TrainConfig, accelerator: Accelerator) -> None:
    if config.precision == "bf16" and accelerator.device.type == "cpu" and emulates_bf16(CPU):
        accelerator.print(f"# {EMULATED}")
    with accelerator.main_process_first():
        data = load_data(config)
    state = TrainState(config, data.classes, accelerator)
    if config.initial:
        state.start_from(config.initial, config.initial_players)
    if config.extractor != "none":
        Extractor(config.extractor, config.extractor_weights or None)
    batches = Batches(data.train, config, state.latent_size, accelerator)
    sizes = [sum(p.numel() for p in network.parameters()) for network in state.networks.values()]
    accelerator.print(
        f"# generator {sizes[0]:,} parameters, discriminator {sum(sizes[1:]):,}; {data.classes} classes; "
        f"{config.total_steps:,} steps of {config.batch_size} images\n"
        f"# {data.headline()}\n"
        f"# {_minutes(config, state, batches, accelerator)}"
    )


def _minutes(config: TrainConfig, state: TrainState, batches: Batches, accelerator: Accelerator) -> str:
    where = f"{accelerator.num_processes} process(es) on {accelerator.device}"
    if config.compile:
        return f"Time not estimated: with compile, the first steps take minutes. {where}."
    state.grow(1000 * int(config.total_kimg))
    seconds = _seconds_a_step(config, lambda step: train_step(state, config, batches, step), accelerator)
    minutes, speed = seconds * config.total_steps / 60, config.batch_size / seconds
    grown = " of the full size" if config.grow_kimg else ""
    return (
        f"About {_rounded(minutes)} minutes, measured on a few steps{grown} just now: {speed:,.3g} images a second with {where}, "
        "without scores, samples and checkpoints."
    )


def _rounded(minutes: float) -> str:
    return f"{minutes:.1g}" if minutes < 10 else f"{minutes:,.0f}"


def _seconds_a_step(config: TrainConfig, step: Callable[[int], object], accelerator: Accelerator) -> float:
    """The mean over all kinds of steps, with and without a penalty, as often as they come; the same on all processes."""
    kinds = step_kinds(config)
    step(kinds[0][0] + 1)  # the first one allocates
    total = 0.0
    for same in kinds:
        once = _mean_over_processes(_timed(step, same[0], 1), accelerator)
        more = min(50, int(MEASURED_SECONDS / len(kinds) / max(once, 1e-6)))
        total += len(same) * (_mean_over_processes(_timed(step, same[0], more), accelerator) if more else once)
    return total / sum(map(len, kinds))


def _timed(step: Callable[[int], object], number: int, times: int) -> float:
    """Seconds of one step, the mean of `times`."""
    began = time.perf_counter()
    for _ in range(times):
        step(number)
    if torch.accelerator.is_available():
        torch.accelerator.synchronize()
    return (time.perf_counter() - began) / times


def _mean_over_processes(seconds: float, accelerator: Accelerator) -> float:
    own = torch.tensor(seconds, dtype=torch.float32, device=accelerator.device)
    mean = cast(torch.Tensor, accelerator.reduce(own, "mean")).item()
    return mean if math.isfinite(mean) else seconds
