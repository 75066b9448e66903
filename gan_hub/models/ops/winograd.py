"""3 × 3 convolution with a quarter of the multiplications, for inference on a CPU (Lavin & Gray 2016, arXiv 1509.09308).

The paper's F(4 × 4, 3 × 3): a tile of 6 × 6 pixels and the kernel are treated as polynomials and evaluated at 6 points along
either side; their values are multiplied, and 4 × 4 pixels of the result recovered: 36 products instead of 144. Summed over
the channels, each of the 36 is a matrix product, where a CPU is at its fastest.

Shapes: N images, H × W pixels, I → O feature maps, T tiles.
"""

import math

import torch
from torch.nn import functional

POINTS = (0, math.sqrt(1 / 2), -math.sqrt(1 / 2), math.sqrt(2), -math.sqrt(2))  # and infinity; see `transforms`
TILES, OUTPUTS = 128, 256  # at once, so that intermediate results stay in the cache, and the allocator keeps them


def transforms() -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Matrices (36, 36), (36, 9), (16, 36) of tile, kernel and result, flattened: Kronecker squares of Bᵀ, G and Aᵀ.

    The usual points are 0, ±1, ±2. These lie closer to 1, and so do their powers: the largest error is a quarter of the usual
    one, and that of a direct convolution in float32.
    """

    def values(size: int) -> torch.Tensor:
        """(6, size): a polynomial's coefficients → its values at the points; at infinity, its highest coefficient."""
        powers = torch.tensor(POINTS, dtype=torch.float64, device="cpu")[:, None] ** torch.arange(size, device="cpu")
        return torch.cat([powers, torch.eye(size, dtype=torch.float64, device="cpu")[-1:]])

    tile, kernel, result = torch.linalg.inv(values(6)).t(), values(3), values(4).t()  # along one side
    return torch.kron(tile, tile).float(), torch.kron(kernel, kernel).float(), torch.kron(result, result).float()


TILE, KERNEL, RESULT = transforms()


def is_faster(x: torch.Tensor, weight: torch.Tensor) -> bool:
    """Whether the Winograd path is valid and faster: CPU, float32, inference, enough tiles and channels."""
    if x.device.type != "cpu" or x.dtype != torch.float32 or torch.is_autocast_enabled("cpu"):
        return False
    if torch.is_grad_enabled() or torch.compiler.is_compiling() or weight.shape[2:] != (3, 3):
        return False
    if torch._C._len_torch_dispatch_stack():  # its operators are being recorded or counted, one by one an image
        return False
    height, width = x.shape[2:]
    return height % 4 == width % 4 == 0 and height * width >= 1024 and min(weight.shape[:2]) >= 128


def convolution(x: torch.Tensor, weight: torch.Tensor) -> torch.Tensor:
    """x (N, I, H, W), weight (O, I, 3, 3) → (N, O, H, W), channels last: `functional.conv2d` with a padding of 1.

    H and W are multiples of 4. Images go through one by one, so that none depends on how many there are.
    """
    (count, inputs, height, width), outputs = x.shape, len(weight)
    kernels = [
        (KERNEL @ part.permute(0, 2, 3, 1).reshape(-1, 9, inputs)).permute(1, 2, 0)  # (36, I, O)
        for part in weight.split(OUTPUTS)
    ]
    result = x.new_empty(count, height // 4, 4, width // 4, 4, outputs)
    rows = max(1, TILES // (width // 4))
    for image, image_out in zip(x.permute(0, 2, 3, 1), result, strict=True):
        tiles = functional.pad(image, (0, 0, 1, 1, 1, 1)).unfold(0, 6, 4).unfold(1, 6, 4)  # (H/4, W/4, I, 6, 6)
        for strip, strip_out in zip(tiles.split(rows), image_out.split(rows), strict=True):
            strip = TILE @ strip.permute(3, 4, 0, 1, 2).reshape(36, -1)  # (36, T I)
            strip = strip.view(36, -1, inputs)
            for kernel, channels_out in zip(kernels, strip_out.split(OUTPUTS, -1), strict=True):
                pixels = RESULT @ (strip @ kernel).view(36, -1)  # (16, T O)
                channels_out.copy_(pixels.view(4, 4, -1, *channels_out.shape[2::2]).permute(2, 0, 3, 1, 4))
    return result.view(count, height, width, outputs).permute(0, 3, 1, 2)
