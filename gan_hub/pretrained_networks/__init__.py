"""Networks trained on ImageNet that the package ships: their weight files, whose they are, and SqueezeNet's layers."""

from gan_hub.pretrained_networks.files import PRETRAINED, PretrainedFile, path_of
from gan_hub.pretrained_networks.squeezenet import FrozenSqueezeNet

__all__ = ["PRETRAINED", "FrozenSqueezeNet", "PretrainedFile", "path_of"]
