"""ResNet-56 for 32 × 32 images (He et al. 2016, section 4.2), trained on CIFAR-10. Shapes: N images, C channels, H, W."""

import re
from pathlib import Path

import torch
from torch import nn
from torch.nn.functional import pad, relu

from gan_hub.metrics.extractors.inputs import IMAGENET_DEVIATION, IMAGENET_MEAN, bicubic, standardize, to_rgb
from gan_hub.metrics.extractors.network import ExtractorNetwork, FixedNorm, Outputs, load_network
from gan_hub.model_folder.strict import read_header

LABEL_NAMES = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")
DEPTH = 9  # blocks a stage: 6 · 9 + 2 = 56 layers


def conv3x3(inputs: int, outputs: int, stride: int = 1) -> nn.Conv2d:
    """A 3 × 3 convolution without bias.

    Args:
        inputs, outputs: channels.
        stride: 1 keeps the size, 2 halves it.

    Returns:
        The layer.
    """
    return nn.Conv2d(inputs, outputs, 3, stride, padding=1, bias=False)


class Block(nn.Module):
    """Two 3 × 3 convolutions and a shortcut without weights: every second pixel, padded with channels of 0 (option A)."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.added_channels, self.stride = outputs - inputs, 1 if inputs == outputs else 2
        self.conv1, self.bn1 = conv3x3(inputs, outputs, self.stride), FixedNorm(outputs, epsilon=1e-5)
        self.conv2, self.bn2 = conv3x3(outputs, outputs), FixedNorm(outputs, epsilon=1e-5)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """(N, inputs, H, W) → (N, outputs, H / stride, W / stride)."""
        inner = self.bn2(self.conv2(relu(self.bn1(self.conv1(x)))))
        # The paper does not say where the channels of 0 go; the known weights have half of them on each side.
        margin = self.added_channels // 2
        shortcut = pad(x[:, :, :: self.stride, :: self.stride], (0, 0, 0, 0, margin, margin))
        return relu(inner + shortcut)


class CIFARResNet56(ExtractorNetwork):
    """RGB (N, 3, 32, 32) in [-1, 1] → the means of 64 channels (N, 64), and logits of 10 classes."""

    resize = "antialiased bicubic to 32 × 32"
    num_classes = 10

    def __init__(self) -> None:
        super().__init__()
        self.conv1, self.bn1 = conv3x3(3, 16), FixedNorm(16, epsilon=1e-5)
        self.layer1 = nn.Sequential(*(Block(16, 16) for _ in range(DEPTH)))  # (N, 16, 32, 32)
        self.layer2 = nn.Sequential(Block(16, 32), *(Block(32, 32) for _ in range(DEPTH - 1)))  # (N, 32, 16, 16)
        self.layer3 = nn.Sequential(Block(32, 64), *(Block(64, 64) for _ in range(DEPTH - 1)))  # (N, 64, 8, 8)
        self.linear = nn.Linear(64, 10)

    def prepare(self, images: torch.Tensor) -> torch.Tensor:
        """Images of any size and colour, standardized for the network, (N, 3, 32, 32)."""
        return standardize(bicubic(to_rgb(images), 32, 32), IMAGENET_MEAN, IMAGENET_DEVIATION)

    def outputs(self, x: torch.Tensor) -> Outputs:
        """Prepared images (N, 3, 32, 32) → features (N, 64) and logits (N, 10)."""
        x = relu(self.bn1(self.conv1(x)))
        features = self.layer3(self.layer2(self.layer1(x))).mean((2, 3))
        return Outputs(features, self.linear(features))


def load(path: Path) -> CIFARResNet56:
    """The network of a weight file, with the accuracy of its metadata ("test_accuracy", such as "93.40 % …")."""
    network, _ = load_network(CIFARResNet56, path)
    stated = re.match(r"(\d{1,2}(?:\.\d{1,4})?) ?%", read_header(path)[1].get("test_accuracy", ""))
    network.test_accuracy = round(float(stated[1]) / 100, 6) if stated else None
    return network
