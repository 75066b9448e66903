"""The run: accelerator, data, players, steps, export; `train` reads from top to bottom."""

import os
from dataclasses import asdict
from datetime import timedelta
from pathlib import Path

import torch
from accelerate import Accelerator
from accelerate.utils import DistributedDataParallelKwargs, InitProcessGroupKwargs

from gan_hub.loading import LoadError
from gan_hub.training.batches import NOISE_DISCRIMINATOR, NOISE_GENERATOR, Batches, load_data
from gan_hub.training.checkpoints import list_checkpoints, load_newest
from gan_hub.training.config import FREE_OPTIONS, TrainConfig
from gan_hub.training.export import finish
from gan_hub.training.players import TENSOR_FILES, Players
from gan_hub.training.run import Run
from gan_hub.training.steps import discriminator_step, generator_step
from gan_hub.training.stopping import Stopped, StopSignal

ACCELERATE_PRECISION = {"fp32": "no", "fp64": "no", "bf16": "bf16", "fp16": "fp16"}


def train(config: TrainConfig, resume: bool = False) -> Path:
    """Trains, and returns the Hub-ready folder runs/<name>/export.

    `resume` goes on from the newest valid checkpoint of the same configuration, on a CPU bit for bit; where there is no
    checkpoint yet it starts anew. Raises ValueError or LoadError, in one sentence, for what cannot be done, and Stopped
    after a SIGTERM, its state saved.
    """
    checkpoints = config.run_folder / "checkpoints"
    if not resume and list_checkpoints(checkpoints):
        raise ValueError(f"{config.run_folder} already has checkpoints; --resume goes on, another --name starts anew.")
    accelerator = make_accelerator(config)
    if resume and not list_checkpoints(checkpoints):
        accelerator.print(f"nothing to resume in {checkpoints}: starting anew.")
        resume = False
    data = load_data(config)
    players = Players(config, len(data.label_names or ()), accelerator)
    batches = Batches(data.train, config, players.latent_size, accelerator)
    start, spent = _resume(players, checkpoints, config, data.fingerprint()) if resume else (0, {})
    run = Run(config, accelerator, players, data, start, spent)

    with StopSignal(accelerator) as stop:
        for step in range(start, config.total_steps):
            images_seen = (step + 1) * config.batch_size
            penalise = config.r1_gamma > 0 and step % config.r1_interval == 0
            players.scale_learning_rates(config.learning_rate_factor(images_seen))
            reals, labels = batches.reals(step)
            z = batches.noise(step, NOISE_DISCRIMINATOR)
            metrics = discriminator_step(players, config, reals, labels, z, penalise)
            z = batches.noise(step, NOISE_GENERATOR)
            metrics |= generator_step(players, config, batches.labels(step), z)
            players.ema.update(players.bare_generator, config.batch_size, images_seen)

            run.record(step + 1, metrics)
            stopping = stop.requested()
            if stopping or run.due(step + 1, config.checkpoint_kimg):
                run.save(checkpoints, step + 1)
            if stopping and step + 1 < config.total_steps:
                raise Stopped(f"stopped at {images_seen / 1000:.1f} kimg; its state is saved, --resume goes on.")
    return finish(run)


def make_accelerator(config: TrainConfig) -> Accelerator:
    """Devices, processes and precision; raises ValueError for fp16 without a GPU, where it would silently be fp32."""
    cpu = config.device == "cpu" or not torch.accelerator.is_available()
    if cpu:
        os.environ["ACCELERATE_USE_CPU"] = "true"  # without it, torchrun's processes would each train alone on a CPU
    accelerator = Accelerator(
        cpu=cpu,
        mixed_precision=ACCELERATE_PRECISION[config.precision],
        log_with="tensorboard",
        project_dir=config.run_folder,
        # Broadcasting buffers between the discriminator's two forwards breaks backward on CUDA (pytorch#175024); what
        # is saved and averaged is rank 0's.
        kwargs_handlers=[
            DistributedDataParallelKwargs(broadcast_buffers=False),
            InitProcessGroupKwargs(
                timeout=timedelta(hours=2)
            ),  # the others wait while the first one scores and exports
        ],
    )
    if accelerator.gradient_accumulation_steps != 1:
        raise ValueError("gradient accumulation is not exact with two players; choose a smaller batch_size instead.")
    if config.precision == "fp16" and accelerator.device.type != "cuda":
        raise ValueError(f"precision='fp16' needs a CUDA GPU, but this run is on {accelerator.device}; choose bf16.")
    return accelerator


def _resume(players: Players, checkpoints: Path, config: TrainConfig, fingerprint: str) -> tuple[int, dict]:
    """(first step, time spent) after loading the newest valid checkpoint of the same configuration and data."""
    accelerator = players.accelerator
    path, tensors, state, refused = load_newest(checkpoints, TENSOR_FILES)
    for reason in refused:
        accelerator.print(f"passed over a checkpoint: {reason}")
    missing = [key for key in ("step", "config", "data", "processes", "scaler", "elapsed") if key not in state]
    if missing:
        raise LoadError(f"{path}: {missing[0]!r} is missing from its state.")
    ours, theirs = asdict(config), state["config"]
    different = [key for key in ours if key not in FREE_OPTIONS and ours[key] != theirs.get(key)]
    if different:
        pairs = "; ".join(f"{key}: {theirs.get(key)!r} there, {ours[key]!r} now" for key in different)
        raise ValueError(f"{path} belongs to another configuration ({pairs}).")
    if state["data"] != fingerprint:
        raise ValueError(f"{path} was trained on other images than data={config.data!r} holds now.")
    if state["processes"] != accelerator.num_processes:
        accelerator.print(
            f"note: {state['processes']} process(es) then, {accelerator.num_processes} now; not bit-equal."
        )
    players.load(tensors, state["scaler"])
    accelerator.print(f"resumed from {path} ({state['step'] * config.batch_size / 1000:.1f} kimg)")
    return state["step"], state["elapsed"]
