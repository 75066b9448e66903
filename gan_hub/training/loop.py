"""The run: data, players, steps, records, checkpoints, export; `train` reads from top to bottom."""

import os
import signal
import time
from dataclasses import asdict
from pathlib import Path

import numpy as np
import torch
from accelerate import Accelerator
from accelerate.utils import DistributedDataParallelKwargs
from tqdm import tqdm

from gan_hub.data import ImageSet, NoSuchSplit, hold_out, load_images
from gan_hub.metrics.evaluation import evaluate, real_moments
from gan_hub.metrics.features import Extractor
from gan_hub.pipeline import GANPipeline
from gan_hub.training.batches import NOISE_DISCRIMINATOR, NOISE_GENERATOR, Batches
from gan_hub.training.checkpoints import load_newest, save_checkpoint
from gan_hub.training.config import TrainConfig
from gan_hub.training.players import TENSOR_FILES, Players
from gan_hub.training.records import SAMPLES_NAME, Records, sample_grid
from gan_hub.training.steps import discriminator_step, generator_step

CONFIG_NAME = "config.yaml"
DTYPES = {"fp64": torch.float64}
ACCELERATE_PRECISION = {"fp32": "no", "fp64": "no", "bf16": "bf16", "fp16": "fp16"}


class Stopped(Exception):
    """The run was asked to end (SIGTERM, Ctrl-C) and saved its state first."""


def make_accelerator(config: TrainConfig) -> Accelerator:
    """Devices, processes and precision; raises ValueError for fp16 without a GPU, where it would silently be fp32."""
    # Accelerate reads a mixed precision that its launcher put there; the recipe decides, so that the card tells the truth.
    if config.device == "cpu":
        os.environ["ACCELERATE_USE_CPU"] = "true"
    accelerator = Accelerator(
        cpu=config.device == "cpu",
        mixed_precision=ACCELERATE_PRECISION[config.precision],
        log_with="tensorboard",
        project_dir=config.run_folder,
        # The average's statistics come from rank 0; broadcasting buffers between two forwards breaks backward on CUDA.
        kwargs_handlers=[DistributedDataParallelKwargs(broadcast_buffers=False)],
    )
    if accelerator.gradient_accumulation_steps != 1:
        raise ValueError("gradient accumulation is not exact with two players; choose a smaller batch_size instead.")
    if config.precision == "fp16" and accelerator.device.type != "cuda":
        raise ValueError(f"precision='fp16' needs a CUDA GPU, but this run is on {accelerator.device}; choose bf16.")
    world = int(os.environ.get("WORLD_SIZE", 1))
    if world != accelerator.num_processes:
        raise ValueError(
            f"{world} processes were launched, but each would train alone; on a CPU set ACCELERATE_USE_CPU=true and launch "
            "with torchrun or `accelerate launch --multi_gpu`."
        )
    return accelerator


