"""Write the images of many seeds, or a walk through their latents, to files, in bounded memory and whole.

Shapes: N seeds, H, W pixels, C channels.
"""

import math
import sys
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import TypedDict, Unpack, cast

import numpy as np
from PIL import Image

from gan_hub.atomic import atomic_file, move_files, scratch_folder
from gan_hub.images import grid, height_width, save_animation, save_png, to_pil
from gan_hub.latents import check_seeds, interpolate
from gan_hub.pipeline import GANPipeline

MAX_PIXELS = 500_000_000  # of one picture or animation, with its scale


class SamplingOptions(TypedDict, total=False):
    """What `GANPipeline` takes beside the seeds, the same for all images."""

    labels: str | int | None
    truncation: float
    concepts: dict[str, float]
    batch_size: int | None


def save_grid(
    pipe: GANPipeline,
    seeds: Sequence[int],
    path: Path,
    *,
    columns: int | None = None,
    scale: int = 1,
    model_name: str | None = None,
    progress: bool = False,
    **options: Unpack[SamplingOptions],
) -> None:
    """Draw one image a seed into a single .png; its text fields say how it was made.

    Args:
        pipe: the model.
        seeds: N seeds, row by row.
        path: the .png; it is replaced whole or not at all.
        columns: images a row; by default as square as can be.
        scale: integer nearest-neighbour upscaling.
        model_name: what the pictures say they were drawn by; by default the name of its folder.
        progress: whether to show a progress bar on a terminal.
        options: labels, truncation, concepts and batch_size, as the pipeline takes them.

    Raises:
        ValueError: for a picture of more than MAX_PIXELS, and for what the pipeline refuses.
    """
    seeds = check_seeds(seeds)
    check_size(pipe, len(seeds), scale)
    stream = pipe.stream(seeds, progress=_on_terminal(progress), **options)
    images = [image for output in stream for image in cast(list[Image.Image], output.images)]
    sheet = grid(images, columns or math.ceil(math.sqrt(len(images))), scale=scale)
    with atomic_file(path) as scratch:
        save_png(sheet, scratch, **_metadata(pipe, model_name, options), seeds=",".join(map(str, seeds)))


def save_files(
    pipe: GANPipeline,
    seeds: Sequence[int],
    folder: Path,
    *,
    scale: int = 1,
    model_name: str | None = None,
    progress: bool = False,
    **options: Unpack[SamplingOptions],
) -> None:
    """Draw one image a seed into files `seed0007.png` of a folder, all of them or none.

    Args:
        pipe: the model.
        seeds: N seeds.
        folder: it is made where it is missing; other files in it stay.
        scale: integer nearest-neighbour upscaling.
        model_name: what the pictures say they were drawn by; by default the name of its folder.
        progress: whether to show a progress bar on a terminal.
        options: labels, truncation, concepts and batch_size, as the pipeline takes them.

    Raises:
        ValueError: for what the pipeline refuses, and where `folder` is a file.
    """
    seeds = check_seeds(seeds)
    check_size(pipe, 1, scale)
    with scratch_folder(folder) as scratch:
        for output in pipe.stream(seeds, progress=_on_terminal(progress), **options):
            block, images = cast(list[int], output.seeds), cast(list[Image.Image], output.images)
            for place, (seed, image) in enumerate(zip(block, images, strict=True)):
                names, labels = pipe.label_names, output.labels
                label = None if labels is None or names is None else names[labels[place]]
                fields = _metadata(pipe, model_name, options) | {"seed": seed, "label": label}
                save_png(_enlarged(image, scale), scratch / f"seed{seed:04d}.png", **fields)
        move_files(scratch, folder)


