"""`precision: auto`: the faster of fp32 and bf16, measured on this run's own step before it begins.

What a machine's data sheet says is no guide. Of two CPUs with the same bf16 instructions one trains twice as fast with them, and
the other a fifth slower.
"""

import time
from collections.abc import Callable
from dataclasses import replace
from typing import cast

import numpy as np
import torch
from accelerate import Accelerator
from accelerate.utils import broadcast_object_list
from accelerate.utils.operations import convert_outputs_to_fp32

from gan_hub.data import ImageSet
from gan_hub.images import height_width
from gan_hub.model_folder.strict import LoadError
from gan_hub.training.accelerator import CPU, emulates_bf16, process_state
from gan_hub.training.batches import Batches
from gan_hub.training.checkpoint_schema import check_state
from gan_hub.training.checkpoints import CHECKPOINTS_NAME, list_checkpoints, read_state
from gan_hub.training.config import TrainConfig
from gan_hub.training.diagnostics import hardware
from gan_hub.training.flops import OneProcess, step_kinds
from gan_hub.training.memory import freed_memory_kept
from gan_hub.training.sections import AUTO_PRECISIONS
from gan_hub.training.steps import train_step
from gan_hub.training.train_state import TrainState

AUTO = "auto"
# How many times as fast bf16 must be: it rounds to 8 bits, and a measurement this short errs by a few percent.
WORTH = 1.1
SECONDS, ROUNDS = 1.0, 15  # of measuring: rounds until so long has passed, at least 3 and at most so many
# The fewest images of a measured step, doubled up to the run's own batch until a step takes so many seconds: in steps that are
# short, the time between the operations counts as well.
BATCH, STEP_SECONDS = 8, 0.25
CLASSES = 10  # of the made-up labels and maps


def with_precision(config: TrainConfig, prefix: str = "") -> TrainConfig:
    """The configuration with the precision that `auto` stands for here; the main process chooses, and prints it.

    A run that has a checkpoint keeps the precision of the newest that can be read: it goes on from there, or is refused.

    Args:
        config: Of a run that is about to begin or to go on.
        prefix: Begins the printed line.

    Returns:
        A configuration whose precision is not `auto`; the same one where it was not.
    """
    if config.precision != AUTO:
        return config
    process = process_state(config)
    chosen = [""]
    if process.is_main_process:
        chosen, why = [_of_checkpoint(config)], "as the run was begun"
        if not chosen[0]:
            share = max(config.batch_size // process.num_processes, 1)  # more might not fit into its memory
            device = torch.device(process.device or "cpu")
            chosen[0], why = faster_precision(replace(config, batch_size=share), device)
        print(f"{prefix}precision auto: {chosen[0]}, {why}.", flush=True)
    if process.num_processes > 1:
        broadcast_object_list(chosen)
    return replace(config, precision=chosen[0])


def _of_checkpoint(config: TrainConfig) -> str:
    """The precision of the newest checkpoint that can be read; "" where there is none."""
    for path in reversed(list_checkpoints(config.run_folder / CHECKPOINTS_NAME)):
        try:
            return check_state(path, read_state(path)).precision
        except LoadError:
            continue  # the run says which it passes over
    return ""


def faster_precision(config: TrainConfig, device: torch.device) -> tuple[str, str]:
    """Measure a few steps of a run in fp32 and in bf16, in turns.

    Args:
        config: The run.
        device: Where it trains.

    Returns:
        "fp32" or "bf16", and the reason in words.
    """
    if device.type == "cpu" and emulates_bf16(CPU):
        return "fp32", "since this CPU emulates bf16"
    if device.type not in ("cpu", "cuda") or (device.type == "cuda" and not torch.cuda.is_bf16_supported()):
        return "fp32", f"since bf16 is not to be counted on with {device.type}"
    with freed_memory_kept(device), torch.random.fork_rng([device] if device.type == "cuda" else []):
        batch = config.batch_size if config.loss == "mmd" else min(config.batch_size, BATCH)
        while True:
            steps = {name: made_up_step(config, device, name, batch) for name in AUTO_PRECISIONS}
            for step in steps.values():
                _timed(step, device)  # the first one allocates
            if batch == config.batch_size or _timed(steps["fp32"], device) > STEP_SECONDS:
                break
            batch = min(2 * batch, config.batch_size)
        seconds = seconds_of_steps(steps, device)
    ratio = seconds["fp32"] / seconds["bf16"]
    chosen = "bf16" if ratio >= WORTH else "fp32"
    return chosen, f"since a step in bf16 runs at {ratio:.2f} times the speed of one in fp32 on {hardware(device)}"


def seconds_of_steps(steps: dict[str, Callable[[], object]], device: torch.device) -> dict[str, float]:
    """Name → seconds of each step: the shortest of several, which take turns."""
    rounds: list[list[float]] = []
    began = time.monotonic()
    while len(rounds) < 3 or (time.monotonic() - began < SECONDS and len(rounds) < ROUNDS):
        rounds.append([_timed(step, device) for step in steps.values()])
    return {name: min(turns) for name, turns in zip(steps, zip(*rounds, strict=True), strict=True)}


def _timed(step: Callable[[], object], device: torch.device) -> float:
    """Seconds of a step; on a CPU by the process's own clock, so that other programs count less."""
    name = "process_time" if device.type == "cpu" else "perf_counter"
    clock, resolution = getattr(time, name), time.get_clock_info(name).resolution
    began = clock()
    step()
    if device.type == "cuda":
        torch.cuda.synchronize()
    return max(clock() - began, resolution)  # on Windows this clock stands still for 16 ms, longer than a short step


class InPrecision(OneProcess):
    """Stands in for an accelerator with one process, on a device, with autocast to bf16 or none."""

    def __init__(self, device: torch.device, precision: str) -> None:
        self.device, self.precision = device, precision

    def prepare(self, network: torch.nn.Module) -> torch.nn.Module:
        """The network on the device, its `forward` within autocast, as accelerate makes it."""
        if self.precision == "bf16":
            inside = torch.autocast(self.device.type, dtype=torch.bfloat16)
            network.forward = convert_outputs_to_fp32(inside(network.forward))
        return network.to(self.device)


def made_up_step(config: TrainConfig, device: torch.device, precision: str, batch: int) -> Callable[[], object]:
    """A step of the run on made-up images: fresh networks of full size, of the kind of step that comes most often.

    Args:
        config: The run.
        device: Where it trains.
        precision: "fp32" or "bf16".
        batch: Images of the step.

    Returns:
        A function that plays one step.
    """
    small = replace(config, grow_kimg=0.0, batch_size=batch, precision=precision, compile=False)
    alone = cast(Accelerator, InPrecision(device, precision))
    images = _made_up_images(config, batch)
    state = TrainState(small, CLASSES if config.conditional or config.takes_maps else 0, alone)
    batches = Batches(images, small, state.latent_size, alone)
    usual = max(step_kinds(small), key=len)[0]
    return lambda: train_step(state, small, batches, usual)


def _made_up_images(config: TrainConfig, count: int) -> ImageSet:
    """Random images, with labels or maps where the run has them."""
    rng, (height, width) = np.random.default_rng(0), height_width(config.resolution)
    images = rng.integers(0, 256, (count, height, width, config.channels), dtype=np.uint8)
    names = [str(number) for number in range(CLASSES)]
    if config.takes_maps:
        return ImageSet(images, maps=rng.integers(0, CLASSES, (count, height, width), dtype=np.uint8), map_names=names)
    return ImageSet(images, np.arange(count) % CLASSES, names) if config.conditional else ImageSet(images)
