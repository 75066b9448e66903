"""The run: accelerator, data, networks, steps, export; `train` reads from top to bottom."""

import contextlib
import math
import shutil
import time
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

import torch
from accelerate import Accelerator

from gan_hub.losses import began_convergence
from gan_hub.messages import short_repr
from gan_hub.pipeline import GANPipeline
from gan_hub.training import trackers
from gan_hub.training.accelerator import (
    CPU,
    EMULATED,
    emulates_bf16,
    make_accelerator,
    only_training_of_this_process,
)
from gan_hub.training.batches import Batches, Data, load_data
from gan_hub.training.callbacks import Callback, CallbackList, TrainContext, check_callbacks
from gan_hub.training.checkpoints import CHECKPOINTS_NAME, list_checkpoints, save_checkpoint
from gan_hub.training.config import TrainConfig
from gan_hub.training.diagnostics import Diagnostics, hardware, peak_memory_gb
from gan_hub.training.evaluator import EarlyStopping, Evaluator, InterruptibleExtractor, Scorer
from gan_hub.training.export import EXPORT_NAME, export
from gan_hub.training.logger import Logger
from gan_hub.training.memory import freed_memory_kept
from gan_hub.training.metric_means import MetricMeans
from gan_hub.training.monitors import LOOK_STEPS, STOPPED_BY_ALARM, AlarmError
from gan_hub.training.precision import with_precision
from gan_hub.training.processes import on_any
from gan_hub.training.run_files import PLOT_NAME, sample_grid, save_whole
from gan_hub.training.run_lock import lock_run, one_export_at_a_time
from gan_hub.training.snapshot import RunSnapshot
from gan_hub.training.starting import check_agreement, load_state, make_folder
from gan_hub.training.steps import train_step
from gan_hub.training.stopping import StoppedError, StopSignal, failures_explained, unbreakable_console
from gan_hub.training.train_state import TrainState


def train(config: TrainConfig, resume: bool = False, callbacks: Sequence[Callback] = ()) -> Path:
    """Train a GAN: from a script, a notebook or a thread, one training at a time in a process.

    Args:
        config: the options of the run.
        resume: go on from the newest valid checkpoint of the run's folder, on a CPU bit for bit where the configuration is
            the same; differences are printed. Without a checkpoint the run starts anew.
        callbacks: called at set points of the run, after its own logger, monitors and early stopping.

    Returns:
        The Hub-ready model, runs/<name>/export: a folder for `GANPipeline.from_pretrained`.

    Raises:
        ValueError: the configuration cannot be trained, or the run became NaN; LoadError for a damaged checkpoint.
        OSError: the disk does not take a checkpoint.
        StoppedError: a signal (only in the main thread), after the state was saved.

    Example:
        >>> from gan_hub.training import TrainConfig, train
        >>> config = TrainConfig(name="digits", data="mnist", total_kimg=100)
        >>> folder = train(config)  # doctest: +SKIP
    """
    if not isinstance(config, TrainConfig):
        raise ValueError(
            f"config={short_repr(config)} is not allowed; it is a TrainConfig, as of TrainConfig.from_recipe(...)."
        )
    check_callbacks(callbacks)
    dtype = torch.get_default_dtype()
    if dtype != torch.float32:  # networks and noise would have it, and no such model can be saved
        raise ValueError(f"torch's default dtype is {dtype}; a run needs float32 (see precision=).")
    make_folder(config)
    with only_training_of_this_process():
        config = with_precision(config)
        accelerator = make_accelerator(config)
        with (
            unbreakable_console(),
            StopSignal(accelerator) as stop,
            failures_explained(config, accelerator.num_processes),
            lock_run(config.run_folder, accelerator),
            freed_memory_kept(accelerator.device),
            trackers.closed_on_failure(accelerator),
        ):
            return _train(config, resume, accelerator, stop, callbacks)


