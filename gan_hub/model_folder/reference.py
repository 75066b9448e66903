"""reference.safetensors: the images of a few seeds, as the model drew them when it was saved."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import save as to_safetensors

from gan_hub.model_folder.files import REFERENCE_NAME
from gan_hub.model_folder.manifest import read_file
from gan_hub.model_folder.strict import LoadError, parse_tensors

SEEDS = (0, 1, 2, 3)
TOLERANCE = 2  # levels of 255; another kind of machine rounds a pixel to the next level


def as_bytes(images: np.ndarray) -> bytes:
    """The content of the file for uint8 images (4, H, W, C) of SEEDS."""
    seeds = torch.tensor(SEEDS, device="cpu")
    return to_safetensors({"seeds": seeds, "images": torch.from_numpy(np.ascontiguousarray(images))})


def largest_difference(folder: Path, draw: Callable[[list[int]], np.ndarray]) -> int:
    """Draw the seeds of a folder's reference again and compare the pixels.

    Args:
        folder: the model's folder.
        draw: seeds → images, uint8 (N, H, W, C).

    Returns: the largest difference of a pixel, 0 to TOLERANCE levels of 255.

    Raises:
        LoadError: for a larger difference, other shapes, or a file that is missing or damaged.
    """
    path = folder / REFERENCE_NAME
    tensors = parse_tensors(path, read_file(folder, REFERENCE_NAME))
    if tensors.keys() != {"seeds", "images"} or tensors["images"].dtype != torch.uint8:
        raise LoadError(f"{path}: damaged (it has no seeds, or no images of 256 levels).")
    expected = tensors["images"].numpy().astype(int)
    try:
        images = draw(tensors["seeds"].tolist())
    except (ValueError, TypeError) as error:  # seeds that are none
        raise LoadError(f"{path}: damaged ({error}).") from error
    if expected.shape != images.shape or not expected.size:
        raise LoadError(f"{path}: images of shape {expected.shape}, but this model makes {images.shape}.")
    worst = int(np.abs(images - expected).max())
    if worst > TOLERANCE:
        raise LoadError(f"{path}: the images differ by up to {worst} levels; these are not the published weights.")
    return worst
