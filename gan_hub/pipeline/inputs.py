"""What a user passes to a pipeline, checked: latents, labels, maps, images. Each mistake is one sentence.

Shapes: N images, C channels, H × W resolution, Z latent size, L rows of w, W size of w.
"""

import itertools
import secrets
import zlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from PIL import Image

from gan_hub import latents as latent_space
from gan_hub.images import fit_pil, from_uint8, height_width
from gan_hub.messages import short_repr
from gan_hub.model_folder import segmentations as semantic_maps
from gan_hub.models import GANModel
from gan_hub.models.mixins import SegmentationConditional

MAX_IMAGES = 1_000_000  # of one call; they all lie in memory at once

Labels = str | int | Sequence[str | int] | np.ndarray | torch.Tensor | None
Segmentation = torch.Tensor | np.ndarray | Image.Image | Sequence[Image.Image] | None
# PIL images of any size; uint8 (N, H, W, C); float (N, C, H, W) in [-1, 1].
ImagesIn = Image.Image | Sequence[Image.Image] | np.ndarray | torch.Tensor


def seeds_and_latents(
    seeds: Sequence[int] | None,
    latents: torch.Tensor | np.ndarray | None,
    num_images: int | None,
    seed: int | None,
    latent_size: int,
    seeds_like: str = "torch",
) -> tuple[list[int] | None, torch.Tensor]:
    """The latents to draw, from whichever argument gives them.

    Args:
        seeds: one whole number an image.
        latents: own latents (N, Z).
        num_images: how many images, of seed, seed + 1, …
        seed: the first of these; random where it is None.
        latent_size: Z.
        seeds_like: as of `latents.sample`.

    Returns: (seeds, or None where latents are given; z (N, Z), float32 on the CPU).

    Raises:
        ValueError: for several ways at once, and for anything that is not allowed.
    """
    if (seeds is not None) + (latents is not None) + (num_images is not None or seed is not None) > 1:
        raise ValueError("give either seeds, or latents, or num_images with seed, not several of them.")
    if latents is not None:
        return None, as_latents(latents, latent_size)
    if seeds is None:
        count = 1 if num_images is None else latent_space.as_int(num_images)
        if count is None or not 0 <= count <= MAX_IMAGES:
            raise ValueError(
                f"num_images={short_repr(num_images)} is not allowed; it is a whole number from 0 to {MAX_IMAGES}."
            )
        if seed is None:
            first = secrets.randbelow(latent_space.MAX_SEED - count)
        else:
            first = latent_space.check_seeds([seed])[0]
        seeds = range(first, first + count)
    checked = latent_space.check_seeds(seeds, most=MAX_IMAGES)
    return checked, latent_space.sample(checked, latent_size, seeds_like)


def as_latents(latents: object, latent_size: int) -> torch.Tensor:
    """Own latents (N, Z) as float32 on the CPU; raises ValueError for another shape, NaN or Inf."""
    z = _as_floats(latents)
    if z is None or z.ndim != 2 or z.shape[1] != latent_size:
        kind = type(latents).__name__ if z is None else tuple(z.shape)
        raise ValueError(f"latents are a tensor (N, {latent_size}), given {kind}.")
    if not torch.isfinite(z).all():
        raise ValueError("latents contain NaN or Inf.")
    return z


def as_w(w: object, rows: int, size: int) -> torch.Tensor:
    """Check own w.

    Args:
        w: (N, L, W), in a tensor or an array.
        rows: L.
        size: W.

    Returns: float32 on the CPU.

    Raises:
        ValueError: for another shape, NaN or Inf.
    """
    ws = _as_floats(w)
    if ws is None or ws.ndim != 3 or ws.shape[1:] != (rows, size) or not torch.isfinite(ws).all():
        kind = type(w).__name__ if ws is None else tuple(ws.shape)
        raise ValueError(f"w is a tensor (N, {rows}, {size}) without NaN or Inf, given {kind}.")
    return ws


