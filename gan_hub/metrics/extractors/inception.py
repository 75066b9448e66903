"""The Inception of FID (Heusel et al. 2017): TensorFlow's graph of 2015-12-05, in the layout of its PyTorch port.

Inception v3 (Szegedy et al. 2016) in three ways unlike the published one: average pools do not count their padding, the
last block pools by the maximum, and there are 1008 classes. Tensors have the names of the port (pytorch-fid's).
Shapes: N images, C channels, H, W.
"""

import hashlib
import os
from collections.abc import Callable, Mapping
from pathlib import Path

import torch
from torch import nn
from torch.nn.functional import avg_pool2d, max_pool2d, relu

from gan_hub.metrics.extractors.inputs import bilinear_tensorflow1, to_rgb
from gan_hub.metrics.extractors.network import ExtractorNetwork, FixedNorm, Outputs, load_network

SIZE = 299

# Checksums (`tensors_sha256`) of files known to be the Inception of FID; only with one of them is a number an FID. None
# is known yet. After converting the port's file, whose own sha256 is published (benchmarks/convert_inception.py), set this
# variable to the checksum that the conversion prints; several are separated by commas.
TRUSTED: frozenset[str] = frozenset()
TRUSTED_VARIABLE = "GAN_HUB_FID_INCEPTION"


