"""Maps of semantic classes: those that a user gives, and the examples of a published model, segmentations.safetensors.

Shapes: N images, M examples, H × W resolution, S semantic classes. Checked maps are uint8, each pixel a class from 0 to S − 1.
"""

import colorsys
import zlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from safetensors.torch import save as to_safetensors

from gan_hub.atomic import write_bytes
from gan_hub.images import NUMBERED, fit_map, height_width
from gan_hub.messages import short_repr
from gan_hub.model_folder.files import SEGMENTATIONS_NAME
from gan_hub.model_folder.manifest import Manifest, has_file, read_file
from gan_hub.model_folder.strict import LoadError, parse_tensors

TENSOR_NAME = "segmentations"
MAX_EXAMPLES = 64
GOLDEN_RATIO = (5**0.5 - 1) / 2  # of the circle of hues, between one class and the next
HEADER_BYTES = 1000  # more than one tensor's name, dtype and shape take


def as_maps(segmentation: object, count: int, resolution: int | Sequence[int], classes: int) -> torch.Tensor:
    """Check the maps that a user gives for some images.

    Args:
        segmentation: whole numbers (H, W) or (N, H, W) in the size of the images, in an array or a tensor; or a PIL picture
            of mode L or P, or a list of them, which are cropped and resized as for training.
        count: the number N of images.
        resolution: the size of the images, as in a model's config.
        classes: the number S of semantic classes.

    Returns: uint8 (N, H, W); one map (H, W) is repeated for all images.

    Raises:
        ValueError: for anything else, in one sentence.
    """
    height, width = height_width(resolution)
    if isinstance(segmentation, Image.Image):
        segmentation = _class_numbers(segmentation, (height, width))
    elif isinstance(segmentation, (list, tuple)) and segmentation:
        if all(isinstance(item, Image.Image) for item in segmentation):
            segmentation = np.stack([_class_numbers(item, (height, width)) for item in segmentation])
    maps = _as_integers(segmentation)
    if maps is None or maps.ndim not in (2, 3) or maps.shape[-2:] != (height, width):
        shape = tuple(getattr(segmentation, "shape", ()))
        kind = f"{type(segmentation).__name__} {getattr(segmentation, 'dtype', '')} {shape}"
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


def as_examples(maps: object, resolution: int | Sequence[int], classes: int) -> torch.Tensor:
    """Check the example maps that a model brings along.

    Args:
        maps: whole numbers (M, H, W), M from 1 to MAX_EXAMPLES, in an array or a tensor.
        resolution: the size of the images, as in a model's config.
        classes: the number S of semantic classes.

    Returns: uint8 (M, H, W).

    Raises:
        ValueError: for anything else, in one sentence.
    """
    count = len(maps) if isinstance(maps, (np.ndarray, torch.Tensor)) and maps.ndim == 3 else 0
    if not 1 <= count <= MAX_EXAMPLES:
        shape = tuple(getattr(maps, "shape", ()))
        raise ValueError(f"segmentations are 1 to {MAX_EXAMPLES} example maps (M, H, W); given {shape}.")
    return as_maps(maps, count, resolution, classes).contiguous()


def choose_examples(examples: torch.Tensor, z: torch.Tensor) -> torch.Tensor:
    """The example map (N, H, W) of each latent (N, Z), float32; a latent always takes the same one."""
    return examples[[zlib.crc32(row.tobytes()) % len(examples) for row in z.numpy()]]


def colorize(maps: torch.Tensor) -> list[Image.Image]:
    """Maps (N, H, W) as RGB pictures to look at: a colour for each class, unlike ones for neighbouring numbers."""
    colors = [colorsys.hsv_to_rgb(number * GOLDEN_RATIO % 1, 0.65, 1 - 0.4 * (number % 2)) for number in range(256)]
    levels = (np.array(colors) * 255).round().astype(np.uint8)
    return [Image.fromarray(levels[each]) for each in maps.numpy()]


def as_bytes(examples: torch.Tensor) -> bytes:
    """The content of the file for example maps, uint8 (M, H, W)."""
    return to_safetensors({TENSOR_NAME: examples})


def write(folder: Path, examples: torch.Tensor) -> None:
    """Write example maps, uint8 (M, H, W), into a folder; its manifest, if any, is the caller's."""
    write_bytes(folder / SEGMENTATIONS_NAME, as_bytes(examples))


def read(folder: Path, manifest: Manifest | None, resolution: int | Sequence[int], classes: int) -> torch.Tensor | None:
    """The example maps of a model's folder.

    Args:
        folder: the model's folder.
        manifest: its manifest.
        resolution: the size of the images, as in the model's config.
        classes: the number S of semantic classes.

    Returns: uint8 (M, H, W); None for a model without.

    Raises:
        LoadError: naming what in the file is not as it must be.
    """
    if not has_file(folder, SEGMENTATIONS_NAME, manifest):
        return None
    path, (height, width) = folder / SEGMENTATIONS_NAME, height_width(resolution)
    data = read_file(folder, SEGMENTATIONS_NAME, manifest, HEADER_BYTES + MAX_EXAMPLES * height * width)
    tensors = parse_tensors(path, data)
    if set(tensors) != {TENSOR_NAME} or tensors[TENSOR_NAME].dtype != torch.uint8:
        kinds = ", ".join(f"{short_repr(name)} {tensor.dtype}" for name, tensor in list(tensors.items())[:3])
        raise LoadError(f"{path}: it holds {kinds or 'nothing'}; allowed: one tensor {TENSOR_NAME!r} of uint8.")
    try:
        return as_examples(tensors[TENSOR_NAME], resolution, classes)
    except ValueError as error:
        raise LoadError(f"{path}: {error}") from error


def _class_numbers(image: Image.Image, size: tuple[int, int]) -> np.ndarray:
    """The classes (H, W) in a picture of class numbers; raises ValueError for one of colours."""
    if image.mode not in NUMBERED:
        raise ValueError(f"a segmentation picture holds class numbers (mode L or P); this one is of mode {image.mode}.")
    return np.asarray(fit_map(image, size)).astype(np.int64)


def _as_integers(values: object) -> torch.Tensor | None:
    """Whole numbers in an array or a tensor as int64 on the CPU; None for anything else."""
    if isinstance(values, np.ndarray) and values.dtype.kind in "iu":
        return torch.from_numpy(values.astype(np.int64))
    if isinstance(values, torch.Tensor) and not (
        values.is_floating_point() or values.is_complex() or values.dtype == torch.bool
    ):
        return values.detach().cpu().to(torch.int64)
    return None


def _outside(maps: torch.Tensor, classes: int) -> int | None:
    """A value that is no class, or None."""
    if not maps.numel():
        return None
    low, high = (int(value) for value in maps.aminmax())
    return low if low < 0 else high if high >= classes else None
