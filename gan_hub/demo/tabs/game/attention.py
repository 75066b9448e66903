"""Where the discriminator looked: how its logit changes while one spot of a picture after the other is covered.

Occlusion maps: M. D. Zeiler, R. Fergus, Visualizing and Understanding Convolutional Networks (ECCV 2014), section 2.2. A spot is
covered by a blurred copy of the picture itself, which is nearer to what the network knows than grey is.
"""

import numpy as np
import torch
from PIL import Image, ImageFilter

from gan_hub.demo import models
from gan_hub.demo.tabs.game.pairs import Pair

SPOTS = 8  # along a side; they overlap by half
BLUR = 0.25  # standard deviation of the blur, as a share of the longer side
WARM, COLD = (234, 88, 12), (37, 99, 235)  # looks less real without this spot; looks more real without it
STRONGEST = 190  # opacity of the strongest spot, of 255


def occlusion(picture: Image.Image) -> list[Image.Image]:
    """The picture with one spot covered after the other, row by row: SPOTS × SPOTS of them."""
    blurred = picture.filter(ImageFilter.GaussianBlur(BLUR * max(picture.size)))
    width, height = (-(-2 * side // (SPOTS + 1)) for side in picture.size)
    covered = []
    for row in range(SPOTS):
        for column in range(SPOTS):
            left = round(column * (picture.width - width) / (SPOTS - 1))
            top = round(row * (picture.height - height) / (SPOTS - 1))
            box = left, top, left + width, top + height
            each = picture.copy()
            each.paste(blurred.crop(box), box)
            covered.append(each)
    return covered


def heat(model: str, pair: Pair) -> tuple[Image.Image, Image.Image]:
    """What each spot of the two pictures adds to the discriminator's logit.

    Args:
        model: the model whose discriminator is asked.
        pair: the two pictures.

    Returns:
        For each a small picture with opacity, to lay over it: warm where covering lowers the logit, cold where it raises it,
        on one scale for both.
    """
    pipe = models.load(model)
    drops = []
    for picture in pair.judged:
        pictures = [picture, *occlusion(picture)]
        labels = None if pair.label is None else [pair.label] * len(pictures)
        logits = pipe.discriminate(pictures, labels, segmentation=pair.segmentation)
        drops.append((logits[0] - logits[1:]).reshape(SPOTS, SPOTS))
    largest = max(float(drop.abs().max()) for drop in drops) or 1.0
    left, right = (_colored(drop / largest) for drop in drops)
    return left, right


def _colored(share: torch.Tensor) -> Image.Image:
    """From −1 (cold) to 1 (warm) as a color whose opacity is the strength."""
    values = share.numpy()
    pixels = np.zeros((*values.shape, 4), np.uint8)
    pixels[values >= 0, :3], pixels[values < 0, :3] = WARM, COLD
    pixels[..., 3] = np.round(np.abs(values) * STRONGEST)
    return Image.fromarray(pixels)
