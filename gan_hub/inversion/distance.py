"""How far images are from a target: by their pixels, and by the features of SqueezeNet.

Shapes: N images, C channels, H × W. Images are float in [-1, 1].
"""

import torch
from torch.nn import functional

from gan_hub.images import has_opacity
from gan_hub.pretrained_networks import FrozenSqueezeNet

LAYERS = ("conv1", "fire3", "fire5", "fire7")
SIDE = 64  # pixels of the shorter side that features see at least, and at most four times as many
LEVELS = 127.5  # of 255, per unit of an image's range
TINY = 1e-3  # keeps the direction of an all but empty feature steady


class Distance:
    """The distance of images from one target.

    Args:
        target: the image (1, C, H, W).

    Example:
        >>> import torch
        >>> from gan_hub.inversion.distance import Distance
        >>> distance = Distance(torch.zeros(1, 1, 28, 28))
        >>> levels, perceptual = distance(torch.full((2, 1, 28, 28), 0.5))
        >>> levels.tolist()
        [63.75, 63.75]
    """

    def __init__(self, target: torch.Tensor) -> None:
        self.network = FrozenSqueezeNet(LAYERS).to(target.device).eval()
        self.target = target
        with torch.no_grad():
            self.features = self._directions(target)

    def __call__(self, images: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Measure images.

        Args:
            images: (N, C, H, W).

        Returns:
            Mean absolute difference of the pixels in levels of 255 (N,); and the perceptual distance (N,), the mean over layers
            and places of the squared difference between features of length 1, from 0 to 4 (Zhang et al. 2018, equation 1,
            with all channels weighted alike).
        """
        levels = (images - self.target).abs().mean((1, 2, 3)) * LEVELS
        return levels, self.perceptual(images)

    def perceptual(self, images: torch.Tensor) -> torch.Tensor:
        """The perceptual distance (N,) of images (N, C, H, W)."""
        pairs = zip(self._directions(images), self.features, strict=True)
        each = [(mine - other).square().sum(1).mean((1, 2)) for mine, other in pairs]
        return torch.stack(each).mean(0)

    def objective(self, images: torch.Tensor) -> torch.Tensor:
        """What is minimized (N,): the mean squared difference of the pixels, plus the perceptual distance."""
        return (images - self.target).square().mean((1, 2, 3)) + self.perceptual(images)

    def _directions(self, images: torch.Tensor) -> list[torch.Tensor]:
        """The features of each layer (N, F, h, w), each place's scaled to length 1."""
        outputs = self.network(_as_rgb(images.float())).values()
        return [output / (output.norm(dim=1, keepdim=True) + TINY) for output in outputs]


def _as_rgb(images: torch.Tensor) -> torch.Tensor:
    """Images (N, C, H, W) as SqueezeNet takes them: three channels, opacity laid on white, neither tiny nor huge."""
    if has_opacity(images.shape[1]):
        colors, opacity = images[:, :-1], (images[:, -1:] + 1) / 2
        images = colors * opacity + (1 - opacity)
    images = images.expand(-1, 3, -1, -1)
    side = min(images.shape[2:])
    scale = SIDE / side if side < SIDE else 4 * SIDE / side if side > 4 * SIDE else 1
    if scale == 1:
        return images
    size = [round(length * scale) for length in images.shape[2:]]
    return functional.interpolate(images, size=size, mode="bilinear", align_corners=False, antialias=scale < 1)
