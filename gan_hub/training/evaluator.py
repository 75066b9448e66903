"""Scoring of a run's averaged generator, choice of the best weights, early stopping."""

from collections.abc import Callable
from functools import cached_property

import torch

from gan_hub.metrics.evaluation import REPLICATES, Report, evaluate, real_moments
from gan_hub.metrics.features import Extractor, Outputs
from gan_hub.metrics.memorization import COUNT as COPIES_SHOWN
from gan_hub.pipeline import GANPipeline
from gan_hub.training.batches import Data
from gan_hub.training.best_checkpoint import BEST_NAME, BestSoFar
from gan_hub.training.callbacks import Callback, TrainContext
from gan_hub.training.config import TrainConfig, public_name
from gan_hub.training.stopping import StoppedError, StopSignal
from gan_hub.training.train_state import TrainState, Weights

SCORED_TOGETHER = 100  # images drawn at a time for a score; the last bits may depend on it


class Scorer:
    """Scores a run's generators against the same reals; their features are measured once."""

    def __init__(self, config: TrainConfig, data: Data, extractor: Extractor) -> None:
        self.config, self.data, self.extractor = config, data, extractor

    @cached_property
    def reals(self) -> tuple[torch.Tensor, torch.Tensor]:
        """The moments of the training images' features, measured when a score is first due.

        A run that goes on, and the next one on these images, read the features from the disk.
        """
        return real_moments(self.data.train, self.extractor, True)

    def score(self, pipeline: GANPipeline, final: bool = False) -> Report:
        """The report of a generator against the training images; for its card (`final`) with intervals and reference scores."""
        config = self.config
        return evaluate(
            pipeline, self.data.train, extractor=self.extractor, num_images=config.evaluate_images,
            seed=final_seed(config) if final else 0, real_moments=self.reals,
            held_out=self.data.held_out if final else None, replicates=REPLICATES if final else 0, reference_scores=final,
            batch_size=SCORED_TOGETHER, data_name=public_name(config.data), nearest_training_images=COPIES_SHOWN if final else 0,
        )  # fmt: skip


def final_seed(config: TrainConfig) -> int:
    """The seed of the card's scores, the judge's AUC included: one command measures all of them again.

    Weights chosen by a score are scored again on other images than those they were chosen by.
    """
    return config.evaluate_images if config.publish == "best" else 0


class InterruptibleExtractor(Extractor):
    """An extractor that a signal stops between two blocks of images, since a score may take minutes."""

    def __init__(self, name: str, weights: str | None, stop: StopSignal, between: Callable[[], None]) -> None:
        super().__init__(name, weights)
        self.stop, self.between = stop, between

    def outputs_of_block(self, images: torch.Tensor) -> Outputs:
        """As of `Extractor`; raises StoppedError after a signal."""
        if self.stop.received():
            raise StoppedError("stopped while a score was measured; resume=True goes on.")
        self.between()
        return super().outputs_of_block(images)


class Evaluator(Callback):
    """Scores the averaged generator of one run and keeps the weights with the best score; on the main process.

    `past` is the checkpoint's state of a run that goes on, or empty.
    """

    def __init__(self, config: TrainConfig, data: Data, state: TrainState, scorer: Scorer | None, past: dict) -> None:
        self.config, self.data, self.state, self.scorer = config, data, state, scorer
        watched = past.get("watched", {})
        # A signal came while a score was measured; without an extractor, the run goes on without it.
        self.overdue: bool = scorer is not None and watched.get("score_due", False)
        folder = config.run_folder / BEST_NAME
        self.best = BestSoFar(folder, watched.get("best", {}), past.get("best_weights", {}))

    def score(self, pipeline: GANPipeline) -> Report | None:
        """Score a pipeline; None where a signal interrupted it, which is remembered in `overdue`."""
        assert self.scorer is not None
        try:
            report = self.scorer.score(pipeline)
        except StoppedError:
            self.overdue = True
            return None  # the loop asks the signal itself, after this step
        self.overdue = False
        return report

    def on_train_begin(self, run: TrainContext) -> None:
        """Write the folder of the best weights as the checkpoint has them."""
        self.best.write(self._pipeline)

    def on_score(self, run: TrainContext) -> None:
        """Keep the current weights if their score is the best; those of a network that still grows never are."""
        assert run.report is not None
        grown = self.config.grow_kimg == 0 or self.config.level(run.images) == self.config.levels
        if grown and self.best.consider(run.images, run.report, self.state.published_weights):
            self.best.write(self._pipeline)

    def _pipeline(self, weights: Weights) -> GANPipeline:
        return GANPipeline(*self.state.published(weights), **self.data.names)

    def state_dict(self) -> dict:
        """What a checkpoint holds beside the tensors of `best`."""
        return {"score_due": self.overdue, "best": self.best.state()}


class EarlyStopping(Callback):
    """Ends a run when no score has been better than the best for `patience_kimg` thousand images."""

    def __init__(self, evaluator: Evaluator, patience_kimg: float) -> None:
        self.evaluator, self.patience_kimg = evaluator, patience_kimg

    def on_train_begin(self, run: TrainContext) -> None:
        """Stop a resumed run at once that has waited long enough already."""
        if not self.evaluator.overdue:
            self.on_score(run)

    def on_score(self, run: TrainContext) -> None:
        """Ask the run to stop where it has waited long enough."""
        best, waited = self.evaluator.best.best, self.evaluator.best.waited
        if best is not None and waited >= 1000 * self.patience_kimg:
            run.stop(
                f"{best.name} has not fallen below the {best.score:.4g} of {best.images / 1000:g} kimg for "
                f"{waited / 1000:g} kimg (patience_kimg {self.patience_kimg:g}).",
                remedy="patience_kimg=0 goes on.",
            )
