"""The project's own classifiers of 28 × 28 grey images, which the package ships (digits, fashion)."""

from pathlib import Path

import torch
from torch import nn

from gan_hub.metrics.extractors.network import ExtractorNetwork, Outputs
from gan_hub.model_folder.strict import read_header, read_weights


class SmallClassifier(ExtractorNetwork):
    """Grey images (N, 1, 28, 28) in [-1, 1] → 128 features after ReLU (N, 128), then logits of 10 classes (N, 10).

    The shipped weights are scaled so that a feature's variance over the training images is 1 on average: the unit of a
    distance then does not depend on the training, and distances in different extractors are of similar size.
    """

    resize = "none (28 × 28)"
    num_classes = 10

    def __init__(self) -> None:
        super().__init__()

        def layer(inputs: int, outputs: int) -> list[nn.Module]:
            return [nn.Conv2d(inputs, outputs, 3, padding=1, bias=False), nn.BatchNorm2d(outputs), nn.ReLU()]

        self.body = nn.Sequential(
            *layer(1, 32), nn.MaxPool2d(2), *layer(32, 64), *layer(64, 64), nn.MaxPool2d(2), nn.Dropout(0.25)
        )  # (N, 64, 7, 7)
        self.hidden = nn.Linear(64 * 7 * 7, 128)
        self.classify = nn.Linear(128, 10)

    def features(self, images: torch.Tensor) -> torch.Tensor:
        """Images (N, 1, 28, 28) → features (N, 128)."""
        return torch.relu(self.hidden(self.body(images).flatten(1)))

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """Images (N, 1, 28, 28) → logits (N, 10)."""
        return self.classify(self.features(images))

    def prepare(self, images: torch.Tensor) -> torch.Tensor:
        """The images as they are; raises ValueError for another size or colour."""
        if images.shape[1:] != (1, 28, 28):
            raise ValueError(f"it takes images (N, 1, 28, 28), given {tuple(images.shape)}.")
        return images

    def outputs(self, x: torch.Tensor) -> Outputs:
        """Images (N, 1, 28, 28) → features (N, 128) and logits (N, 10)."""
        features = self.features(x)
        return Outputs(features, self.classify(features))


def load(path: Path) -> SmallClassifier:
    """The classifier of a weight file; raises LoadError for any other file."""
    with torch.random.fork_rng(devices=[]):  # fresh weights are drawn, and then overwritten
        network = SmallClassifier()
    network.load_state_dict(read_weights(path, network.state_dict()))
    network.test_accuracy = float(read_header(path)[1]["test_accuracy"])
    return network.eval().requires_grad_(False)