def _as_floats(values: object) -> torch.Tensor | None:
    """Real numbers in a tensor or a numpy array as float32 on the CPU; None for anything else."""
    if isinstance(values, np.ndarray) and values.dtype.kind in "uif":
        values = torch.from_numpy(np.ascontiguousarray(values))
    if not isinstance(values, torch.Tensor) or values.is_complex() or values.is_meta or values.layout != torch.strided:
        return None
    return values.detach().to("cpu", torch.float32)


def label_indices(
    labels: Labels, z: torch.Tensor, label_names: list[str] | None, with_shares: bool = False
) -> torch.Tensor | None:
    """The class of each image, from labels as users give them.

    Args:
        labels: a name or an index for all images, or one an image; None lets each row of z choose its own.
        z: latents or images, a row each.
        label_names: the names of the classes; None for an unconditional model.
        with_shares: whether labels may be a float tensor (N, K), each image's shares of the K classes.

    Returns: int64 (N,), or float32 (N, K) of shares; None for an unconditional model.

    Raises:
        ValueError: for a label that is not known, or for labels where there are no classes.
    """
    if label_names is None:
        if labels is not None:
            raise ValueError(f"labels={short_repr(labels)}: this model is unconditional and has no labels.")
        return None
    if with_shares and isinstance(labels, torch.Tensor) and labels.is_floating_point():
        return _class_shares(labels, (len(z), len(label_names)))
    if labels is None:
        chosen = (zlib.crc32(row.tobytes()) % len(label_names) for row in z.numpy())
        return torch.from_numpy(np.fromiter(chosen, np.int64, len(z)))
    if isinstance(labels, str) or not isinstance(labels, Iterable) or latent_space.as_int(labels) is not None:
        each: list[Any] = [labels] * len(z)
    else:
        each = list(labels)
    if len(each) != len(z):
        raise ValueError(f"{len(each)} labels for {len(z)} images; give one for all, or one an image.")
    indices = (_label_index(label, label_names) for label in each)
    return torch.from_numpy(np.fromiter(indices, np.int64, len(each)))


def class_numbers(classes: torch.Tensor | None) -> list[int] | None:
    """What `label_indices` gave as a list: of shares, the class with the largest."""
    if classes is None:
        return None
    return (classes.argmax(1) if classes.is_floating_point() else classes).tolist()


def _class_shares(shares: torch.Tensor, shape: tuple[int, int]) -> torch.Tensor:
    if shares.shape != shape or not (shares >= 0).all() or not ((shares.sum(1) - 1).abs() < 1e-4).all():
        raise ValueError(
            f"labels of floats are shares of the classes, {shape}, none below 0 and each row's sum 1; given "
            f"{tuple(shares.shape)}."
        )
    return shares.detach().to("cpu", torch.float32)


def _label_index(label: object, label_names: list[str]) -> int:
    if isinstance(label, str) and label in label_names:
        return label_names.index(label)
    index = latent_space.as_int(label)
    if index is None or not 0 <= index < len(label_names):
        names = ", ".join(label_names[:20])
        raise ValueError(
            f"label {short_repr(label)} is not allowed; choose 0 to {len(label_names) - 1}, or one of {names}."
        )
    return index


def maps_of_latents(
    segmentation: Segmentation, z: torch.Tensor, generator: GANModel, examples: torch.Tensor | None
) -> torch.Tensor | None:
    """The map of semantic classes that each image is drawn from.

    Args:
        segmentation: one map for all images, or one an image; None lets each latent take one of the examples.
        z: latents (N, Z).
        generator: the generator.
        examples: the example maps in the model's folder, uint8 (M, H, W).

    Returns: uint8 (N, H, W); None for a generator that does not draw from maps.

    Raises:
        ValueError: for a map that is not allowed, or where there is none to take.
    """
    if segmentation is not None or not isinstance(generator, SegmentationConditional):
        return _checked_maps(segmentation, len(z), generator)
    if examples is None:
        (height, width), classes = height_width(generator.config["resolution"]), generator.config["semantic_classes"]
        raise ValueError(
            f"this model draws from maps and has no examples of them; give segmentation=, whole numbers ({height}, "
            f"{width}) from 0 to {classes - 1}, or the pipeline its segmentations=."
        )
    return semantic_maps.choose_examples(examples, z)


