"""MobileNetV2 (Sandler et al. 2018), trained on ImageNet, batch norm folded into the convolutions.

Shapes: N images, C channels, H, W.
"""

from pathlib import Path

import torch
from torch import nn
from torch.nn.functional import pad

from gan_hub.metrics.extractors.inputs import bicubic, to_rgb
from gan_hub.metrics.extractors.network import ExtractorNetwork, Outputs, load_network
from gan_hub.model_folder.strict import LoadError

# Table 2 of the paper: expansion, channels, repeats, stride of the first repeat.
BOTTLENECKS = (
    (1, 16, 1, 1),
    (6, 24, 2, 2),
    (6, 32, 3, 2),
    (6, 64, 4, 2),
    (6, 96, 3, 1),
    (6, 160, 3, 2),
    (6, 320, 1, 1),
)
SIZE = 128  # pixels a side of what the network sees; it was trained at 224, and takes any size
CHECK = "check.feature"  # the feature of `check_image`, which a file may have for a check of its weights
TOLERANCE = 1e-3


class SameConv(nn.Conv2d):
    """A convolution with TensorFlow's SAME padding: an odd row or column goes to the bottom or right."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """(N, inputs, H, W) → (N, outputs, ⌈H / stride⌉, ⌈W / stride⌉)."""

        def margins(size: int, kernel: int, stride: int) -> tuple[int, int]:
            missing = max((-(-size // stride) - 1) * stride + kernel - size, 0)
            return missing // 2, missing - missing // 2

        rows, columns = (margins(x.shape[d + 2], self.kernel_size[d], self.stride[d]) for d in (0, 1))
        return super().forward(pad(x, (*columns, *rows)))


class Bottleneck(nn.Module):
    """An inverted residual block (section 3): 1 × 1 to more channels, depthwise 3 × 3, 1 × 1 back to few without ReLU.

    It is added to its input where their shapes are equal.
    """

    def __init__(self, inputs: int, outputs: int, expansion: int, stride: int) -> None:
        super().__init__()
        inner = inputs * expansion
        self.expand = SameConv(inputs, inner, 1) if expansion > 1 else None
        self.depthwise = SameConv(inner, inner, 3, stride, groups=inner)
        self.project = SameConv(inner, outputs, 1)
        self.residual = stride == 1 and inputs == outputs

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """(N, inputs, H, W) → (N, outputs, H / stride, W / stride)."""
        wide = x if self.expand is None else self.expand(x).clamp(0, 6)
        narrow = self.project(self.depthwise(wide).clamp(0, 6))
        return x + narrow if self.residual else narrow


class MobileNetV2(ExtractorNetwork):
    """RGB (N, 3, H, W) in [-1, 1] → the means of 1280 channels (N, 1280), and 1001 logits: background, then ImageNet."""

    block = 10
    resize = f"antialiased bicubic to {SIZE} × {SIZE}"
    num_classes = 1001

    def __init__(self) -> None:
        super().__init__()
        self.stem = SameConv(3, 32, 3, stride=2)
        blocks, channels = [], 32
        for expansion, outputs, repeats, stride in BOTTLENECKS:
            for repeat in range(repeats):
                blocks.append(Bottleneck(channels, outputs, expansion, 1 if repeat else stride))
                channels = outputs
        self.blocks = nn.Sequential(*blocks)
        self.head = SameConv(channels, 1280, 1)
        self.classify = SameConv(1280, 1001, 1)

    def prepare(self, images: torch.Tensor) -> torch.Tensor:
        """Images of any size and colour as RGB (N, 3, 128, 128)."""
        return bicubic(to_rgb(images), SIZE, SIZE)

    def outputs(self, x: torch.Tensor) -> Outputs:
        """Prepared images (N, 3, H, W) → features (N, 1280) and logits (N, 1001)."""
        x = self.stem(x).clamp(0, 6)  # (N, 32, H / 2, W / 2)
        x = self.head(self.blocks(x)).clamp(0, 6)  # (N, 1280, H / 32, W / 32)
        features = x.mean((2, 3), keepdim=True)  # (N, 1280, 1, 1)
        return Outputs(features.flatten(1), self.classify(features).flatten(1))


def file_names(network: MobileNetV2) -> dict[str, str]:
    """Tensor of the network → name in the file, which numbers convolutions in the order of computation: conv00 … conv52."""
    layers = [name for name, module in network.named_modules() if isinstance(module, SameConv)]
    return {f"{name}.{kind}": f"conv{i:02d}.{kind}" for i, name in enumerate(layers) for kind in ("weight", "bias")}


def check_image() -> torch.Tensor:
    """The image (1, 3, 96, 96) for the feature that a file may state: 0, 1, …, 254, 0, … in reading order."""
    return (torch.arange(3 * 96 * 96).reshape(1, 3, 96, 96) % 255) / 127.5 - 1


@torch.no_grad()
def load(path: Path) -> MobileNetV2:
    """The network of a weight file; raises LoadError where it does not reproduce the file's `check.feature`, if it has one."""
    network, stated = load_network(MobileNetV2, path, file_names, {CHECK: torch.Size([1, 1280])})
    if CHECK in stated:
        gap = (network.outputs(check_image()).features - stated[CHECK]).abs().max().item()
        if not gap <= TOLERANCE:
            raise LoadError(f"{path}: its weights miss its {CHECK!r} by {gap:.3g}; at most {TOLERANCE} is allowed.")
    return network
