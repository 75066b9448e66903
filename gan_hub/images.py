"""Conversion between tensors and pictures: float [-1, 1] ⇄ uint8 ⇄ PIL, grids, animations.

Shapes: N images, C channels (1 grey; 2 grey, opacity; 3 RGB; 4 RGB, opacity), H, W. Inside the package images are float
in [-1, 1]; opacity −1 is fully transparent.
"""

import json
import math
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import ExifTags, Image, ImageOps, PngImagePlugin

from gan_hub.resolutions import height_width

MODES = {1: "L", 2: "LA", 3: "RGB", 4: "RGBA"}  # channels → PIL mode
NUMBERED = ("1", "L", "P", "I", "I;16")  # PIL modes of a map of class numbers, not of colours
MAX_PIXELS = 64_000_000  # an 8000 × 8000 photo; Pillow itself only warns up to 180 megapixels
BAND_PIXELS = 4_000_000  # of a large picture, converted at a time: its intermediate forms have up to 8 bytes a channel


class TooManyPixelsError(ValueError):
    """A picture above MAX_PIXELS, refused before it is decoded."""


def to_uint8(images: torch.Tensor) -> np.ndarray:
    """Float (N, C, H, W) in [-1, 1] → uint8 (N, H, W, C): −1 → 0, 1 → 255, rounded, clipped.

    Raises ValueError for NaN or Inf, which a cast would quietly turn into black.
    """
    images = images.detach().float()
    low, high = map(float, images.aminmax()) if images.numel() else (0.0, 0.0)  # NaN where there is one
    if not (math.isfinite(low) and math.isfinite(high)):
        raise ValueError("the images contain NaN or Inf.")
    scaled = (images + 1).mul_(127.5).round_()
    scaled = scaled if low >= -1 and high <= 1 else scaled.clamp_(0, 255)
    return scaled.to(torch.uint8).permute(0, 2, 3, 1).contiguous().cpu().numpy()


def from_uint8(images: np.ndarray) -> torch.Tensor:
    """uint8 (N, H, W, C) → float32 (N, C, H, W) in [-1, 1]; the exact inverse of `to_uint8`."""
    return torch.from_numpy(np.array(images)).permute(0, 3, 1, 2).float() / 127.5 - 1


def to_pil(images: torch.Tensor | np.ndarray) -> list[Image.Image]:
    """Float (N, C, H, W) in [-1, 1] or uint8 (N, H, W, C) → PIL images, in the mode of their channels."""
    array = to_uint8(images) if isinstance(images, torch.Tensor) else images
    return [Image.fromarray(image[..., 0] if image.shape[-1] == 1 else image) for image in array]


def normalize_pil(image: Image.Image, channels: int) -> Image.Image:
    """Any PIL image as 8 bits a channel, in the mode of its `channels`, upright.

    Where Pillow's own `convert` would lose something:
    - EXIF rotation is applied;
    - grey pictures of 16 bits are divided by 257, however dark they are;
    - in grey pictures of 32-bit integers or floats, white is the first of 1, 255 and 65535 that is not below the brightest
      value, else that value; NaN and negative values are black;
    - transparency is laid on white where `channels` has no opacity; a picture without it is opaque where it has;
    - an animation gives its first frame; CMYK and palettes are converted.

    A picture that is all that already is returned itself: copies of a photograph take as long as its decoding.

    Raises TooManyPixelsError, ValueError for a picture of no pixels, and OSError for a truncated file.
    """
    _check_pixels(image)
    image = upright(image)
    if image.mode.startswith(("I", "F")):
        image = _eight_bits(image)
    elif image.has_transparency_data:
        image = _on_white(image, MODES[channels]) if not has_opacity(channels) else image.convert("RGBA")
    if image.mode == "LAB":  # which Pillow turns into RGB, but not into L
        image = image.convert("RGB")
    return image if image.mode == MODES[channels] else image.convert(MODES[channels])


def upright(image: Image.Image) -> Image.Image:
    """The picture turned as its camera noted (EXIF), or itself where nothing has to be turned.

    Raises OSError for a truncated file.
    """
    image.load()
    turned = image.getexif().get(ExifTags.Base.Orientation, 1) != 1
    return ImageOps.exif_transpose(image) if turned else image


def _check_pixels(image: Image.Image) -> None:
    """Raise ValueError or TooManyPixelsError for a size that is not allowed, before the picture is decoded."""
    if not image.width or not image.height:
        raise ValueError(f"{image.width} × {image.height} pixels; a picture has at least one.")
    if image.width * image.height > MAX_PIXELS:
        raise TooManyPixelsError(f"{image.width} × {image.height} pixels; at most {MAX_PIXELS:,} are allowed.")


