"""Maps of semantic classes: checked, brought to other grids, as planes of numbers, and the edges of their regions.

Shapes: N images, H × W resolution, h × w a coarser grid, S semantic classes.
"""

from collections.abc import Sequence

import torch

from gan_hub.images import height_width

Grid = tuple[int, int]  # height, width


def check_map(segmentation: torch.Tensor, resolution: int | Sequence[int], semantic_classes: int) -> None:
    """Check a map against the images' size and the number of classes.

    Args:
        segmentation: The map, integers (N, H, W).
        resolution: (H, W), or one number for a square.
        semantic_classes: S; a map holds 0 to S − 1. Only checked on the CPU.

    Raises:
        ValueError: for another dtype, shape or class.
    """
    size = height_width(resolution)
    whole = not segmentation.is_floating_point() and not segmentation.is_complex() and segmentation.dtype != torch.bool
    if not whole or segmentation.shape[1:] != size:
        raise ValueError(
            f"a segmentation is whole numbers (N, {size[0]}, {size[1]}), given {segmentation.dtype} "
            f"{tuple(segmentation.shape)}."
        )
    if torch.compiler.is_compiling() or segmentation.device.type != "cpu":
        return  # a compiled graph has no values, and an accelerator would have to wait for them
    low, high = (value.item() for value in segmentation.aminmax()) if segmentation.numel() else (0, 0)
    if low < 0 or high >= semantic_classes:
        raise ValueError(
            f"a segmentation holds classes from 0 to {semantic_classes - 1}, but class {low if low < 0 else high} is in it."
        )


def resize_nearest(segmentation: torch.Tensor, grid: Grid) -> torch.Tensor:
    """(N, H, W) → (N, h, w): each cell takes the class of the pixel at its upper left."""
    (height, width), (rows, columns) = segmentation.shape[1:], grid
    row = torch.arange(rows, device=segmentation.device) * height // rows
    column = torch.arange(columns, device=segmentation.device) * width // columns
    return segmentation[:, row[:, None], column]


def one_hot_map(segmentation: torch.Tensor, semantic_classes: int, dtype: torch.dtype) -> torch.Tensor:
    """One plane a class, 1 where the map has the class and 0 elsewhere.

    Args:
        segmentation: Classes (N, h, w).
        semantic_classes: S.
        dtype: Of the result.

    Returns:
        (N, S, h, w).
    """
    classes = torch.arange(semantic_classes, device=segmentation.device)[:, None, None]
    return (segmentation[:, None] == classes).to(dtype)


def edges_of_regions(segmentation: torch.Tensor, dtype: torch.dtype) -> torch.Tensor:
    """1 at each pixel that has a neighbour of another class, above, below, left or right: (N, H, W) → (N, 1, H, W)."""
    edges = torch.zeros_like(segmentation, dtype=torch.bool)
    for dim in (1, 2):
        length = segmentation.shape[dim] - 1
        differs = segmentation.narrow(dim, 1, length) != segmentation.narrow(dim, 0, length)
        for start in (0, 1):
            edges.narrow(dim, start, length).logical_or_(differs)
    return edges[:, None].to(dtype)