def save_npz(
    pipe: GANPipeline,
    seeds: Sequence[int],
    path: Path,
    *,
    progress: bool = False,
    **options: Unpack[SamplingOptions],
) -> None:
    """Draw one image a seed into an .npz that `evaluate` and other libraries read.

    Its arrays are `images`, uint8 (N, H, W, C), `seeds`, uint32 (N,), and, of a model with classes, `labels`, int64 (N,).

    Args:
        pipe: the model.
        seeds: N seeds.
        path: the .npz; it is replaced whole or not at all.
        progress: whether to show a progress bar on a terminal.
        options: labels, truncation, concepts and batch_size, as the pipeline takes them.

    Raises:
        ValueError: for what the pipeline refuses.
    """
    seeds = check_seeds(seeds)
    config = pipe.unwrapped_generator.config
    shape = (len(seeds), *height_width(config["resolution"]), config["channels"])
    all_labels: list[int] = []
    with atomic_file(path) as scratch, zipfile.ZipFile(scratch, "w") as archive:
        with archive.open("images.npy", "w", force_zip64=True) as file:
            header = {"descr": np.lib.format.dtype_to_descr(np.dtype(np.uint8)), "fortran_order": False, "shape": shape}
            np.lib.format.write_array_header_1_0(file, header)
            for output in pipe.stream(seeds, output_type="np", progress=_on_terminal(progress), **options):
                file.write(np.asarray(output.images).tobytes())
                all_labels += output.labels or []
        arrays: dict[str, np.ndarray] = {"seeds": np.array(seeds, dtype=np.uint32)}
        if pipe.label_names is not None:
            arrays["labels"] = np.array(all_labels, dtype=np.int64)
        for name, array in arrays.items():
            with archive.open(f"{name}.npy", "w") as file:
                np.lib.format.write_array(file, array, allow_pickle=False)


def save_walk(
    pipe: GANPipeline,
    seeds: Sequence[int],
    path: Path,
    *,
    frames: int = 60,
    scale: int = 1,
    labels: str | int | None = None,
    truncation: float = 1.0,
) -> None:
    """Write a walk through the latents of some seeds as an animation; the class and map of the first seed stay.

    Args:
        pipe: the model.
        seeds: two or more; the first and the last frame are the images of the first and the last one.
        path: a .webp (lossless) or .gif; it is replaced whole or not at all.
        frames: how many images of the whole walk, 20 a second.
        scale: integer nearest-neighbour upscaling.
        labels: the class of all frames; by default that of the first seed.
        truncation: 1 (none) to 0 (the mean).

    Raises:
        ValueError: for more than MAX_PIXELS, and for what the pipeline refuses.
    """
    check_size(pipe, frames, scale)
    latents = interpolate(pipe.sample_latents(seeds), frames)
    first = pipe(seeds=[seeds[0]], labels=labels)
    out = pipe(
        latents=latents,
        truncation=truncation,
        labels=None if first.labels is None else first.labels[0],
        segmentation=None if first.segmentations is None else first.segmentations[0],
        output_type="np",
    )
    images = [_enlarged(image, scale) for image in to_pil(np.asarray(out.images))]
    with atomic_file(path) as scratch:
        save_animation(images, scratch)


def check_size(pipe: GANPipeline, images: int, scale: int) -> None:
    """Raise ValueError if `images` of the model's images, enlarged by `scale`, are too large for one file.

    Args:
        pipe: the model.
        images: how many images lie in the file.
        scale: integer upscaling of each side.

    Raises:
        ValueError: for more than MAX_PIXELS.
    """
    height, width = (scale * side for side in height_width(pipe.unwrapped_generator.config["resolution"]))
    pixels = images * height * width
    if pixels > MAX_PIXELS:
        raise ValueError(
            f"{images:,} images of {width} × {height} pixels are {pixels / 1e6:,.0f} million pixels in one file, and at "
            f"most {MAX_PIXELS / 1e6:,.0f} million are allowed; take fewer, or a smaller scale=."
        )


def _on_terminal(progress: bool) -> bool:
    return progress and sys.stderr.isatty()


def _enlarged(image: Image.Image, scale: int) -> Image.Image:
    return image.resize((image.width * scale, image.height * scale), Image.Resampling.NEAREST)


def _metadata(pipe: GANPipeline, model_name: str | None, options: SamplingOptions) -> dict[str, object]:
    """The text fields of a picture that are the same for all images; None is left out."""
    concepts = options.get("concepts") or {}
    return {
        "model": model_name or Path(str(pipe.name_or_path)).name or None,
        "label": options.get("labels"),
        "truncation": options.get("truncation", 1.0),
        "concepts": ", ".join(f"{name}={strength:g}" for name, strength in concepts.items()) or None,
    }