def _train(
    config: TrainConfig, resume: bool, accelerator: Accelerator, stop: StopSignal, callbacks: Sequence[Callback]
) -> Path:
    """The run from its data to its export, while its folder is held."""
    checkpoints = config.run_folder / CHECKPOINTS_NAME
    if not resume and list_checkpoints(checkpoints):
        raise ValueError(
            f"{config.run_folder} already has checkpoints; resume=True goes on, another name= starts anew."
        )
    if config.precision == "bf16" and accelerator.device.type == "cpu" and emulates_bf16(CPU):
        accelerator.print(EMULATED)
    if resume and not list_checkpoints(checkpoints):
        accelerator.print(f"nothing to resume in {checkpoints}: starting anew.")
        resume = False
    with accelerator.main_process_first():  # the others then find the decoded images on the disk
        data = load_data(config)
    state = TrainState(config, data.classes, accelerator)
    batches = Batches(data.train, config, state.latent_size, accelerator)
    past = load_state(state, checkpoints, config, data.fingerprint()) if resume else {}
    if config.initial and not resume:
        state.start_from(config.initial, config.initial_players)
    start = past.get("step", 0)
    check_agreement(accelerator, start, data.fingerprint())
    state.grow(start * config.batch_size)
    trainer = Trainer(config, accelerator, state, data, start, past, stop, callbacks)
    with contextlib.closing(trainer):
        trainer.begin()
        with stop.delay_signals():
            for step in range(start, trainer.last_step):
                images_seen = (step + 1) * config.batch_size
                state.set_lr_factor(config.learning_rate_factor(images_seen))
                state.grow(images_seen)
                metrics = train_step(state, config, batches, step)
                trainer.check(step + 1, metrics)
                state.ema.update(state.unwrapped_generator, config.batch_size, images_seen)

                trainer.record(step + 1, metrics)
                stopping = stop.requested()
                if stopping or trainer.due(step + 1, config.checkpoint_kimg):
                    trainer.save(checkpoints, step + 1)
                if stopping:
                    kimg = images_seen / 1000
                    raise StoppedError(f"stopped at {kimg:.1f} kimg; its state is saved, resume=True goes on.")
                if step + 1 == trainer.last_step:  # a callback may have brought it forward
                    break
        return finish(trainer)


class MainProcess:
    """The parts of a run on the main process alone: logger, scores, diagnostics, and the callbacks that were passed."""

    def __init__(self, trainer: "Trainer", start: int, past: dict, callbacks: Sequence[Callback]) -> None:
        config, state, data = trainer.config, trainer.state, trainer.data
        self.logger = Logger(config, start * config.batch_size, past.get("changes", []))
        self.evaluator = Evaluator(config, data, state, trainer.scorer, past)
        monitors = past.get("watched", {}).get("monitors")
        self.diagnostics = Diagnostics(config, state, data, self.logger.alarm, monitors)
        own = [trackers.TrackerLogger(trainer.accelerator), self.logger, self.evaluator, self.diagnostics]
        patience = [EarlyStopping(self.evaluator, config.patience_kimg)] if config.patience_kimg > 0 else []
        self.callbacks = CallbackList([*own, *patience], callbacks)
        for name in self.callbacks.load_state_dict(past.get("callbacks", {})):
            print(
                f"note: the checkpoint has the state of the callback {name}, which this run does not have.", flush=True
            )