def maps_of_images(segmentation: Segmentation, count: int, generator: GANModel) -> torch.Tensor | None:
    """The map that each image to be judged was drawn from.

    Args:
        segmentation: one map for all images, or one an image.
        count: the number N of images.
        generator: the generator.

    Returns: uint8 (N, H, W); None for a generator that does not draw from maps.

    Raises:
        ValueError: for a map that is not allowed, and where one is needed and missing.
    """
    if segmentation is None and isinstance(generator, SegmentationConditional):
        raise ValueError(
            "this model judges an image by the map it was drawn from; give segmentation= (an output has segmentations)."
        )
    return _checked_maps(segmentation, count, generator)


def _checked_maps(segmentation: Segmentation, count: int, generator: GANModel) -> torch.Tensor | None:
    if not isinstance(generator, SegmentationConditional):
        if segmentation is not None:
            raise ValueError("segmentation is given, but this model does not draw from maps.")
        return None
    config = generator.config
    return semantic_maps.as_maps(segmentation, count, config["resolution"], config["semantic_classes"])


def as_pixels(images: ImagesIn, config: Mapping[str, Any]) -> torch.Tensor:
    """Images for a discriminator.

    `images`: a PIL image or a list of them, which are cropped, resized and converted as for training; uint8 (N, H, W, C);
    or float (N, C, H, W) in [-1, 1]. `config` is a network's. Returns float32 (N, C, H, W) in [-1, 1] on the CPU. Raises
    ValueError for another shape or range.
    """
    (height, width), channels = height_width(config["resolution"]), config["channels"]
    pictures = [images] if isinstance(images, Image.Image) else images
    if isinstance(pictures, (list, tuple)) and all(isinstance(image, Image.Image) for image in pictures):
        fitted = [np.asarray(fit_pil(image, (height, width), channels)) for image in pictures]
        return from_uint8(np.array(fitted, dtype=np.uint8).reshape(len(fitted), height, width, channels))
    array = images.detach().cpu() if isinstance(images, torch.Tensor) else images
    if isinstance(array, np.ndarray) and array.dtype.kind in "uif":
        array = torch.from_numpy(np.ascontiguousarray(array))
    if isinstance(array, torch.Tensor) and array.ndim == 4:
        if array.dtype == torch.uint8 and array.shape[1:] == (height, width, channels):
            return from_uint8(array.numpy())
        if array.is_floating_point() and array.shape[1:] == (channels, height, width):
            if not (array.abs() <= 1.001).all():  # NaN is not either
                raise ValueError("float images lie in [-1, 1]; these do not.")
            return array.float()
    kind = f"{type(images).__name__} {getattr(images, 'dtype', '')} {tuple(getattr(images, 'shape', ()))}"
    raise ValueError(
        f"images are PIL images, uint8 (N, {height}, {width}, {channels}) or float (N, {channels}, {height}, {width}); "
        f"given {kind}."
    )


def check_batch_size(batch_size: int | None) -> int | None:
    """`batch_size` as an int, or None; raises ValueError for anything but a whole number from 1."""
    size = None if batch_size is None else latent_space.as_int(batch_size)
    if batch_size is not None and (size is None or size < 1):
        raise ValueError(f"batch_size={short_repr(batch_size)} is not allowed; it is a whole number from 1.")
    return size


def batches(
    size: int, values: torch.Tensor, labels: torch.Tensor | None, rest: int | None = None
) -> Iterator[tuple[torch.Tensor, ...]]:
    """Cut latents or images into batches.

    Args:
        size: rows at a time.
        values: latents or images, a row each.
        labels: a row each, too; None where there are none.
        rest: rows at a time of the last ones, which do not fill a batch; by default all of them.

    Yields: (values, labels) or (values,).
    """
    whole = len(values) // size * size
    starts = [*range(0, whole, size), *range(whole, len(values), rest or size)]
    for start, stop in itertools.pairwise([*starts, len(values)]):
        rows = slice(start, stop)
        # Cloned: kernels look at the strides, also of a batch of one, and another layout changes the last bit.
        batch = values[rows].clone(memory_format=torch.contiguous_format)
        yield (batch,) if labels is None else (batch, labels[rows])
