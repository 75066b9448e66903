"""The output of a pipeline: images in the requested type, and what makes them again.

Shapes: N images, C channels, H × W resolution, Z latent size.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
import torch
from PIL import Image

from gan_hub.images import height_width, to_pil, to_uint8

OUTPUT_TYPES = ("pil", "pt", "np")
BLOCK, BLOCK_BYTES = 64, 16_000_000  # images, and bytes, converted at a time

Array = TypeVar("Array", np.ndarray, torch.Tensor)
Images = list[Image.Image] | torch.Tensor | np.ndarray


@dataclass(frozen=True)
class GANOutput:
    """Images that a pipeline made, and what makes them again.

    Example:
        >>> from gan_hub import GANPipeline
        >>> output = GANPipeline.from_pretrained("dcgan-mnist")(seeds=[3, 14], labels="7")
        >>> output.images[0].size, output.labels, output.seeds
        ((28, 28), [7, 7], [3, 14])
    """

    images: Images
    latents: torch.Tensor  # (N, Z) float32 on the CPU, before truncation, and before concepts moved them
    labels: (
        list[int] | None
    )  # class index of each image, of blended classes the largest; None for an unconditional model
    seeds: list[int] | None  # None where latents were passed
    segmentations: torch.Tensor | None = None  # (N, H, W) uint8, the map of each image; None for a model without maps


def check_output_type(output_type: str) -> None:
    """Raise ValueError for a type of images that is not known."""
    if output_type not in OUTPUT_TYPES:
        raise ValueError(f"output_type {output_type!r} is not allowed; choose one of {', '.join(OUTPUT_TYPES)}.")


def collect_images(
    batches: Iterable[torch.Tensor], count: int, resolution: int | Sequence[int], channels: int, output_type: str
) -> Images:
    """Convert images block by block, so that many take little more memory than what is returned.

    Args:
        batches: float images (n, C, H, W) in [-1, 1] on the CPU.
        count: the number N of all of them.
        resolution: their size, as in a model's config.
        channels: the number C of channels.
        output_type: "pil"; "pt", float (N, C, H, W) in [-1, 1]; "np", uint8 (N, H, W, C).

    Returns: the images.
    """
    height, width = height_width(resolution)
    blocks = _joined(batches, max(1, min(BLOCK, BLOCK_BYTES // (4 * height * width * channels))))
    if output_type == "pil":
        return [image for block in blocks for image in to_pil(block)]
    if output_type == "np":
        return _filled(np.empty((count, height, width, channels), np.uint8), blocks, to_uint8)
    shape = (count, channels, height, width)
    return _filled(torch.empty(shape, dtype=torch.float32, device="cpu"), blocks, lambda block: block)


def _filled(images: Array, blocks: Iterable[torch.Tensor], convert: Callable[[torch.Tensor], Array]) -> Array:
    start = 0
    for block in blocks:
        images[start : start + len(block)] = convert(block)
        start += len(block)
    return images


def _joined(batches: Iterable[torch.Tensor], size: int) -> Iterator[torch.Tensor]:
    """Batches of images (n, C, H, W), put together until there are `size` of them or more."""
    waiting: list[torch.Tensor] = []
    count = 0
    for batch in batches:
        waiting.append(batch)
        count += len(batch)
        if count >= size:
            yield _one(waiting)
            waiting, count = [], 0
    if waiting:
        yield _one(waiting)


def _one(batches: list[torch.Tensor]) -> torch.Tensor:
    return batches[0] if len(batches) == 1 else torch.cat(batches)
