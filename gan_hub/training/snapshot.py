"""What an export needs of a run: its networks, data, scores and log at one moment."""

from dataclasses import dataclass

import torch

from gan_hub.models import GANModel
from gan_hub.training.batches import Data
from gan_hub.training.best_checkpoint import Best
from gan_hub.training.config import TrainConfig
from gan_hub.training.evaluator import Scorer
from gan_hub.training.run_files import RunLog, Timelapse


@dataclass
class RunSnapshot:
    """A run at one moment, as an export needs it."""

    config: TrainConfig
    data: Data
    images: int  # seen
    networks: tuple[GANModel, GANModel | None]  # the averaged generator and the discriminator, as they are published
    best: Best | None
    records: RunLog
    timelapse: Timelapse
    elapsed: dict[str, float]  # seconds of the whole run, wall clock and CPU time
    processes: int
    hardware: str
    device: torch.device  # to measure on
    scorer: Scorer | None
