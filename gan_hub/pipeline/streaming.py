"""Streams of images: seeds without number or end, a block at a time, in the memory of one block."""

import itertools
import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sized
from typing import Any

from tqdm import tqdm

from gan_hub import latents as latent_space
from gan_hub.images import height_width
from gan_hub.messages import short_repr
from gan_hub.pipeline.outputs import GANOutput

STREAM_IMAGES, STREAM_BYTES = 256, 64_000_000  # of a block; of pixels in a byte a channel


def stream_block(config: Mapping[str, Any], block_size: int | None, batch_size: int) -> int:
    """The number of images of a block.

    Args:
        config: the generator's.
        block_size: what the caller wants; None for as many as are of use.
        batch_size: images drawn at a time, whose last bits are those of a whole batch.

    Returns:
        A multiple of `batch_size`.

    Raises:
        ValueError: for a size that is none.
    """
    if block_size is None:
        bytes_each = math.prod(height_width(config["resolution"])) * config["channels"]
        return max(1, min(STREAM_IMAGES, STREAM_BYTES // bytes_each) // batch_size) * batch_size
    size = latent_space.as_int(block_size)
    if size is None or size < 1 or size % batch_size:
        multiple = f", and a multiple of the batch size, {batch_size}" if batch_size > 1 else ""
        raise ValueError(f"block_size={short_repr(block_size)} is not allowed; it is a whole number from 1{multiple}.")
    return size


def check_shared(labels: object, segmentation: object) -> None:
    """Raise ValueError for labels or maps that are one an image: a stream does not know how many images there will be."""
    if labels is not None and not isinstance(labels, str) and latent_space.as_int(labels) is None:
        raise ValueError(f"labels={short_repr(labels)}: a stream takes a name or an index, for all its images.")
    if getattr(segmentation, "ndim", 2) == 3 or isinstance(segmentation, (list, tuple)):
        raise ValueError("segmentation: a stream takes one map, a picture or whole numbers (H, W), for all its images.")


def stream_outputs(
    draw: Callable[[list[int]], GANOutput], seeds: Iterable[int], size: int, progress: bool
) -> Iterator[GANOutput]:
    """Outputs of blocks of seeds, each drawn when it is asked for.

    Args:
        draw: seeds → their output.
        seeds: any number of them.
        size: of a block.
        progress: whether to show a bar on stderr.

    Returns:
        An iterator over the outputs.

    Raises:
        ValueError: for what cannot be iterated over, at once.
    """
    try:
        waiting = iter(seeds)
    except TypeError:
        raise ValueError(f"seeds={short_repr(seeds)} is not allowed; it is a list, as in seeds=[3, 14].") from None
    total = len(seeds) if isinstance(seeds, Sized) else None

    def outputs() -> Iterator[GANOutput]:
        with tqdm(total=total, unit="image", disable=not progress) as bar:
            while block := list(itertools.islice(waiting, size)):
                output = draw(block)
                bar.update(len(block))
                yield output

    return outputs()
