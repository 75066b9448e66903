"""Architectures: one file each; the registry says which generator plays against which discriminator."""

from typing import NamedTuple

from gan_hub.models.began import BEGANDiscriminator, BEGANGenerator
from gan_hub.models.dcgan import DCGANDiscriminator, DCGANGenerator
from gan_hub.models.gmmn import GMMNGenerator
from gan_hub.models.mlp import MLPDiscriminator, MLPGenerator
from gan_hub.models.modeling import GANModel
from gan_hub.models.msg_gan import MSGGANDiscriminator, MSGGANGenerator
from gan_hub.models.progan import ProGANDiscriminator, ProGANGenerator
from gan_hub.models.r3gan import R3GANDiscriminator, R3GANGenerator
from gan_hub.models.spade import SPADEDiscriminator, SPADEGenerator
from gan_hub.models.stylegan import StyleGANDiscriminator, StyleGANGenerator
from gan_hub.models.stylegan2 import StyleGAN2Discriminator, StyleGAN2Generator


class Architecture(NamedTuple):
    """The two players of one architecture; None where the generator's loss needs no opponent."""

    generator: type[GANModel]
    discriminator: type[GANModel] | None


ARCHITECTURES: dict[str, Architecture] = {
    "mlp": Architecture(MLPGenerator, MLPDiscriminator),
    "gmmn": Architecture(GMMNGenerator, None),
    "dcgan": Architecture(DCGANGenerator, DCGANDiscriminator),
    "began": Architecture(BEGANGenerator, BEGANDiscriminator),
    "r3gan": Architecture(R3GANGenerator, R3GANDiscriminator),
    "progan": Architecture(ProGANGenerator, ProGANDiscriminator),
    "msg_gan": Architecture(MSGGANGenerator, MSGGANDiscriminator),
    "spade": Architecture(SPADEGenerator, SPADEDiscriminator),
    "stylegan": Architecture(StyleGANGenerator, StyleGANDiscriminator),
    "stylegan2": Architecture(StyleGAN2Generator, StyleGAN2Discriminator),
}

# Class name in a published file → class. Names are promises: a renamed class keeps its old name here as an alias.
CLASSES: dict[str, type[GANModel]] = {
    cls.__name__: cls for pair in ARCHITECTURES.values() for cls in pair if cls is not None
}