class Conv(nn.Module):
    """Convolution without bias, batch norm, ReLU."""

    def __init__(
        self, inputs: int, outputs: int, kernel: int | tuple[int, int], stride: int = 1, same: bool = True
    ) -> None:
        """`same`: as large as the input (an odd kernel, stride 1), by zeros; otherwise without padding."""
        super().__init__()
        kernel = (kernel, kernel) if isinstance(kernel, int) else kernel
        padding = (kernel[0] // 2, kernel[1] // 2) if same else 0
        self.conv = nn.Conv2d(inputs, outputs, kernel, stride, padding, bias=False)
        self.bn = FixedNorm(outputs, epsilon=1e-3)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """(N, inputs, H, W) → (N, outputs, H / stride, W / stride)."""
        return relu(self.bn(self.conv(x)))


def mean3x3(x: torch.Tensor) -> torch.Tensor:
    """The mean over a pixel and its neighbours; at the border over fewer."""
    return avg_pool2d(x, 3, stride=1, padding=1, count_include_pad=False)


def max3x3(x: torch.Tensor) -> torch.Tensor:
    """The maximum over a pixel and its neighbours."""
    return max_pool2d(x, 3, stride=1, padding=1)


class BlockA(nn.Module):
    """35 × 35 pixels (figure 5 of the paper)."""

    def __init__(self, inputs: int, pooled: int) -> None:
        super().__init__()
        self.branch1x1 = Conv(inputs, 64, 1)
        self.branch5x5_1, self.branch5x5_2 = Conv(inputs, 48, 1), Conv(48, 64, 5)
        self.branch3x3dbl_1, self.branch3x3dbl_2, self.branch3x3dbl_3 = (
            Conv(inputs, 64, 1),
            Conv(64, 96, 3),
            Conv(96, 96, 3),
        )
        self.branch_pool = Conv(inputs, pooled, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """(N, inputs, 35, 35) → (N, 224 + pooled, 35, 35)."""
        five = self.branch5x5_2(self.branch5x5_1(x))
        double = self.branch3x3dbl_3(self.branch3x3dbl_2(self.branch3x3dbl_1(x)))
        return torch.cat([self.branch1x1(x), five, double, self.branch_pool(mean3x3(x))], 1)  # (N, 224 + pooled, H, W)


class BlockB(nn.Module):
    """From 35 × 35 to 17 × 17 pixels."""

    def __init__(self, inputs: int) -> None:
        super().__init__()
        self.branch3x3 = Conv(inputs, 384, 3, stride=2, same=False)
        self.branch3x3dbl_1, self.branch3x3dbl_2 = Conv(inputs, 64, 1), Conv(64, 96, 3)
        self.branch3x3dbl_3 = Conv(96, 96, 3, stride=2, same=False)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """(N, inputs, 35, 35) → (N, 480 + inputs, 17, 17)."""
        double = self.branch3x3dbl_3(self.branch3x3dbl_2(self.branch3x3dbl_1(x)))
        return torch.cat([self.branch3x3(x), double, max_pool2d(x, 3, stride=2)], 1)  # (N, 480 + C, H / 2, W / 2)


class BlockC(nn.Module):
    """17 × 17 pixels: 7 × 7 in rows and columns (figure 6)."""

    def __init__(self, inputs: int, inner: int) -> None:
        super().__init__()
        row, column = (1, 7), (7, 1)
        self.branch1x1 = Conv(inputs, 192, 1)
        self.branch7x7_1, self.branch7x7_2 = Conv(inputs, inner, 1), Conv(inner, inner, row)
        self.branch7x7_3 = Conv(inner, 192, column)
        self.branch7x7dbl_1, self.branch7x7dbl_2 = Conv(inputs, inner, 1), Conv(inner, inner, column)
        self.branch7x7dbl_3, self.branch7x7dbl_4 = Conv(inner, inner, row), Conv(inner, inner, column)
        self.branch7x7dbl_5 = Conv(inner, 192, row)
        self.branch_pool = Conv(inputs, 192, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """(N, inputs, 17, 17) → (N, 768, 17, 17)."""
        seven = self.branch7x7_3(self.branch7x7_2(self.branch7x7_1(x)))
        double = self.branch7x7dbl_3(self.branch7x7dbl_2(self.branch7x7dbl_1(x)))
        double = self.branch7x7dbl_5(self.branch7x7dbl_4(double))
        return torch.cat([self.branch1x1(x), seven, double, self.branch_pool(mean3x3(x))], 1)  # (N, 768, H, W)


class BlockD(nn.Module):
    """From 17 × 17 to 8 × 8 pixels."""

    def __init__(self, inputs: int) -> None:
        super().__init__()
        self.branch3x3_1, self.branch3x3_2 = Conv(inputs, 192, 1), Conv(192, 320, 3, stride=2, same=False)
        self.branch7x7x3_1, self.branch7x7x3_2 = Conv(inputs, 192, 1), Conv(192, 192, (1, 7))
        self.branch7x7x3_3, self.branch7x7x3_4 = Conv(192, 192, (7, 1)), Conv(192, 192, 3, stride=2, same=False)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """(N, inputs, 17, 17) → (N, 512 + inputs, 8, 8)."""
        three = self.branch3x3_2(self.branch3x3_1(x))
        seven = self.branch7x7x3_4(self.branch7x7x3_3(self.branch7x7x3_2(self.branch7x7x3_1(x))))
        return torch.cat([three, seven, max_pool2d(x, 3, stride=2)], 1)  # (N, 512 + C, H / 2, W / 2)


class BlockE(nn.Module):
    """8 × 8 pixels: rows and columns side by side (figure 7).

    The pool is the mean, and in the last block the maximum, as in the graph of 2015 and unlike in the paper.
    """

    def __init__(self, inputs: int, pool: Callable[[torch.Tensor], torch.Tensor] = mean3x3) -> None:
        super().__init__()
        row, column = (1, 3), (3, 1)
        self.pool = pool
        self.branch1x1, self.branch3x3_1 = Conv(inputs, 320, 1), Conv(inputs, 384, 1)
        self.branch3x3_2a, self.branch3x3_2b = Conv(384, 384, row), Conv(384, 384, column)
        self.branch3x3dbl_1, self.branch3x3dbl_2 = Conv(inputs, 448, 1), Conv(448, 384, 3)
        self.branch3x3dbl_3a, self.branch3x3dbl_3b = Conv(384, 384, row), Conv(384, 384, column)
        self.branch_pool = Conv(inputs, 192, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """(N, inputs, 8, 8) → (N, 2048, 8, 8)."""
        three, double = self.branch3x3_1(x), self.branch3x3dbl_2(self.branch3x3dbl_1(x))
        branches = [
            self.branch1x1(x),
            *(self.branch3x3_2a(three), self.branch3x3_2b(three)),
            *(self.branch3x3dbl_3a(double), self.branch3x3dbl_3b(double)),
            self.branch_pool(self.pool(x)),
        ]
        return torch.cat(branches, 1)  # (N, 2048, H, W)


class FIDInception(ExtractorNetwork):
    """RGB (N, 3, 299, 299), (x − 128) / 128 of 0 … 255 → 2048 features of the last pool, and 1008 logits.

    The logits are those of the Inception score (Salimans et al. 2016) as it is computed: without the bias.
    """

    block = 10
    resize = f"bilinear to {SIZE} × {SIZE} as in TensorFlow 1"
    num_classes = 1008

    def __init__(self) -> None:
        super().__init__()
        self.Conv2d_1a_3x3 = Conv(3, 32, 3, stride=2, same=False)  # (N, 32, 149, 149)
        self.Conv2d_2a_3x3 = Conv(32, 32, 3, same=False)  # (N, 32, 147, 147)
        self.Conv2d_2b_3x3 = Conv(32, 64, 3)  # then pooled to (N, 64, 73, 73)
        self.Conv2d_3b_1x1 = Conv(64, 80, 1)
        self.Conv2d_4a_3x3 = Conv(80, 192, 3, same=False)  # (N, 192, 71, 71), then pooled to 35 × 35
        self.Mixed_5b, self.Mixed_5c, self.Mixed_5d = BlockA(192, 32), BlockA(256, 64), BlockA(288, 64)
        self.Mixed_6a = BlockB(288)  # (N, 768, 17, 17)
        self.Mixed_6b, self.Mixed_6c = BlockC(768, 128), BlockC(768, 160)
        self.Mixed_6d, self.Mixed_6e = BlockC(768, 160), BlockC(768, 192)
        self.Mixed_7a = BlockD(768)  # (N, 1280, 8, 8)
        self.Mixed_7b, self.Mixed_7c = BlockE(1280), BlockE(2048, pool=max3x3)
        self.fc = nn.Linear(2048, 1008)

    def prepare(self, images: torch.Tensor) -> torch.Tensor:
        """Images of any size and colour as RGB (N, 3, 299, 299), about −1 to 1."""
        pixels = (to_rgb(images) + 1) * 127.5  # 0 … 255
        return (bilinear_tensorflow1(pixels, SIZE, SIZE) - 128) / 128

    def outputs(self, x: torch.Tensor) -> Outputs:
        """Prepared images (N, 3, 299, 299) → features (N, 2048) and logits (N, 1008)."""
        x = self.Conv2d_2b_3x3(self.Conv2d_2a_3x3(self.Conv2d_1a_3x3(x)))
        x = self.Conv2d_4a_3x3(self.Conv2d_3b_1x1(max_pool2d(x, 3, stride=2)))
        x = self.Mixed_5d(self.Mixed_5c(self.Mixed_5b(max_pool2d(x, 3, stride=2))))
        x = self.Mixed_6e(self.Mixed_6d(self.Mixed_6c(self.Mixed_6b(self.Mixed_6a(x)))))
        features = self.Mixed_7c(self.Mixed_7b(self.Mixed_7a(x))).mean((2, 3))  # (N, 2048)
        return Outputs(features, features @ self.fc.weight.T)


def tensors_sha256(tensors: Mapping[str, torch.Tensor]) -> str:
    """A checksum of the tensors, whatever file they are in: names, shapes and float32 values (little-endian).

    In the order of the names; counters of batches are left out.
    """
    digest = hashlib.sha256()
    for name in sorted(tensors):
        if not name.endswith("num_batches_tracked"):
            digest.update(f"{name} {list(tensors[name].shape)}\n".encode())
            digest.update(tensors[name].float().contiguous().numpy().astype("<f4").tobytes())
    return digest.hexdigest()


def load(path: Path) -> FIDInception:
    """The network of a weight file, which knows by its checksum whether it is the Inception of FID."""
    network, _ = load_network(FIDInception, path)
    network.trusted_by = trusted_by(tensors_sha256(network.state_dict()))
    return network


def trusted_by(checksum: str) -> str | None:
    """Who vouches that weights of this checksum are the Inception of FID: "gan_hub", the variable's name, or None."""
    if checksum in TRUSTED:
        return "gan_hub"
    named = (known.strip() for known in os.environ.get(TRUSTED_VARIABLE, "").split(","))
    return TRUSTED_VARIABLE if checksum in named else None
