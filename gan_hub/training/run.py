"""What happens beside the two players' game: log, samples, alarms, scores, checkpoints, the clock. Only rank 0 writes."""

import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path

import torch
from accelerate import Accelerator
from tqdm import tqdm

from gan_hub.atomic import clear_scratch, write_text
from gan_hub.losses import began_convergence
from gan_hub.metrics.evaluation import REPLICATES, Report, evaluate, real_moments
from gan_hub.metrics.features import Extractor, Outputs
from gan_hub.metrics.memorization import COUNT as COPIES_SHOWN
from gan_hub.models import GANModel
from gan_hub.pipeline import GANPipeline
from gan_hub.training import trackers
from gan_hub.training.batches import Data
from gan_hub.training.best_checkpoint import BEST_NAME, Best, BestSoFar
from gan_hub.training.checkpoints import save_checkpoint
from gan_hub.training.config import TrainConfig, public_name
from gan_hub.training.diagnostics import DiversityProbe, MemorizationProbe, WeightChange, hardware, peak_memory_gb
from gan_hub.training.monitors import Monitors
from gan_hub.training.run_files import (
    PLOT_NAME,
    SAMPLES_FOLDER,
    SAMPLES_NAME,
    TIMELAPSE_FOLDER,
    ConsoleLines,
    RunLog,
    Timelapse,
    sample_grid,
    save_whole,
)
from gan_hub.training.stopping import StoppedError, StopSignal
from gan_hub.training.train_state import TrainState

CONFIG_NAME = "config.yaml"
CONSOLE = ("loss/", "accuracy/pairs", "diversity", "score/", "img/s")  # of the log's columns
WATCH_STEPS = 50  # at most so many steps between two looks of the monitors
SCORED_TOGETHER = 100  # images drawn at a time for a score: to the last bit, it may depend on it


class AlarmError(ValueError):
    """A monitor's alarm in a run that was told to stop at one."""


class Scorer:
    """Scores a run's generators, each time with the same reals, measured once."""

    def __init__(self, config: TrainConfig, data: Data, extractor: Extractor):
        self.config, self.data, self.extractor = config, data, extractor

    @cached_property
    def reals(self) -> tuple[torch.Tensor, torch.Tensor]:
        """The moments of the training images' features, measured when a score is first due."""
        return real_moments(self.data.train, self.extractor)

    def score(self, pipeline: GANPipeline, final: bool = False) -> Report:
        """The report of a generator against the training images; of a `final` one, for its card, with intervals and scales."""
        config = self.config
        return evaluate(
            pipeline, self.data.train, extractor=self.extractor, num_images=config.evaluate_images,
            seed=final_seed(config) if final else 0, real=self.reals,
            held_out=self.data.held_out if final else None, replicates=REPLICATES if final else 0, scales=final,
            batch_size=SCORED_TOGETHER, data_name=public_name(config.data), at_risk=COPIES_SHOWN if final else 0,
        )  # fmt: skip


def final_seed(config: TrainConfig) -> int:
    """The seed of what the card says, the judge's AUC included: one command measures all of it again.

    Where the weights were chosen by score, they are judged by other images than those they were chosen by.
    """
    return config.evaluate_images if config.publish == "best" else 0


@dataclass
class RunSnapshot:
    """A run at one moment of its clock, as far as a model is made of it."""

    config: TrainConfig
    data: Data
    images: int  # seen
    networks: tuple[GANModel, GANModel | None]  # the averaged generator and the discriminator, as they are published
    best: Best | None
    records: RunLog
    timelapse: Timelapse
    elapsed: dict[str, float]  # seconds of the whole run, by the clock and of CPU time
    processes: int
    hardware: str
    device: torch.device  # to measure on
    scorer: Scorer | None


