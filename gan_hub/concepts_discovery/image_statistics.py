"""Image statistics without a network: light, colour, and the shape of what is drawn.

Shapes: images are (N, C, H, W) in [-1, 1], each measure gives (N,) float32. Light is 0 (black) to 1 (white); transparent
images are laid on white. "Ink" is the distance of a pixel's light from the background's, which is the median of the image's
edge: it suits images on a plain background (digits, garments, drawings), not photographs.
"""

from collections.abc import Callable
from dataclasses import dataclass

import torch

from gan_hub.images import over_white

LUMA = (0.299, 0.587, 0.114)  # of red, green, blue (ITU-R BT.601, as Pillow's mode L)
TINY = 1e-6  # keeps quotients finite where there is no ink


@dataclass(frozen=True)
class Measure:
    """An image statistic: a function of images (N, C, H, W) → (N,), and its description."""

    function: Callable[[torch.Tensor], torch.Tensor]
    description: str  # name and unit
    needs_color: bool = False


def composite_on_white(images: torch.Tensor) -> torch.Tensor:
    """Images (N, 1 or 3, H, W) in 0 … 1, from images with or without opacity."""
    return (over_white(images.float()) + 1) / 2


def light(images: torch.Tensor) -> torch.Tensor:
    """The light of each pixel, (N, H, W) in 0 … 1."""
    colors = composite_on_white(images)
    if colors.shape[1] == 1:
        return colors[:, 0]
    return torch.einsum("nchw,c->nhw", colors, colors.new_tensor(LUMA))


def edge(images: torch.Tensor) -> torch.Tensor:
    """The light of the pixels along the four sides: (N, 2 (H + W) − 4)."""
    x = light(images)
    return torch.cat([x[:, 0], x[:, -1], x[:, 1:-1, 0], x[:, 1:-1, -1]], 1)


def ink(images: torch.Tensor) -> torch.Tensor:
    """The distance of each pixel's light from the background's, (N, H, W) in 0 … 1."""
    return (light(images) - edge(images).median(1).values[:, None, None]).abs()


def brightness(images: torch.Tensor) -> torch.Tensor:
    """Mean light, 0 … 1."""
    return light(images).mean((1, 2))


def contrast(images: torch.Tensor) -> torch.Tensor:
    """Standard deviation of the light, 0 … 0.5."""
    return light(images).flatten(1).std(1, correction=0)


def warmth(images: torch.Tensor) -> torch.Tensor:
    """Mean red minus mean blue, −1 … 1. Raises ValueError for grey images."""
    colors = composite_on_white(images)
    if colors.shape[1] != 3:
        raise ValueError("warmth is of colours, and these images are grey.")
    return (colors[:, 0] - colors[:, 2]).mean((1, 2))


def background(images: torch.Tensor) -> torch.Tensor:
    """Mean light of the edge, 0 … 1."""
    return edge(images).mean(1)


def symmetry(images: torch.Tensor) -> torch.Tensor:
    """The correlation of an image's light with its mirror image: 1 where left and right mirror each other."""
    x = light(images).flatten(1)
    mirrored = light(images).flip(2).flatten(1)
    x, mirrored = (each - each.mean(1, keepdim=True) for each in (x, mirrored))
    return (x * mirrored).sum(1) / x.square().sum(1).clamp_min(TINY)


def thickness(images: torch.Tensor) -> torch.Tensor:
    """The thickness of strokes, in pixels: twice the ink over the length of its outline, the sum of the ink's gradient.

    A stroke of length L and thickness t, t ≪ L, has the area L t and an outline of 2 L.
    """
    x = torch.nn.functional.pad(ink(images), (1, 1, 1, 1))
    down, right = x[:, 1:, :-1] - x[:, :-1, :-1], x[:, :-1, 1:] - x[:, :-1, :-1]
    outline = (down.square() + right.square()).sqrt().sum((1, 2))
    return 2 * x.sum((1, 2)) / outline.clamp_min(TINY)


def moments(images: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Second moments of the ink, in square pixels: variance along x, along y, and covariance, (N,) each. y points down."""
    mass = ink(images)
    mass = mass / mass.sum((1, 2), keepdim=True).clamp_min(TINY)
    height, width = mass.shape[1:]
    y, x = torch.arange(height, device=mass.device)[:, None], torch.arange(width, device=mass.device)[None]
    x = x - (mass * x).sum((1, 2))[:, None, None]  # (N, 1, W)
    y = y - (mass * y).sum((1, 2))[:, None, None]  # (N, H, 1)
    return (mass * x**2).sum((1, 2)), (mass * y**2).sum((1, 2)), (mass * x * y).sum((1, 2))


def slant(images: torch.Tensor) -> torch.Tensor:
    """How far what is drawn leans to the right, in pixels for each pixel upwards."""
    _, vertical, both = moments(images)
    return -both / vertical.clamp_min(TINY)


def width(images: torch.Tensor) -> torch.Tensor:
    """The width of what is drawn, without its slant, in pixels: of a plain bar with the same variance along x."""
    horizontal, vertical, both = moments(images)
    upright = (horizontal - both.square() / vertical.clamp_min(TINY)).clamp_min(0)
    return (12 * upright).sqrt()


def aspect(images: torch.Tensor) -> torch.Tensor:
    """The height of what is drawn over its width."""
    horizontal, vertical, _ = moments(images)
    return (vertical / horizontal.clamp_min(TINY)).sqrt()


MEASURES = {
    "brightness": Measure(brightness, "brightness (mean light, 0 to 1)"),
    "contrast": Measure(contrast, "contrast (deviation of the light)"),
    "background": Measure(background, "background (mean light of the edge, 0 to 1)"),
    "warmth": Measure(warmth, "warmth (mean red minus mean blue)", needs_color=True),
    "symmetry": Measure(symmetry, "symmetry (correlation with the mirror image)"),
    "thickness": Measure(thickness, "thickness of strokes (pixels)"),
    "slant": Measure(slant, "slant (pixels to the right per pixel up)"),
    "width": Measure(width, "width of what is drawn (pixels)"),
    "aspect": Measure(aspect, "aspect (height over width)"),
}
