"""The border between tensors and pictures: float [-1, 1] ⇄ uint8 ⇄ PIL, grids, animations.

Shapes: N images, C channels (1 grey; 2 grey, opacity; 3 RGB; 4 RGB, opacity), H, W. Inside the package images are float
in [-1, 1]; opacity −1 lets all of what lies behind through.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import torch
from PIL import Image, ImageOps, PngImagePlugin

MODES = {1: "L", 2: "LA", 3: "RGB", 4: "RGBA"}  # channels → PIL mode
NUMBERED = ("1", "L", "P", "I", "I;16")  # PIL modes of a map whose pixels are class numbers and not colours
MAX_PIXELS = 64_000_000  # an 8000 × 8000 photo; Pillow itself only warns up to 180 megapixels
BAND_PIXELS = 4_000_000  # of a large picture, converted at a time: its intermediate forms have up to 8 bytes a channel


class TooManyPixelsError(ValueError):
    """A picture above MAX_PIXELS, refused before it is decoded."""


def height_width(resolution: int | Sequence[int]) -> tuple[int, int]:
    """(H, W) in pixels of a `resolution` as configs write it: one number is a square, a pair is [height, width].

    Raises ValueError for anything else. Which sizes a network can have, its own config says.
    """
    sides = tuple(resolution) if isinstance(resolution, (list, tuple)) else (resolution, resolution)
    if len(sides) != 2 or not all(type(side) is int and side > 0 for side in sides):
        raise ValueError(f"resolution {resolution!r} is not allowed; it is a number of pixels, or [height, width].")
    return sides


def to_uint8(images: torch.Tensor) -> np.ndarray:
    """Float (N, C, H, W) in [-1, 1] → uint8 (N, H, W, C): −1 → 0, 1 → 255, rounded, clipped.

    Raises ValueError for NaN or Inf, which a cast would quietly turn into black.
    """
    if not torch.isfinite(images).all():
        raise ValueError("the images contain NaN or Inf.")
    scaled = (images.detach().float() + 1) * 127.5
    return scaled.round().clamp(0, 255).to(torch.uint8).permute(0, 2, 3, 1).contiguous().cpu().numpy()


def from_uint8(images: np.ndarray) -> torch.Tensor:
    """uint8 (N, H, W, C) → float32 (N, C, H, W) in [-1, 1]; the exact inverse of `to_uint8`."""
    return torch.from_numpy(np.array(images)).permute(0, 3, 1, 2).float() / 127.5 - 1


def to_pil(images: torch.Tensor | np.ndarray) -> list[Image.Image]:
    """Float (N, C, H, W) in [-1, 1] or uint8 (N, H, W, C) → PIL images, in the mode of their channels."""
    array = to_uint8(images) if isinstance(images, torch.Tensor) else images
    return [Image.fromarray(image[..., 0] if image.shape[-1] == 1 else image) for image in array]


def normalize_pil(image: Image.Image, channels: int) -> Image.Image:
    """Any PIL image as 8 bits a channel, in the mode of its `channels`, upright.

    The policy, where Pillow's own `convert` would lose something: EXIF rotation is applied; grey pictures of 16 bits
    are divided by 257, however dark they are; in those of 32-bit whole numbers or floats the first of 1, 255 and 65535
    that is not below the brightest value is white, else that value, and NaN and what is below 0 are black; what is
    transparent is laid on white where `channels` has no opacity, and what knows no transparency is opaque where it has; an
    animation gives its first frame; CMYK and palettes are converted.
    Raises TooManyPixels, ValueError for a picture of no pixels, and OSError for a torn file.
    """
    _check_pixels(image)
    image = ImageOps.exif_transpose(image)
    if image.mode.startswith(("I", "F")):
        image = _eight_bits(image)
    elif image.has_transparency_data:
        image = _on_white(image, MODES[channels]) if not has_opacity(channels) else image.convert("RGBA")
    if image.mode == "LAB":  # which Pillow turns into RGB, but not into L
        image = image.convert("RGB")
    return image.convert(MODES[channels])


def _check_pixels(image: Image.Image) -> None:
    """What is known before a picture is decoded."""
    if not image.width or not image.height:
        raise ValueError(f"{image.width} × {image.height} pixels; a picture has at least one.")
    if image.width * image.height > MAX_PIXELS:
        raise TooManyPixelsError(f"{image.width} × {image.height} pixels; at most {MAX_PIXELS:,} are allowed.")


def _bands(image: Image.Image) -> Iterator[tuple[int, Image.Image]]:
    """(top row, the picture's part from there on) of about BAND_PIXELS each."""
    rows = max(1, BAND_PIXELS // max(1, image.width))
    if rows >= image.height:
        yield 0, image
        return
    for top in range(0, image.height, rows):
        yield top, image.crop((0, top, image.width, min(top + rows, image.height)))


def _eight_bits(image: Image.Image) -> Image.Image:
    """Grey of 16 bits, of 32-bit whole numbers or of floats, in the 8 bits that `normalise_pil` promises."""

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
    """A picture with transparency in a `mode` without, laid on white."""
    opaque = None
    for top, band in _bands(image):
        band = Image.alpha_composite(Image.new("RGBA", band.size, "white"), band.convert("RGBA")).convert(mode)
        if band.size == image.size:
            return band
        opaque = opaque or Image.new(mode, image.size)
        opaque.paste(band, (0, top))
    return opaque


def has_opacity(channels: int) -> bool:
    """Whether the last of so many channels is opacity."""
    return channels in (2, 4)


def over_white(images: torch.Tensor) -> torch.Tensor:
    """Float images (N, C, H, W) in [-1, 1] laid on white, without their opacity channel; others as they are."""
    if not has_opacity(images.shape[1]):
        return images
    opacity = (images[:, -1:] + 1) / 2
    return images[:, :-1] * opacity + (1 - opacity)  # white is 1


def fit_pil(image: Image.Image, resolution: int | Sequence[int], channels: int) -> Image.Image:
    """Any PIL image in `resolution` pixels (see `height_width`), in the mode of its `channels`.

    Centre crop, then antialiased Lanczos. Where there is opacity, a pixel's colour counts by it (Pillow multiplies
    before it resamples, and divides again): what colour a transparent pixel has, mostly black, is not seen next to it.
    """
    height, width = height_width(resolution)
    image = normalize_pil(image, channels)
    if image.size == (width, height):
        return image
    return ImageOps.fit(image, (width, height), Image.Resampling.LANCZOS)


def fit_map(image: Image.Image, resolution: int | Sequence[int] | None) -> Image.Image:
    """A PIL picture whose pixels are class numbers or flat colours, in its own mode: no two of them are ever mixed.

    Turned upright, cropped as by `fit_pil`, resized by nearest neighbours; without a `resolution`, turned upright alone.
    Raises TooManyPixels, ValueError for a picture of no pixels, and OSError for a torn file.
    """
    _check_pixels(image)
    image = ImageOps.exif_transpose(image)
    if resolution is None:
        return image
    height, width = height_width(resolution)
    return ImageOps.fit(image, (width, height), Image.Resampling.NEAREST)


def grid(images: Sequence[Image.Image], columns: int, padding: int = 2, scale: int = 1) -> Image.Image:
    """One picture of equally sized images, row by row, `padding` pixels of white between them.

    Where the images know opacity, that white is transparent.
    `scale` enlarges each image by whole pixels, without smoothing. Raises ValueError for no images at all.
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
    """Saves a PNG whose text fields tell how it was made (seed, model, label …), so that a picture finds its way back."""
    fields = PngImagePlugin.PngInfo()
    for key, value in metadata.items():
        if value is not None:
            fields.add_text(key, str(value))
    image.save(path, format="PNG", pnginfo=fields)


def save_animation(images: Sequence[Image.Image], path: str | Path, seconds_per_frame: float = 0.05) -> None:
    """Saves a looping animation: lossless `.webp`, or `.gif` (exact for grey pictures, 256 colours otherwise).

    A `.gif` knows no half-transparency. Raises ValueError for another ending or no frames.
    """
    path = Path(path)
    if path.suffix not in (".webp", ".gif"):
        raise ValueError(f"{path.name}: an animation ends in .webp or .gif.")
    if not images:
        raise ValueError("an animation needs at least one frame.")
    options = {"lossless": True} if path.suffix == ".webp" else {"disposal": 2}
    duration = round(1000 * seconds_per_frame)
    images[0].save(path, save_all=True, append_images=images[1:], duration=duration, loop=0, **options)
