"""Images brought to the channels, size and range that a network takes.

Shapes: N images, C channels, H, W. Images are float in [-1, 1].
"""

import torch
from torch.nn.functional import interpolate

from gan_hub.images import over_white


def to_rgb(images: torch.Tensor) -> torch.Tensor:
    """Images of 1 to 4 channels → RGB (N, 3, H, W). Grey is repeated; opacity, the last of 2 or 4, is laid over white.

    Raises ValueError for any other shape.
    """
    if images.ndim != 4 or images.shape[1] not in (1, 2, 3, 4):
        raise ValueError(f"an extractor takes images (N, 1 to 4 channels, H, W), given {tuple(images.shape)}.")
    return over_white(images).expand(-1, 3, -1, -1)


def bicubic(images: torch.Tensor, height: int, width: int) -> torch.Tensor:
    """Antialiased bicubic resizing as Pillow's, clipped to [-1, 1].

    Args:
        images: (N, C, H, W).
        height, width: pixels of the result.

    Returns:
        (N, C, height, width); the images themselves where they have this size.
    """
    if images.shape[2:] == (height, width):
        return images
    return interpolate(images, (height, width), mode="bicubic", antialias=True).clamp(-1, 1)


def bilinear_tensorflow1(images: torch.Tensor, height: int, width: int) -> torch.Tensor:
    """`resize_bilinear` of TensorFlow 1 with its defaults: pixel i of n lies at i · size / n, corners not aligned.

    Unlike `interpolate`, it does not sample at the pixels' centres, and it is never antialiased.

    Args:
        images: (N, C, H, W).
        height, width: pixels of the result.

    Returns:
        (N, C, height, width).
    """

    def neighbors(size: int, target: int) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """For each of the `target` pixels: the source pixel at or before it, the next one, and the latter's weight."""
        place = torch.arange(target, dtype=torch.float32, device=images.device) * (size / target)
        before = place.long().clamp_max(size - 1)
        return before, (before + 1).clamp_max(size - 1), place - before

    left, right, across = neighbors(images.shape[3], width)
    above, below, down = neighbors(images.shape[2], height)
    first, second = images[..., left], images[..., right]
    rows = first + (second - first) * across  # (N, C, H, width)
    first, second = rows[:, :, above], rows[:, :, below]
    return first + (second - first) * down[:, None]  # (N, C, height, width)


def standardize(images: torch.Tensor, mean: list[float], deviation: list[float]) -> torch.Tensor:
    """RGB in [0, 1] minus the mean, divided by the deviation.

    Args:
        images: (N, 3, H, W) in [-1, 1].
        mean, deviation: one number a channel, of images in [0, 1].

    Returns:
        (N, 3, H, W).
    """
    return ((images + 1) / 2 - images.new_tensor(mean)[:, None, None]) / images.new_tensor(deviation)[:, None, None]


IMAGENET_MEAN, IMAGENET_DEVIATION = [0.485, 0.456, 0.406], [0.229, 0.224, 0.225]  # RGB in [0, 1]
