"""What happens beside the two players' game: log, samples, scores, checkpoints, the clock. Only rank 0 writes."""

import time
from dataclasses import asdict
from pathlib import Path

import numpy as np
import torch
from accelerate import Accelerator
from tqdm import tqdm

from gan_hub.metrics.evaluation import Report, evaluate, real_moments
from gan_hub.metrics.features import Extractor
from gan_hub.pipeline import GANPipeline
from gan_hub.training.batches import Data
from gan_hub.training.checkpoints import save_checkpoint
from gan_hub.training.config import TrainConfig
from gan_hub.training.players import Players
from gan_hub.training.records import SAMPLES_NAME, Records, sample_grid

CONFIG_NAME = "config.yaml"


class Run:
    """One run's paper trail; `train` tells it what was played, it decides what is due."""

    def __init__(
        self, config: TrainConfig, accelerator: Accelerator, players: Players, data: Data, start: int, spent: dict
    ):
        """`start`: the first step still to do; `spent`: what `elapsed` said when the checkpoint was written."""
        self.config, self.accelerator, self.players, self.data = config, accelerator, players, data
        self.label_names = data.label_names
        self.spent, self.began, self.began_cpu = spent, time.monotonic(), time.process_time()
        self.fingerprint = data.fingerprint()
        self.extractor = None if config.extractor == "none" else Extractor(config.extractor)
        self.report: Report | None = None  # the newest; at the end, that of the published weights
        self.latest: dict[str, torch.Tensor] = {}
        self.reals = None  # their features' moments, measured when a score is first due
        images = start * config.batch_size
        accelerator.init_trackers("tensorboard", init_kwargs={"tensorboard": {"purge_step": images}})
        if accelerator.is_main_process:
            self.records = Records(config.run_folder, images)
            (config.run_folder / CONFIG_NAME).write_text(config.to_yaml(), encoding="utf-8")
        self.bar = tqdm(
            total=config.total_steps * config.batch_size, initial=images, unit="img", smoothing=0.05,
            disable=None if accelerator.is_main_process else True,
        )  # fmt: skip
        self.last_time, self.last_images = self.began, images
        accelerator.print(self.headline())

    def headline(self) -> str:
        """What a newcomer can check at a glance: processes, device, precision, sizes, data."""
        networks = (self.players.bare_generator, self.players.bare_discriminator)
        sizes = [sum(p.numel() for p in network.parameters()) / 1e6 for network in networks]
        return (
            f"{self.accelerator.num_processes} process(es) on {self.accelerator.device}, {self.config.precision}; "
            f"generator {sizes[0]:.2f} M, discriminator {sizes[1]:.2f} M parameters\n"
            f"training on {self.data.train.report()} Held out: {len(self.data.held_out):,}."
        )

    def due(self, step: int, kimg: float) -> bool:
        """Whether something done every `kimg` is done after this step; always after the last."""
        return kimg > 0 and (step % self.config.every(kimg) == 0 or step == self.config.total_steps)

    def record(self, step: int, metrics: dict[str, torch.Tensor]) -> None:
        """Everything that is written or measured at set points of the clock."""
        images = step * self.config.batch_size
        self.latest |= metrics  # the penalty is not part of every step; its newest value is logged
        self.bar.update(self.config.batch_size)
        logged, sampled = self.due(step, self.config.log_kimg), self.due(step, self.config.sample_kimg)
        scored = self.extractor is not None and self.due(step, self.config.evaluate_kimg)
        if not (logged or sampled or scored):
            return
        # The only point at which the numbers leave the device.
        values = {name: self.accelerator.reduce(value, "mean").item() for name, value in self.latest.items()}
        self._check_finite(values, images)
        if logged:
            values["img/s"] = (images - self.last_images) / max(1e-9, time.monotonic() - self.last_time)
            self.last_time, self.last_images = time.monotonic(), images
            self._write(images, values)
        if sampled and self.accelerator.is_main_process:
            self._sample(images)
        if scored and self.accelerator.is_main_process:
            self.report = self.score()
            self._write(images, {f"score/{name}": value for name, value in self.report.scores.items()})
            self.last_time = time.monotonic()

    def score(self) -> Report:
        """The report of the averaged generator against the training images."""
        if self.reals is None:
            self.reals = real_moments(self.data.train, self.extractor)
        count = self.config.evaluate_images
        pipeline = GANPipeline(self.players.ema.model, None, self.label_names)
        return evaluate(pipeline, self.data.train, extractor=self.extractor, num_images=count, real=self.reals)

    def _check_finite(self, values: dict[str, float], images: int) -> None:
        for name, value in values.items():
            if value != value or abs(value) == float("inf"):
                raise ValueError(
                    f"{name} became {value} at {images / 1000:.1f} kimg; the last checkpoint is from before. "
                    "Lower the learning rates, raise r1_gamma, or use precision fp32."
                )

    def _check_weights(self, file: str, content: dict[str, torch.Tensor], step: int) -> None:
        for name, tensor in content.items():
            if not torch.isfinite(tensor).all():
                raise ValueError(
                    f"{file}: {name} holds NaN or Inf after {step * self.config.batch_size / 1000:.1f} kimg; no checkpoint "
                    "was written, the last one is from before. Lower the learning rates, raise r1_gamma, or use fp32."
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
        sheet = sample_grid(GANPipeline(self.players.ema.model, None, self.label_names))
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
            "seconds": round(self.spent.get("seconds", 0) + time.monotonic() - self.began, 1),
            "cpu_seconds": round(self.spent.get("cpu_seconds", 0) + time.process_time() - self.began_cpu, 1),
        }

    def save(self, folder: Path, step: int) -> None:
        """A checkpoint of everything the rest of the run depends on."""
        if self.accelerator.is_main_process:
            state = {
                "config": asdict(self.config),
                "data": self.fingerprint,
                "processes": self.accelerator.num_processes,
                "scaler": self.players.scaler_state(),
                "elapsed": self.elapsed(),
            }
            tensors = self.players.tensors()
            for file, content in tensors.items():
                self._check_weights(file, content, step)
            save_checkpoint(folder, step, tensors, state, self.config.keep_checkpoints)
        self.accelerator.wait_for_everyone()
