"""Maps of semantic classes: as a user may give them, and as the examples that a published model brings along.

Shapes: N images, M examples, H × W resolution, S semantic classes. Checked maps are uint8, each pixel a class from 0 to S − 1.
"""

import colorsys
import zlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from safetensors.torch import load as parse_safetensors
from safetensors.torch import save_file

from gan_hub.images import NUMBERED, fit_map, height_width
from gan_hub.messages import short_repr
from gan_hub.model_folder.strict import LoadError, Manifest, read_bytes

FILE_NAME, TENSOR_NAME = "segmentations.safetensors", "segmentations"
MAX_EXAMPLES = 64
GOLDEN_RATIO = (5**0.5 - 1) / 2  # of the circle of hues, between one class and the next
HEADER_BYTES = 1000  # more than one tensor's name, dtype and shape take


def as_maps(given: object, count: int, resolution: int | Sequence[int], classes: int) -> torch.Tensor:
    """uint8 (N, H, W) of what a user gave for `count` images: one map for all of them, or one an image.

    Arrays and tensors are whole numbers (H, W) or (N, H, W) in the size of the images. PIL pictures of mode L or P, one or
    a list, are cropped and resized as for training. Raises ValueError, in one sentence, for anything else.
    """
    height, width = height_width(resolution)
    if isinstance(given, Image.Image):
        given = _numbers(given, (height, width))
    elif isinstance(given, (list, tuple)) and given and all(isinstance(item, Image.Image) for item in given):
        given = np.stack([_numbers(item, (height, width)) for item in given])
    maps = _whole(given)
    if maps is None or maps.ndim not in (2, 3) or maps.shape[-2:] != (height, width):
        kind = f"{type(given).__name__} {getattr(given, 'dtype', '')} {tuple(getattr(given, 'shape', ()))}"
        raise ValueError(
            f"a segmentation is a picture of mode L or P, or whole numbers ({height}, {width}) or (N, {height}, {width}); "
            f"given {' '.join(kind.split())}."
        )
    if maps.ndim == 3 and len(maps) != count:
        raise ValueError(f"{len(maps)} segmentations for {count} images; give one (H, W) for all, or one an image.")
    wrong = _outside(maps, classes)
    if wrong is not None:
        raise ValueError(f"the segmentation has the class {wrong}; this model's classes are 0 to {classes - 1}.")
    return maps.to(torch.uint8).expand(count, height, width)


def as_examples(given: object, resolution: int | Sequence[int], classes: int) -> torch.Tensor:
    """uint8 (M, H, W) of example maps, M from 1 to MAX_EXAMPLES. Raises ValueError for anything else."""
    count = len(given) if isinstance(given, (np.ndarray, torch.Tensor)) and given.ndim == 3 else 0
    if not 1 <= count <= MAX_EXAMPLES:
        shape = tuple(getattr(given, "shape", ()))
        raise ValueError(f"segmentations are 1 to {MAX_EXAMPLES} example maps (M, H, W); given {shape}.")
    return as_maps(given, count, resolution, classes).contiguous()


def choose_examples(examples: torch.Tensor, z: torch.Tensor) -> torch.Tensor:
    """The example map (N, H, W) of each latent (N, Z), float32: always the same, so that a latent alone makes one image."""
    return examples[[zlib.crc32(row.tobytes()) % len(examples) for row in z.numpy()]]


def colorize(maps: torch.Tensor) -> list[Image.Image]:
    """Maps (N, H, W) as RGB pictures to look at, a colour for each class, neighbouring numbers in unlike ones."""
    colours = [colorsys.hsv_to_rgb(number * GOLDEN_RATIO % 1, 0.65, 1 - 0.4 * (number % 2)) for number in range(256)]
    levels = (np.array(colours) * 255).round().astype(np.uint8)
    return [Image.fromarray(levels[each]) for each in maps.numpy()]


def write(folder: Path, examples: torch.Tensor) -> None:
    """Writes the example maps into a model's folder."""
    save_file({TENSOR_NAME: examples}, folder / FILE_NAME)


def read(folder: Path, resolution: int | Sequence[int], classes: int, manifest: Manifest) -> torch.Tensor:
    """The example maps of a model's folder; raises LoadError where anything in the file is not as it must be."""
    path, (height, width) = folder / FILE_NAME, height_width(resolution)
    data = read_bytes(path, HEADER_BYTES + MAX_EXAMPLES * height * width)
    manifest.verify(FILE_NAME, data)
    try:
        tensors = parse_safetensors(data)
    except Exception as error:  # the parser raises SafetensorError, TypeError or KeyError, depending on the damage
        raise LoadError(f"{path}: damaged ({short_repr(str(error))}).") from error
    if set(tensors) != {TENSOR_NAME} or tensors[TENSOR_NAME].dtype != torch.uint8:
        kinds = ", ".join(f"{short_repr(name)} {tensor.dtype}" for name, tensor in list(tensors.items())[:3])
        raise LoadError(f"{path}: it holds {kinds or 'nothing'}; allowed: one tensor {TENSOR_NAME!r} of uint8.")
    try:
        return as_examples(tensors[TENSOR_NAME], resolution, classes)
    except ValueError as error:
        raise LoadError(f"{path}: {error}") from error


def _numbers(image: Image.Image, size: tuple[int, int]) -> np.ndarray:
    if image.mode not in NUMBERED:
        raise ValueError(f"a segmentation picture holds class numbers (mode L or P); this one is of mode {image.mode}.")
    return np.asarray(fit_map(image, size)).astype(np.int64)


def _whole(given: object) -> torch.Tensor | None:
    """A tensor of whole numbers on the CPU, or None for what is none."""
    if isinstance(given, np.ndarray) and given.dtype.kind in "iu":
        return torch.from_numpy(given.astype(np.int64))
    if isinstance(given, torch.Tensor) and not (
        given.is_floating_point() or given.is_complex() or given.dtype == torch.bool
    ):
        return given.detach().cpu().to(torch.int64)
    return None


def _outside(maps: torch.Tensor, classes: int) -> int | None:
    """A value that is no class, or None."""
    if not maps.numel():
        return None
    low, high = (value.item() for value in maps.aminmax())
    return low if low < 0 else high if high >= classes else None