def _bands(image: Image.Image) -> Iterator[tuple[int, Image.Image]]:
    """Horizontal bands of about BAND_PIXELS each, as (top row, picture)."""
    rows = max(1, BAND_PIXELS // max(1, image.width))
    if rows >= image.height:
        yield 0, image
        return
    for top in range(0, image.height, rows):
        yield top, image.crop((0, top, image.width, min(top + rows, image.height)))


def _eight_bits(image: Image.Image) -> Image.Image:
    """A grey picture of 16 bits, of 32-bit integers or of floats in 8 bits, as `normalize_pil` describes."""

    def positive(band: Image.Image) -> np.ndarray:
        return np.nan_to_num(np.asarray(band, dtype=np.float64)).clip(min=0)

    if image.mode.startswith("I;16"):
        full = 65535.0
    else:
        peak = max((positive(band).max(initial=0.0) for _, band in _bands(image)), default=0.0)
        full = next(limit for limit in (1.0, 255.0, 65535.0, max(peak, 1.0)) if peak <= limit)
    grey = np.empty((image.height, image.width), np.uint8)
    for top, band in _bands(image):
        grey[top : top + band.height] = (positive(band) * (255.0 / full)).round().astype(np.uint8)
    return Image.fromarray(grey)


def _on_white(image: Image.Image, mode: str) -> Image.Image:
    """A picture with transparency laid on white, in a `mode` without."""

    def flattened(part: Image.Image) -> Image.Image:
        return Image.alpha_composite(Image.new("RGBA", part.size, "white"), part.convert("RGBA")).convert(mode)

    if image.width * image.height <= BAND_PIXELS:
        return flattened(image)
    opaque = Image.new(mode, image.size)
    for top, band in _bands(image):
        opaque.paste(flattened(band), (0, top))
    return opaque


def has_opacity(channels: int) -> bool:
    """Whether the last of `channels` channels is opacity."""
    return channels in (2, 4)


def over_white(images: torch.Tensor) -> torch.Tensor:
    """Float images (N, C, H, W) in [-1, 1] laid on white, without their opacity channel; others as they are."""
    if not has_opacity(images.shape[1]):
        return images
    opacity = (images[:, -1:] + 1) / 2
    return images[:, :-1] * opacity + (1 - opacity)  # white is 1


def fit_pil(image: Image.Image, resolution: int | Sequence[int], channels: int) -> Image.Image:
    """Crop an image at its centre and resize it by antialiased Lanczos.

    Where there is opacity, a pixel's colour is weighted by it (Pillow multiplies before it resamples, and divides again), so
    that the colour of transparent pixels, mostly black, does not bleed into their neighbours.

    Args:
        image: Any PIL image.
        resolution: Pixels of the result, see `height_width`.
        channels: From 1 to 4; the result has their mode, see `normalize_pil`.

    Returns:
        A PIL image.
    """
    height, width = height_width(resolution)
    image = normalize_pil(image, channels)
    if image.size == (width, height):
        return image
    return ImageOps.fit(image, (width, height), Image.Resampling.LANCZOS)


def fit_map(image: Image.Image, resolution: int | Sequence[int] | None) -> Image.Image:
    """Crop and resize a picture of class numbers or flat colours, which are never mixed.

    In its own mode, turned upright, cropped as by `fit_pil`, resized by nearest neighbours; without a `resolution` only turned
    upright. Raises TooManyPixelsError, ValueError for a picture of no pixels, and OSError for a truncated file.
    """
    _check_pixels(image)
    image = upright(image)
    if resolution is None:
        return image
    height, width = height_width(resolution)
    return ImageOps.fit(image, (width, height), Image.Resampling.NEAREST)


def grid(images: Sequence[Image.Image], columns: int, padding: int = 2, scale: int = 1) -> Image.Image:
    """Lay out equally sized images in one picture, row by row.

    Args:
        images: One or more PIL images of the same size and mode.
        columns: Images a row.
        padding: Pixels of white between images, transparent where the images have opacity.
        scale: Integer nearest-neighbour upscaling of each image.

    Returns:
        A PIL image in the mode of the first.

    Raises:
        ValueError: for no images.
    """
    if not images:
        raise ValueError("a grid needs at least one image.")
    width, height = images[0].width * scale, images[0].height * scale
    columns = min(columns, len(images))
    rows = -(-len(images) // columns)
    size = (columns * (width + padding) - padding, rows * (height + padding) - padding)
    sheet = Image.new(images[0].mode, size, "#ffffff00")
    for index, image in enumerate(images):
        row, column = divmod(index, columns)
        enlarged = image.resize((width, height), Image.Resampling.NEAREST)
        sheet.paste(enlarged, (column * (width + padding), row * (height + padding)))
    return sheet


def save_png(image: Image.Image, path: str | Path, **metadata: object) -> None:
    """Save a PNG with text fields that say how it was made (seed, model, label …); fields of None are left out."""
    fields = PngImagePlugin.PngInfo()
    for key, value in metadata.items():
        if value is not None:
            fields.add_text(key, str(value))
    image.save(path, format="PNG", pnginfo=fields)


def as_json(metadata: Mapping[str, object]) -> str:
    """Fields that say how a picture was made as JSON in plain ASCII; fields of None are left out."""
    return json.dumps({key: value for key, value in metadata.items() if value is not None}, default=str)


def save_animation(
    images: Sequence[Image.Image], path: str | Path, seconds_per_frame: float = 0.05, **metadata: object
) -> None:
    """Save a looping animation.

    Args:
        images: Its frames, one or more.
        path: `.webp` is lossless; `.gif` is exact for grey pictures, has 256 colours otherwise, and no partial opacity.
        seconds_per_frame: How long each is visible.
        metadata: How it was made, as JSON in EXIF's ImageDescription (.webp) or in the comment (.gif); fields of None are
            left out.

    Raises:
        ValueError: for another file ending, or no frames.
    """
    path = Path(path)
    if path.suffix not in (".webp", ".gif"):
        raise ValueError(f"{path.name}: an animation ends in .webp or .gif.")
    if not images:
        raise ValueError("an animation needs at least one frame.")
    options: dict[str, Any] = {"lossless": True} if path.suffix == ".webp" else {"disposal": 2}
    written = as_json(metadata)
    if metadata and path.suffix == ".webp":
        exif = Image.Exif()
        exif[ExifTags.Base.ImageDescription] = written
        options["exif"] = exif
    elif metadata:
        options["comment"] = written.encode()
    duration = round(1000 * seconds_per_frame)
    images[0].save(path, save_all=True, append_images=images[1:], duration=duration, loop=0, **options)