class Run:
    """One run's paper trail; `train` tells it what was played, it decides what is due."""

    def __init__(
        self, config: TrainConfig, accelerator: Accelerator, players: TrainState, data: Data, start: int, past: dict,
        stop: StopSignal,
    ):  # fmt: skip
        """`start`: the first step still to do; `past`: the checkpoint's state, or an empty dict."""
        self.config, self.accelerator, self.players, self.data, self.stop = config, accelerator, players, data, stop
        self.spent, self.began, self.began_cpu = past.get("elapsed", {}), time.monotonic(), time.process_time()
        self.fingerprint, self.hardware = data.fingerprint(), hardware(accelerator.device)
        self.scorer = None
        if config.extractor != "none":
            extractor = InterruptibleExtractor(
                config.extractor, config.extractor_weights or None, stop, self._still_scoring
            )
            self.scorer = Scorer(config, data, extractor.to(accelerator.device))
        self.report: Report | None = None  # the newest; at the end, that of the last weights
        self.last_step = config.total_steps  # or earlier, when patience ends
        self.sums: dict[str, torch.Tensor] = {}  # metrics since the last look, on the device, and how many of each
        self.counts: dict[str, torch.Tensor] = {}
        watched = past.get("watched", {})
        self.line: dict[str, list[float]] = watched.get("line", {})  # [sum, count] of each since the last log line
        self.changed: dict[str, float] = watched.get("changed", {})  # weights' change since then
        self.latest: dict[str, float] = watched.get("latest", {})
        self.score_due: bool = watched.get("score_due", False)  # a signal came while a score was measured
        images = start * config.batch_size
        trackers.start(accelerator, config, images)
        if accelerator.is_main_process:
            self._open_books(images, past)
        self.bar = tqdm(
            total=config.total_steps * config.batch_size, initial=images, unit="img", smoothing=0.05,
            disable=None if accelerator.is_main_process else True,
        )  # fmt: skip
        self.last_time, self.last_images = self.began, images
        self.lines = ConsoleLines(config.total_steps * config.batch_size, images)  # of a console that is no terminal
        accelerator.print(self.headline())
        if self.score_due and accelerator.is_main_process:
            self._score(images)
        self._lose_patience(start)

    def _open_books(self, images: int, past: dict) -> None:
        """What only the main process has: log, monitors and what they look at, the time-lapse."""
        config, data, watched = self.config, self.data, past.get("watched", {})
        for folder in (config.run_folder, config.run_folder / SAMPLES_FOLDER, config.run_folder / TIMELAPSE_FOLDER):
            clear_scratch(folder)
        self.records = RunLog(config.run_folder, images)
        self.records.begin()
        if past.get("changes"):
            self.records.note(images, f"went on at {images / 1000:g} kimg with {', '.join(past['changes'])}.")
        write_text(config.run_folder / CONFIG_NAME, config.to_yaml())
        self.monitors = Monitors(config.batch_size, alone=self.players.discriminator is None)
        if "monitors" in watched:
            self.monitors.load(watched["monitors"])
        self.best = BestSoFar(config.run_folder / BEST_NAME, watched.get("best", {}), past.get("best_weights", {}))
        self.best.write(self.best_pipeline)
        self.diversity = DiversityProbe(data.train, self.players.latent_size)
        self.changes = {f"change/{name}": WeightChange(network) for name, network in self.players.networks.items()}
        self.memorising = (
            MemorizationProbe(data.train, data.held_out) if MemorizationProbe.possible(data.train) else None
        )
        if self.memorising is not None and self.memorising.told:
            self.accelerator.print(self.memorising.told)
        frames, steps = config.timelapse_frames, config.total_steps
        self.timelapse = Timelapse(config.run_folder, frames, steps, config.batch_size, images)
        self.timelapse.begin()
        if images == 0 and self.timelapse.due(0):
            self.timelapse.add(0, self.pipeline())

    def headline(self) -> str:
        """What a newcomer can check at a glance: processes, device, precision, sizes, data."""
        sizes = [
            f"{name} {sum(p.numel() for p in network.parameters()) / 1e6:.2f} M"
            for name, network in self.players.networks.items()
        ]
        return (
            f"{self.accelerator.num_processes} process(es) on {self.accelerator.device}, {self.config.precision}; "
            f"{', '.join(sizes)} parameters{'' if len(sizes) > 1 else ', no discriminator'}\n"
            f"{self.data.headline()}"
        )

    def pipeline(self) -> GANPipeline:
        """The averaged generator, as it would be published."""
        return GANPipeline(self.players.ema.model, None, **self.data.names)

    def best_pipeline(self, weights: dict[str, dict[str, torch.Tensor]]) -> GANPipeline:
        """Both players with those weights."""
        return GANPipeline(*self.players.published(weights), **self.data.names)

    def due(self, step: int, kimg: float) -> bool:
        """Whether something done every `kimg` is done after this step; always after the last."""
        return kimg > 0 and (step % self.config.every(kimg) == 0 or step == self.last_step)

    def check(self, step: int, metrics: dict[str, torch.Tensor]) -> None:
        """Raises ValueError where a loss, a gradient or a weight of this step is NaN or Inf: before anything keeps it.

        An overflowing gradient is everyday life of fp16, whose scaler leaves that update out, until its scale is used up.
        """
        watched = ("loss/", "weights/") if self.config.precision == "fp16" else ("loss/", "gradient/", "weights/")
        values = {name: value for name, value in metrics.items() if name.startswith(watched)}
        if torch.isfinite(torch.stack([value.double() for value in values.values()])).all():
            exhausted = self.players.exhausted_scaler()
            if exhausted is None:
                return
            found = f"gradient/{exhausted} never fits into fp16"
        else:
            found = next(f"{name} became {value}" for name, value in values.items() if not torch.isfinite(value))
        raise ValueError(
            f"{found} at {step * self.config.batch_size / 1000:.1f} kimg; no checkpoint or average has it, the last "
            "checkpoint is from before. Lower the learning rates, raise r1_gamma, or use precision fp32."
        )

    def record(self, step: int, metrics: dict[str, torch.Tensor]) -> None:
        """Everything that is written or measured at set points of the clock."""
        config, images = self.config, step * self.config.batch_size
        self._add(metrics)
        self.bar.update(config.batch_size)
        if self.scorer is not None and self.due(step, config.evaluate_kimg):
            if self.accelerator.is_main_process:
                self._score(images)
            self._lose_patience(step)  # first of all, for it decides whether this was the last step
        logged, sampled = self.due(step, config.log_kimg), self.due(step, config.sample_kimg)
        if logged or sampled or step % WATCH_STEPS == 0:
            self._watch(images, sampled)
        if not self.accelerator.is_main_process:
            return
        if self.bar.disable:
            self.lines.step(images)
        if logged:
            self._log(images)
        if sampled:
            self._sample(images)
        if self.timelapse.due(step):
            self.timelapse.add(step, self.pipeline())

    def _add(self, metrics: dict[str, torch.Tensor]) -> None:
        """Sums on the device: the numbers leave it only when somebody looks. Overflows of fp16 do not count."""
        for name, value in metrics.items():
            if not name.startswith("weights/"):
                finite = torch.isfinite(value)
                self.sums[name] = self.sums.get(name, 0) + torch.where(finite, value, 0).double()
                self.counts[name] = self.counts.get(name, 0) + finite.double()

    def _watch(self, images: int, sampled: bool) -> None:
        """A look: the means since the last one, over all processes, for the monitors and the next log line."""
        names = sorted(self.sums)
        if names:
            both = [self.sums[name] for name in names] + [self.counts[name] for name in names]
            totals = self.accelerator.reduce(torch.stack(both), "sum").tolist()
            self.sums, self.counts = {}, {}
        found = {name: (totals[i], totals[i + len(names)]) for i, name in enumerate(names) if totals[i + len(names)]}
        for name, (total, count) in found.items():
            known = self.line.setdefault(name, [0.0, 0.0])
            self.line[name] = [known[0] + total, known[1] + count]
        alarms = self._measure(images, {name: total / count for name, (total, count) in found.items()}, sampled)
        self._heed(bool(alarms))

    def _measure(self, images: int, values: dict[str, float], sampled: bool) -> list[str]:
        """What only the main process measures, and the alarms it raises about everything."""
        if not self.accelerator.is_main_process:
            return []
        self.latest |= values
        measured = {name: change() for name, change in self.changes.items()}
        for name, change in measured.items():
            self.changed[name] = self.changed.get(name, 0.0) + change
        state = {"diversity": self.diversity(self.players.unwrapped_generator)}
        if self.memorising is not None and sampled:
            fakes = self.pipeline()(num_images=64, seed=0, output_type="pt").images
            state["memorised"] = self.memorising(fakes)
        if self.config.augment == "ada":
            state["augment/p"] = self.players.adaptive.augment_p
        if self.config.loss == "began":
            state["began/k"] = self.players.adaptive.balance
        self.latest |= state
        alarms = [] if self.config.alarms == "off" else self.monitors.observe(images, values | measured | state)
        for sentence in alarms:
            self.records.alarm(images, sentence)
            tqdm.write(f"warning at {images / 1000:.1f} kimg: {sentence}")
        return alarms

    def _log(self, images: int) -> None:
        """A line: means over the steps since the line before; of a penalty that was not due since, its newest value."""
        values = self.latest | {name: total / count for name, (total, count) in self.line.items()} | self.changed
        if self.config.loss == "began":
            real, fake = values["logit/real"], values["logit/fake"]
            values["began/convergence"] = began_convergence(real, fake, self.config.began_gamma)
        values["img/s"] = (images - self.last_images) / max(1e-9, time.monotonic() - self.last_time)
        values["memory/GB"] = peak_memory_gb(self.accelerator.device)
        self.last_time, self.last_images, self.line, self.changed = time.monotonic(), images, {}, {}
        self._write(images, values)

    def _heed(self, alarmed: bool) -> None:
        """Ends a run that is to stop at an alarm, on all processes together."""
        if self.config.alarms != "stop":
            return
        flag = torch.tensor(float(alarmed), device=self.accelerator.device)
        if self.accelerator.reduce(flag, "sum").item() > 0:
            said = self.records.alarms[-1] if self.accelerator.is_main_process else "see the main process."
            raise AlarmError(f"stopped by an alarm: {said} What was saved is kept; alarms=warn goes on.")

    def _score(self, images: int) -> None:
        """Measures, writes down, and keeps the weights where no score was better."""
        began = time.monotonic()
        self.lines.pause()
        try:
            self.report = self.scorer.score(self.pipeline())
        except StoppedError:
            self.score_due = True
            return  # the loop asks the signal itself, after this step
        self.score_due = False
        self.lines.go_on()
        self._write(images, {f"score/{name}": value for name, value in self.report.scores.items()})
        grown = self.config.grow_kimg == 0 or self.config.level(images) == self.config.levels
        if grown and self.best.consider(images, self.report, self.players.published_weights):
            self.best.write(self.best_pipeline)
        self.last_time += time.monotonic() - began  # img/s is the training's

    def _still_scoring(self) -> None:
        """Heard between two blocks of images of a score, which may take minutes."""
        if self.bar.disable and self.accelerator.is_main_process:
            self.lines.remind("measuring a score")

    def _lose_patience(self, step: int) -> None:
        """Makes this the last step, on all processes together, where no better score has come for `patience_kimg`."""
        patience = 1000 * self.config.patience_kimg
        if patience == 0 or step == self.config.total_steps:
            return
        waited = self.best.waited if self.accelerator.is_main_process else 0
        flag = torch.tensor(float(waited >= patience), device=self.accelerator.device)
        if self.accelerator.reduce(flag, "sum").item() == 0:
            return
        self.last_step = step
        if self.accelerator.is_main_process:
            self.timelapse.end(step)
            best, images = self.best.best, step * self.config.batch_size
            said = (
                f"ended early, at {images / 1000:g} kimg: {best.name} has not fallen below the {best.score:.4g} of "
                f"{best.images / 1000:g} kimg for {waited / 1000:g} kimg (patience_kimg {self.config.patience_kimg:g})."
            )
            again = said in self.records.notes
            self.records.note(images, said)
            tqdm.write(f"nothing is left to train: {said} patience_kimg=0 goes on." if again else said)

    def _write(self, images: int, values: dict[str, float]) -> None:
        self.accelerator.log(values, step=images)
        self.records.write(images, values)
        numbers = "  ".join(f"{name} {value:.4g}" for name, value in values.items() if name.startswith(CONSOLE))
        if self.bar.disable:
            self.lines.write(images, numbers)
        else:
            self.bar.set_postfix_str(numbers[:60])

    def _sample(self, images: int) -> None:
        sheet = sample_grid(self.pipeline())
        folder = self.config.run_folder / SAMPLES_FOLDER
        folder.mkdir(parents=True, exist_ok=True)
        save_whole(sheet.save, folder / f"{images:012d}.png")
        save_whole(sheet.save, self.config.run_folder / SAMPLES_NAME)
        trackers.log_grid(self.accelerator, sheet, images)
        if images < self.last_step * self.config.batch_size:  # after the last step it is drawn for the export
            self.records.plot(self.config.run_folder / PLOT_NAME)

    def elapsed(self) -> dict[str, float]:
        """Seconds of the whole run, earlier stints included: by the clock, and of this process's CPU time."""
        return {
            "seconds": round(self.spent.get("seconds", 0) + time.monotonic() - self.began, 1),
            "cpu_seconds": round(self.spent.get("cpu_seconds", 0) + time.process_time() - self.began_cpu, 1),
        }

    def standing(self) -> RunSnapshot:
        """The run as it is now, for its export; on the main process."""
        best = self.best.best
        chosen = best.weights if best and self.config.publish == "best" else None
        return RunSnapshot(
            self.config, self.data, self.last_step * self.config.batch_size, self.players.published(chosen), best,
            self.records, self.timelapse, self.elapsed(), self.accelerator.num_processes, self.hardware,
            self.accelerator.device, self.scorer,
        )  # fmt: skip

    def save(self, folder: Path, step: int) -> None:
        """A checkpoint of everything the rest of the run depends on."""
        if self.sums:
            self._watch(step * self.config.batch_size, sampled=False)  # nothing is left on the device only
        if self.accelerator.is_main_process:
            state = {
                "config": asdict(self.config),
                "data": self.fingerprint,
                "processes": self.accelerator.num_processes,
                "elapsed": self.elapsed(),
                "hardware": self.hardware,
                "watched": {
                    "monitors": self.monitors.state(), "line": self.line, "changed": self.changed, "latest": self.latest,
                    "score_due": self.score_due, "best": self.best.state(),
                },
            }  # fmt: skip
            tensors = self.players.tensors() | self.best.tensors()
            self.records.keep()
            save_checkpoint(folder, step, tensors, state | self.players.state(), self.config.keep_checkpoints)
        self.accelerator.wait_for_everyone()


class InterruptibleExtractor(Extractor):
    """An extractor that a SIGTERM stops between two blocks of images: a score may take longer than one may wait."""

    def __init__(self, name: str, weights: str | None, stop: StopSignal, between: Callable[[], None]):
        super().__init__(name, weights)
        self.stop, self.between = stop, between

    def outputs_of_block(self, images: torch.Tensor) -> Outputs:
        """As of `Extractor`; raises Stopped after a signal."""
        if self.stop.received():
            raise StoppedError("stopped while a score was measured; --resume goes on.")
        self.between()
        return super().outputs_of_block(images)