def load_data(config: TrainConfig) -> tuple[ImageSet, ImageSet]:
    """(training images, held-out images): the data's test split, or a part of it that the players never see."""
    train = load_images(config.data, config.resolution, config.channels, "train")
    if config.conditional and train.labels is None:
        raise ValueError(f"data={config.data!r} has no labels; set conditional to false, or use class sub-folders.")
    try:
        return train, load_images(config.data, config.resolution, config.channels, "test")
    except NoSuchSplit:
        return hold_out(train, min(config.held_out, len(train) // 5), config.seed)


def train(config: TrainConfig, resume: bool = False) -> Path:
    """Trains, and returns the Hub-ready folder runs/<name>/export.

    `resume` goes on from the newest valid checkpoint of the same configuration, bit for bit. Raises ValueError or
    LoadError, in one sentence, for what cannot be done, and Stopped after a SIGTERM, its state saved.
    """
    accelerator = make_accelerator(config)
    checkpoints = config.run_folder / "checkpoints"
    _check_run_folder(config, checkpoints, resume)
    data, held_out = load_data(config)
    label_names = data.label_names if config.conditional else None
    players = Players(config, len(label_names or ()), accelerator)
    batches = Batches(
        data, config.batch_size, players.ema.model.config["latent_size"], config.seed, config.conditional, accelerator,
        DTYPES.get(config.precision, torch.float32),
    )  # fmt: skip
    start, spent = (
        _resume(players, checkpoints, config, accelerator) if resume else (0, {"seconds": 0.0, "cpu_seconds": 0.0})
    )
    run = Run(config, accelerator, players, data, label_names, start, spent)
    accelerator.print(run.headline(data, held_out))

    with StopSignal(accelerator) as stop:
        for step in range(start, config.total_steps):
            images_seen = (step + 1) * config.batch_size
            players.scale_learning_rates(config.learning_rate_factor(images_seen))
            reals, labels = batches.reals(step)
            penalise = config.r1_gamma > 0 and step % config.r1_interval == 0
            metrics = discriminator_step(
                players, config, reals, labels, batches.noise(step, NOISE_DISCRIMINATOR), penalise
            )
            metrics |= generator_step(players, config, batches.labels(step), batches.noise(step, NOISE_GENERATOR))
            players.ema.update(players.bare_generator, config.batch_size, images_seen)

            run.record(step + 1, metrics)
            stopping = stop.requested()
            if stopping or run.due(step + 1, config.checkpoint_kimg):
                run.save(checkpoints, step + 1)
            if stopping:
                raise Stopped(
                    f"stopped at {images_seen / 1000:.1f} kimg; the state is saved, --resume goes on from there."
                )
    return run.finish(held_out)


class Run:
    """What happens beside the two players' game: logging, samples, scores, checkpoints. Only rank 0 writes."""

    def __init__(self, config, accelerator, players, data, label_names, start: int, spent: dict[str, float]):
        self.config, self.accelerator, self.players = config, accelerator, players
        self.data, self.label_names = data, label_names
        self.spent, self.began, self.began_cpu = spent, time.monotonic(), time.process_time()
        self.extractor = self.reals = None
        images = start * config.batch_size
        accelerator.init_trackers("tensorboard", init_kwargs={"tensorboard": {"purge_step": start}})
        if accelerator.is_main_process:
            self.records = Records(config.run_folder, images)
            (config.run_folder / CONFIG_NAME).write_text(config.to_yaml(), encoding="utf-8")
        self.bar = tqdm(
            total=config.total_steps * config.batch_size, initial=images, unit="img", smoothing=0.05,
            disable=None if accelerator.is_main_process else True,
        )  # fmt: skip
        self.last_time, self.last_images = self.began, images

    def headline(self, data: ImageSet, held_out: ImageSet) -> str:
        """One line a newcomer can check: processes, device, precision, data, sizes."""
        counts = [
            sum(p.numel() for p in network.parameters()) / 1e6
            for network in (self.players.bare_generator, self.players.bare_discriminator)
        ]
        return (
            f"{self.accelerator.num_processes} process(es) on {self.accelerator.device}, {self.config.precision}; "
            f"generator {counts[0]:.2f} M, discriminator {counts[1]:.2f} M parameters\n"
            f"training on {data.report()} Held out: {len(held_out):,}."
        )

    def due(self, step: int, kimg: float) -> bool:
        """Whether something done every `kimg` is done after this step; always after the last."""
        return kimg > 0 and (step % self.config.every(kimg) == 0 or step == self.config.total_steps)

    def pipeline(self) -> GANPipeline:
        """The averaged generator with the current discriminator, in eval mode."""
        discriminator = self.players.bare_discriminator
        return GANPipeline(self.players.ema.model, discriminator, self.label_names)

    def record(self, step: int, metrics: dict[str, torch.Tensor]) -> None:
        """Everything that is written or measured at set points of the clock."""
        images = step * self.config.batch_size
        self.bar.update(self.config.batch_size)
        if self.due(step, self.config.log_kimg):
            # The only point at which the numbers leave the device.
            values = {name: self.accelerator.reduce(value, "mean").item() for name, value in metrics.items()}
            self._check_finite(values, images)
            values["img/s"] = (images - self.last_images) / max(1e-9, time.monotonic() - self.last_time)
            self.last_time, self.last_images = time.monotonic(), images
            self._write(images, values)
        if self.due(step, self.config.sample_kimg) and self.accelerator.is_main_process:
            self._sample(images)
        if (
            self.config.extractor != "none"
            and self.due(step, self.config.evaluate_kimg)
            and self.accelerator.is_main_process
        ):
            self._write(images, {f"score/{name}": value for name, value in self.score().scores.items()})
            self.last_time = time.monotonic()

    def score(self):
        """The report of the averaged generator against the training images."""
        if self.extractor is None:
            self.extractor = Extractor(self.config.extractor)
            self.reals = real_moments(self.data, self.extractor)
        return evaluate(
            self.pipeline(),
            self.data,
            extractor=self.extractor,
            num_images=self.config.evaluate_images,
            real=self.reals,
        )

    def _check_finite(self, values: dict[str, float], images: int) -> None:
        for name, value in values.items():
            if value != value or abs(value) == float("inf"):
                raise ValueError(
                    f"{name} became {value} at {images / 1000:.1f} kimg; the last checkpoint is from before. "
                    "Lower the learning rates, raise r1_gamma, or use precision fp32."
                )

    def _write(self, images: int, values: dict[str, float]) -> None:
        self.accelerator.log(values, step=images)
        if self.accelerator.is_main_process:
            self.records.write(images, values)
            numbers = "  ".join(f"{name} {value:.4g}" for name, value in values.items())
            if self.bar.disable:  # no terminal: a line instead of a bar
                left = (self.config.total_steps * self.config.batch_size - images) / max(values.get("img/s", 0), 1e-9)
                eta = f"  ETA {left / 60:.0f} min" if "img/s" in values else ""
                print(f"{images / 1000:9.1f} kimg  {numbers}{eta}", flush=True)
            else:
                self.bar.set_postfix_str(numbers[:60])

    def _sample(self, images: int) -> None:
        sheet = sample_grid(self.pipeline())
        folder = self.config.run_folder / "samples"
        folder.mkdir(parents=True, exist_ok=True)
        sheet.save(folder / f"kimg-{images // 1000:06d}.png")
        sheet.save(self.config.run_folder / SAMPLES_NAME)
        writer = self.accelerator.get_tracker("tensorboard").writer
        writer.add_image("samples", np.asarray(sheet.convert("RGB")), images, dataformats="HWC")
        self.records.plot()

    def elapsed(self) -> dict[str, float]:
        """Seconds of the whole run, earlier stints included: by the clock, and of this process's CPU time."""
        return {
            "seconds": round(self.spent["seconds"] + time.monotonic() - self.began, 1),
            "cpu_seconds": round(self.spent["cpu_seconds"] + time.process_time() - self.began_cpu, 1),
        }

    def save(self, folder: Path, step: int) -> None:
        """A checkpoint of everything the rest of the run depends on."""
        if self.accelerator.is_main_process:
            state = {
                "config": asdict(self.config),
                "processes": self.accelerator.num_processes,
                "scaler": self.players.scaler_state(),
                "elapsed": self.elapsed(),
            }
            save_checkpoint(folder, step, self.players.tensors(), state, self.config.keep_checkpoints)
        self.accelerator.wait_for_everyone()

    def finish(self, held_out: ImageSet) -> Path:
        """Scores, calibrates and exports; every process returns the folder."""
        self.bar.close()
        folder = self.config.run_folder / "export"
        if self.accelerator.is_main_process:
            from gan_hub.training.export import export_run

            self.records.plot()
            report = None if self.config.extractor == "none" else self.score()
            export_run(self, folder, held_out, report)
        self.accelerator.wait_for_everyone()
        self.accelerator.end_training()
        return folder


def _check_run_folder(config: TrainConfig, checkpoints: Path, resume: bool) -> None:
    if not resume and any(checkpoints.glob("step-*")):
        raise ValueError(f"{config.run_folder} already has checkpoints; --resume goes on, another --name starts anew.")


# Options that may differ between a run and its continuation, for they change no weight.
FREE_OPTIONS = {
    "output", "device", "log_kimg", "sample_kimg", "checkpoint_kimg", "keep_checkpoints", "evaluate_kimg", "extractor",
    "evaluate_images", "license", "data_license", "real_samples", "real_samples_notice", "seen", "data",
}  # fmt: skip


def _resume(players: Players, checkpoints: Path, config: TrainConfig, accelerator: Accelerator) -> tuple[int, dict]:
    """(first step, time spent) after loading the newest valid checkpoint of the same configuration."""
    path, tensors, state, refused = load_newest(checkpoints, TENSOR_FILES)
    for reason in refused:
        accelerator.print(f"passed over a checkpoint: {reason}")
    ours, theirs = asdict(config), state["config"]
    different = [key for key in ours if key not in FREE_OPTIONS and ours[key] != theirs.get(key)]
    if different:
        pairs = "; ".join(f"{key}: {theirs.get(key)!r} there, {ours[key]!r} now" for key in different)
        raise ValueError(f"{path} belongs to another configuration ({pairs}).")
    if state["processes"] != accelerator.num_processes:
        accelerator.print(
            f"note: {state['processes']} process(es) then, {accelerator.num_processes} now; not bit-equal."
        )
    players.load(tensors, state["scaler"])
    accelerator.print(f"resumed from {path} ({state['step'] * config.batch_size / 1000:.1f} kimg)")
    return state["step"], state["elapsed"]


class StopSignal:
    """SIGTERM or Ctrl-C ends the run at the next step, on all processes together, after a checkpoint.

    `accelerate launch` does not pass a SIGTERM on: when it dies under a run, the run takes that as the signal.
    """

    def __init__(self, accelerator: Accelerator):
        self.accelerator = accelerator
        self.received = False
        self.parent = os.getppid() if "ACCELERATE_MIXED_PRECISION" in os.environ else None

    def __enter__(self) -> "StopSignal":
        self.previous = {number: signal.signal(number, self._receive) for number in (signal.SIGTERM, signal.SIGINT)}
        return self

    def __exit__(self, *_) -> None:
        for number, handler in self.previous.items():
            signal.signal(number, handler)

    def _receive(self, number, frame) -> None:
        self.received = True

    def requested(self) -> bool:
        received = self.received or (self.parent is not None and os.getppid() != self.parent)
        if self.accelerator.num_processes == 1:
            return received
        flag = torch.tensor(float(received), device=self.accelerator.device)
        return self.accelerator.reduce(flag, "sum").item() > 0  # one process's signal stops them all at the same step
