"""Callbacks of a run: its own logger, monitors and early stopping are built on them, and yours can be."""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import torch
from PIL import Image

from gan_hub.messages import short_repr
from gan_hub.metrics.report import Report
from gan_hub.pipeline import GANPipeline
from gan_hub.training.config import TrainConfig


@dataclass
class TrainContext:
    """The state of a run that a callback gets. What its event does not set is left from an earlier one.

    Example:
        >>> from gan_hub.training import Callback, TrainContext
        >>> class Curve(Callback):
        ...     def __init__(self):
        ...         self.losses = []
        ...     def on_log(self, run: TrainContext):
        ...         self.losses.append((run.images, run.metrics["loss/generator"]))
    """

    config: TrainConfig
    folder: Path  # of the run
    average: Callable[[], GANPipeline]  # what `pipeline` asks for
    step: int = 0  # steps done
    last_step: int = 0  # the run ends after it; less than the config's where it ends early
    images: int = 0  # of the generator's steps so far, over all processes
    metrics: dict[str, float] = field(default_factory=dict)  # column of the log → number; see the events
    tensors: dict[str, torch.Tensor] = field(default_factory=dict)  # this step's own, on the device, of this process
    sample_due: bool = False  # whether a grid is drawn after this step
    samples: Image.Image | None = None  # the newest grid
    report: Report | None = None  # the newest score
    checkpoint: Path | None = None  # the newest
    export: Path | None = None  # the finished model's folder
    stop_reason: str | None = None  # of the first `stop`
    remedy: str = ""
    alarm: Exception | None = None  # what ends a run with alarms=stop

    @property
    def pipeline(self) -> GANPipeline:
        """The current averaged generator, without its discriminator, to draw images from.

        It is the run's own network: draw from it, or save it, but do not change it.
        """
        return self.average()

    def stop(self, reason: str, remedy: str = "") -> None:
        """Ask the run to end early, like a shorter run: with a checkpoint, a note in the log, and the export.

        From `on_train_begin`, `on_step_end` and `on_score` the run ends with this step, from a later event with the next.

        Args:
            reason: why, as the end of a sentence, for the log and the card.
            remedy: how to go on all the same, said when the run is resumed.
        """
        if self.stop_reason is None:
            self.stop_reason, self.remedy = reason, remedy


class Callback:
    """Something done at set points of a run. Override what you need; every method gets the run's `TrainContext`.

    Only the main process calls callbacks. An exception in one ends the run; what was saved is kept.

    Example:
        >>> from gan_hub.training import Callback
        >>> class GoodEnough(Callback):
        ...     def on_score(self, run):
        ...         if run.metrics["score/FD-digits"] < 2:
        ...             run.stop("the Fréchet distance is below 2.")
        >>> GoodEnough().state_dict()
        {}
    """

    def on_train_begin(self, run: TrainContext) -> None:
        """Before the first step, after a checkpoint was loaded; `run.step` is what it had done."""

    def on_step_end(self, run: TrainContext) -> None:
        """After each step. `run.tensors` are its losses, `run.metrics` the newest known means."""

    def on_score(self, run: TrainContext) -> None:
        """Every `evaluate_kimg`: `run.report` is new, `run.metrics` are its scores, as score/FD-digits."""

    def on_look(self, run: TrainContext) -> None:
        """Every 50 steps, and before a log line or a sample: `run.metrics` are means over the steps since the last look.

        What a callback adds to them becomes a column of the log.
        """

    def on_log(self, run: TrainContext) -> None:
        """Every `log_kimg`: `run.metrics` are what the line of the log has."""

    def on_sample(self, run: TrainContext) -> None:
        """Every `sample_kimg`: `run.samples` is a new grid, always of the same latents."""

    def on_checkpoint(self, run: TrainContext) -> None:
        """Every `checkpoint_kimg`, once `run.checkpoint` is on the disk."""

    def on_train_end(self, run: TrainContext) -> None:
        """After the export, `run.export`; not where the run was stopped by a signal or ended with an error."""

    def state_dict(self) -> dict:
        """What a resume needs, for the checkpoint: JSON values, no NaN or Inf."""
        return {}

    def load_state_dict(self, state: dict) -> None:
        """Take over what `state_dict` returned; at a resume, before `on_train_begin`."""


class CallbackList:
    """Callbacks, called in order; the checkpoint holds the state of each that was passed to `train`."""

    def __init__(self, own: Sequence[Callback], passed: Sequence[Callback]) -> None:
        self.callbacks = [*own, *passed]
        self.passed: dict[str, Callback] = {}
        for callback in passed:
            name = type(callback).__name__
            several = sum(type(other).__name__ == name for other in self.passed.values())
            self.passed[f"{name}-{several + 1}" if several else name] = callback

    def call(self, event: str, run: TrainContext) -> None:
        """Call the method `event` of each callback."""
        for callback in self.callbacks:
            getattr(callback, event)(run)

    def state_dict(self) -> dict[str, dict]:
        """Name → state, of the passed callbacks that have one; raises ValueError where JSON cannot hold it."""
        states = {name: callback.state_dict() for name, callback in self.passed.items()}
        for name, state in states.items():
            try:
                json.dumps(state, allow_nan=False)
            except (TypeError, ValueError) as error:
                raise ValueError(
                    f"callback {name}: its state_dict() is not allowed in a checkpoint ({error})."
                ) from error
            if not isinstance(state, dict):
                raise ValueError(f"callback {name}: its state_dict() is {short_repr(state)}; it has to be a dict.")
        return {name: state for name, state in states.items() if state}

    def load_state_dict(self, states: dict[str, dict]) -> list[str]:
        """Give each callback its state; returns the names of the states that no callback here has."""
        for name, callback in self.passed.items():
            if name in states:
                callback.load_state_dict(states[name])
        return sorted(states.keys() - self.passed.keys())


def check_callbacks(callbacks: Sequence[Callback]) -> None:
    """Raise ValueError for anything that is no callback, such as a class in place of an instance, or one without a list."""
    if not isinstance(callbacks, Sequence):
        raise ValueError(f"callbacks: {short_repr(callbacks)} is not allowed; give a list, as [MyCallback()].")
    for callback in callbacks:
        if not isinstance(callback, Callback):
            instead = f"{callback.__name__}()" if isinstance(callback, type) else "an instance of a Callback"
            raise ValueError(f"callbacks: {short_repr(callback)} is not allowed; give {instead}.")
