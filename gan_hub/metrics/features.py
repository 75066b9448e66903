"""Feature extractors by name: what a Fréchet distance is measured in.

The Inception network of FID is not among them, so no number made here is an FID: it is called FD and bears its
extractor's name (FD-fashion, FD-digits).
"""

from pathlib import Path

import torch
from safetensors import safe_open
from torch import nn

from gan_hub.loading import LoadError, read_bytes, read_weights, sha256

WEIGHTS = Path(__file__).parent / "weights"
EXTRACTORS = ("digits", "fashion")  # trained by benchmarks/feature_nets.py, shipped with the package


class SmallClassifier(nn.Module):
    """Grey images (N, 1, 28, 28) in [-1, 1] → 128 features after ReLU (N, 128), then logits of 10 classes (N, 10).

    The shipped weights are scaled so that a feature's variance over the training images is 1 on average: the unit of a
    distance is then no accident of the training, and distances in different extractors are of like size.
    """

    def __init__(self):
        super().__init__()

        def block(inputs: int, outputs: int) -> list[nn.Module]:
            return [nn.Conv2d(inputs, outputs, 3, padding=1, bias=False), nn.BatchNorm2d(outputs), nn.ReLU()]

        self.body = nn.Sequential(
            *block(1, 32), nn.MaxPool2d(2), *block(32, 64), *block(64, 64), nn.MaxPool2d(2), nn.Dropout(0.25)
        )  # (N, 64, 7, 7)
        self.hidden = nn.Linear(64 * 7 * 7, 128)
        self.classify = nn.Linear(128, 10)

    def features(self, images: torch.Tensor) -> torch.Tensor:
        return torch.relu(self.hidden(self.body(images).flatten(1)))

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return self.classify(self.features(images))


class Extractor:
    """A shipped classifier with its provenance: name, sha256 of its weights, accuracy on its test set."""

    def __init__(self, name: str):
        if name not in EXTRACTORS:
            raise ValueError(f"extractor {name!r} is not allowed; choose one of {', '.join(EXTRACTORS)}.")
        path = WEIGHTS / f"{name}.safetensors"
        if not path.is_file():
            raise LoadError(f"{path}: not found; `python benchmarks/feature_nets.py {name}` trains it.")
        self.name = name
        self.sha256 = sha256(read_bytes(path, 100_000_000))
        with safe_open(path, "pt") as file:
            self.test_accuracy = float(file.metadata()["test_accuracy"])
        with torch.random.fork_rng(devices=[]):
            self.network = SmallClassifier()
        self.network.load_state_dict(read_weights(path, self.network.state_dict()))
        self.network.eval().requires_grad_(False)

    @torch.no_grad()
    def features(self, images: torch.Tensor, batch_size: int = 250) -> torch.Tensor:
        """Images (N, 1, 28, 28) in [-1, 1] → float32 features (N, 128) on the CPU."""
        self._check(images)
        return torch.cat([self.network.features(batch) for batch in images.cpu().float().split(batch_size)])

    @torch.no_grad()
    def classes(self, images: torch.Tensor, batch_size: int = 250) -> torch.Tensor:
        """Images (N, 1, 28, 28) in [-1, 1] → the recognised class of each, int64 (N,)."""
        self._check(images)
        return torch.cat([self.network(batch).argmax(1) for batch in images.cpu().float().split(batch_size)])

    def _check(self, images: torch.Tensor) -> None:
        if images.shape[1:] != (1, 28, 28):
            raise ValueError(f"extractor {self.name!r} takes images (N, 1, 28, 28), given {tuple(images.shape)}.")