class Trainer:
    """One run while it goes on: it does what is due after a step, and saves checkpoints.

    `start` is the number of steps done; `past` the checkpoint's state, or empty.
    """

    def __init__(
        self, config: TrainConfig, accelerator: Accelerator, state: TrainState, data: Data, start: int, past: dict,
        stop: StopSignal, callbacks: Sequence[Callback],
    ) -> None:  # fmt: skip
        self.config, self.accelerator, self.state, self.data = config, accelerator, state, data
        self.elapsed_before, self.began, self.began_cpu = past.get("elapsed", {}), time.monotonic(), time.process_time()
        self.fingerprint, self.hardware = data.fingerprint(), hardware(accelerator.device)
        self.scorer: Scorer | None = None
        if config.extractor != "none":
            weights = config.extractor_weights or None
            extractor = InterruptibleExtractor(config.extractor, weights, stop, self._while_scoring)
            self.scorer = Scorer(config, data, extractor.to(accelerator.device))
        self.last_step = config.total_steps  # or earlier, where the run ends early
        self.means = MetricMeans(past.get("watched", {}))
        self.has_callbacks = bool(callbacks)
        images = start * config.batch_size
        self.context = TrainContext(
            config, config.run_folder, self.pipeline, step=start, last_step=self.last_step, images=images
        )
        trackers.start(accelerator, config, images)
        self.main = MainProcess(self, start, past, callbacks) if accelerator.is_main_process else None
        self.line_time, self.line_images = self.began, images  # of the last log line

    def begin(self) -> None:
        """Before the first step: write split.json, call the callbacks, print the headline, redo an interrupted score."""
        if self.main is not None:
            self.data.split(self.config).write(self.config.run_folder)
        self._call("on_train_begin")
        self.accelerator.print(self.headline())
        if self.main is not None and self.main.evaluator.overdue:
            self._score()
        self._stop_if_requested()

    def headline(self) -> str:
        """The first line of a run: processes, device, precision, sizes, data."""
        sizes = [
            f"{name} {sum(p.numel() for p in network.parameters()) / 1e6:.2f} M"
            for name, network in self.state.networks.items()
        ]
        return (
            f"{self.accelerator.num_processes} process(es) on {self.accelerator.device}, {self.config.precision}; "
            f"{', '.join(sizes)} parameters{'' if len(sizes) > 1 else ', no discriminator'}\n"
            f"{self.data.headline()}"
        )

    def pipeline(self) -> GANPipeline:
        """The averaged generator, as it would be published."""
        return GANPipeline(self.state.averaged_generator, None, **self.data.names)

    def due(self, step: int, kimg: float) -> bool:
        """Whether something done every `kimg` is done after this step; always after the last."""
        return kimg > 0 and (step % self.config.every(kimg) == 0 or step == self.last_step)

    def check(self, step: int, metrics: dict[str, torch.Tensor]) -> None:
        """Raise ValueError where a loss, a gradient or a weight of this step is NaN or Inf: before anything keeps it.

        fp16 gradients overflow now and then, and the scaler skips that update; only an exhausted scale is an error. This is
        where a step waits for its device: everything that is still to be known of it is read at once.
        """
        names = [name for name in metrics if name.startswith(("loss/", "gradient/", "weights/"))]
        numbers = self.state.read(*(metrics[name] for name in names))
        wrong = {name: number for name, number in zip(names, numbers, strict=True) if not math.isfinite(number)}
        fp16 = self.config.precision == "fp16"
        fatal = {name: number for name, number in wrong.items() if not (fp16 and name.startswith("gradient/"))}
        # The scale is halved where a gradient overflows, and only there.
        exhausted = self.state.exhausted_scaler() if wrong and not fatal else None
        if not fatal and exhausted is None:
            return
        problem = f"gradient/{exhausted} never fits into fp16"
        if fatal:
            problem = "{} became {}".format(*next(iter(fatal.items())))
        raise ValueError(
            f"{problem} at {step * self.config.batch_size / 1000:.1f} kimg; no checkpoint or average has it, the last "
            "checkpoint is from before. Lower the learning rates, raise r1_gamma, or use precision fp32."
        )

    def record(self, step: int, metrics: dict[str, torch.Tensor]) -> None:
        """Do what is due after a step: score, look, log, sample."""
        config, context = self.config, self.context
        self.means.add(metrics)
        context.step, context.images, context.tensors = step, step * config.batch_size, metrics
        self._call("on_step_end")
        scored = self.scorer is not None and self.due(step, config.evaluate_kimg)
        if scored and self.main is not None:
            self._score()
        if scored or self.has_callbacks:
            self._stop_if_requested()  # before the rest, since more is due after the last step
        logged, context.sample_due = self.due(step, config.log_kimg), self.due(step, config.sample_kimg)
        if logged or context.sample_due or step % LOOK_STEPS == 0:
            self._look()
        if self.main is None:
            return
        if logged:
            self._log()
        if context.sample_due:
            self._sample()
        self.main.logger.add_frame(context)

    def _call(self, event: str) -> None:
        """Call one event of every callback, on the main process."""
        if self.main is not None:
            self.main.callbacks.call(event, self.context)

    def _stop_if_requested(self) -> None:
        """End the run after this step, on all processes together, if a callback has asked for it."""
        context = self.context
        if context.step >= self.config.total_steps or not on_any(self.accelerator, context.stop_reason is not None):
            return
        self.last_step = context.last_step = context.step
        if self.main is not None:
            self.main.logger.end_early(context)

    def _look(self) -> None:
        """Take the means since the last look over all processes, and measure; an alarm may end the run on all of them."""
        self.context.metrics = self.means.reduce(self.accelerator)
        self._call("on_look")
        if self.main is not None:
            self.means.learn(self.context.metrics)
        if self.config.alarms == "stop" and on_any(self.accelerator, self.context.alarm is not None):
            raise self.context.alarm or AlarmError(STOPPED_BY_ALARM.format("see the main process."))

    def _log(self) -> None:
        """Write a line of the log."""
        context, now = self.context, time.monotonic()
        values = self.means.next_line()
        if self.config.loss == "began":
            real, fake = values["logit/real"], values["logit/fake"]
            values["began/convergence"] = began_convergence(real, fake, self.config.began_gamma)
        values["img/s"] = (context.images - self.line_images) / max(1e-9, now - self.line_time)
        values["memory/GB"] = peak_memory_gb(self.accelerator.device)
        self.line_time, self.line_images, context.metrics = now, context.images, values
        self._call("on_log")

    def _sample(self) -> None:
        """Draw the grid."""
        self.context.samples = sample_grid(self.context.pipeline)
        self._call("on_sample")

    def _score(self) -> None:
        """Score the current average."""
        assert self.main is not None
        context, began = self.context, time.monotonic()
        self.main.logger.pause()
        report = self.main.evaluator.score(context.pipeline)
        if report is None:
            return
        self.main.logger.go_on()
        context.report = report
        context.metrics = {f"score/{name}": value for name, value in report.scores.items()}
        self._call("on_score")
        self.line_time += time.monotonic() - began  # img/s is the training's

    def _while_scoring(self) -> None:
        """Called between two blocks of images of a score, which may take minutes."""
        if self.main is not None:
            self.main.logger.remind("measuring a score")

    def elapsed(self) -> dict[str, float]:
        """Seconds of the whole run, earlier stints included: wall clock, and CPU time of this process."""
        return {
            "seconds": round(self.elapsed_before.get("seconds", 0) + time.monotonic() - self.began, 1),
            "cpu_seconds": round(self.elapsed_before.get("cpu_seconds", 0) + time.process_time() - self.began_cpu, 1),
        }

    def save(self, folder: Path, step: int) -> None:
        """Write a checkpoint of everything that the rest of the run depends on."""
        if self.means.sums:
            self.context.sample_due = False
            self._look()  # nothing is left on the device only
        main = self.main
        if main is not None:
            watched = main.diagnostics.state_dict() | self.means.state() | main.evaluator.state_dict()
            state = {
                "config": asdict(self.config),
                "data": self.fingerprint,
                "processes": self.accelerator.num_processes,
                "elapsed": self.elapsed(),
                "hardware": self.hardware,
                "watched": watched,
            }
            passed = main.callbacks.state_dict()
            state |= ({"callbacks": passed} if passed else {}) | self.state.numbers()
            tensors = self.state.tensors() | main.evaluator.best.tensors()
            main.logger.records.sync()
            self.context.checkpoint = save_checkpoint(folder, step, tensors, state, self.config.keep_checkpoints)
            self._call("on_checkpoint")
        self.accelerator.wait_for_everyone()

    def snapshot(self) -> RunSnapshot:
        """The run as it is now, for its export; on the main process."""
        assert self.main is not None
        best = self.main.evaluator.best.best
        weights = best.weights if best and self.config.publish == "best" else None
        return RunSnapshot(
            self.config, self.data, self.last_step * self.config.batch_size, self.state.published(weights), best,
            self.main.logger.records, self.main.logger.timelapse, self.elapsed(), self.accelerator.num_processes,
            self.hardware, self.accelerator.device, self.scorer,
        )  # fmt: skip

    def end(self, folder: Path) -> None:
        """Tell the callbacks that the model lies in `folder`."""
        self.context.export = folder
        self._call("on_train_end")

    def close(self) -> None:
        """Take the progress bar away."""
        if self.main is not None:
            self.main.logger.close()


def finish(trainer: Trainer) -> Path:
    """End a run on all processes: the first one scores, calibrates and exports; returns the model's folder."""
    folder = trainer.config.run_folder
    if trainer.main is not None:
        trainer.close()
        with one_export_at_a_time(folder):
            export(trainer.snapshot(), folder / EXPORT_NAME)
        save_whole(lambda scratch: shutil.copyfile(folder / EXPORT_NAME / PLOT_NAME, scratch), folder / PLOT_NAME)
        trainer.end(folder / EXPORT_NAME)
    trainer.accelerator.wait_for_everyone()
    trainer.accelerator.end_training()
    return folder / EXPORT_NAME
