"""Run by test_processes.py under torchrun: a whole training run in which every rank also saves its own weights.

Its scores, where it has any, are SCORES: only the first process measures them, and they differ by rounding.
"""

import json
import os
import sys
from pathlib import Path

from safetensors.torch import save_file

from gan_hub.metrics.report import Report
from gan_hub.training import evaluator
from gan_hub.training.callbacks import Callback
from gan_hub.training.config import TrainConfig
from gan_hub.training.trainer import Trainer, train

SCORES = [5.0, 3.0, 4.0, 4.0, 3.5, 1.0]


class Enough(Callback):
    """Ends a run without patience after ten steps; says on which process it is called."""

    def on_step_end(self, run):
        if run.step == 10 and run.config.patience_kimg == 0:
            run.stop("it is enough.")

    def on_train_end(self, run):
        print(f"called on process {os.environ.get('RANK', 0)}, model in {run.export.name}", flush=True)


def train_and_tell(options: dict, folder: Path, replace=setattr) -> None:
    """`replace` sets an attribute: for ever, or as long as a test lasts."""
    save, scores = Trainer.save, iter(SCORES)

    def save_and_tell(self, checkpoints, step):
        save(self, checkpoints, step)
        accelerator, state = self.accelerator, self.state
        weights = {f"g.{name}": tensor for name, tensor in state.unwrapped_generator.state_dict().items()}
        weights |= {f"d.{name}": tensor for name, tensor in state.unwrapped_discriminator.state_dict().items()}
        weights = {name: tensor.contiguous() for name, tensor in weights.items()}
        save_file(
            weights, folder / f"{accelerator.num_processes}-processes-rank-{accelerator.process_index}.safetensors"
        )

    replace(Trainer, "save", save_and_tell)
    replace(
        evaluator, "evaluate", lambda *given, **options: Report({"FD-digits": next(scores)}, {"extractor": "digits"})
    )
    train(TrainConfig(**options), callbacks=[Enough()])


if __name__ == "__main__":
    train_and_tell(json.loads(sys.argv[1]), Path(sys.argv[2]))
