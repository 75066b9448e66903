"""Neural style transfer (Gatys et al. 2016): the content of one image in the style of another, by optimizing pixels."""

from gan_hub.style_transfer.feature_networks import FeatureNetwork
from gan_hub.style_transfer.losses import content_loss, gram_matrix, style_loss, total_variation
from gan_hub.style_transfer.transfer import Losses, StyleTransfer, style_transfer
from gan_hub.style_transfer.weights import load_features

__all__ = [
    "FeatureNetwork",
    "Losses",
    "StyleTransfer",
    "content_loss",
    "gram_matrix",
    "load_features",
    "style_loss",
    "style_transfer",
    "total_variation",
]
