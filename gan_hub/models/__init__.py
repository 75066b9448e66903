"""Architectures: one file each. `ARCHITECTURES` says which generator plays against which discriminator."""

import os
from importlib import import_module

from gan_hub.models.began import BEGANDiscriminator, BEGANGenerator
from gan_hub.models.dcgan import DCGANDiscriminator, DCGANGenerator
from gan_hub.models.fastgan import FastGANDiscriminator, FastGANGenerator
from gan_hub.models.features_discriminator import FeaturesDiscriminator
from gan_hub.models.gmmn import GMMNGenerator
from gan_hub.models.lightweight_gan import LightweightGANGenerator
from gan_hub.models.mlp import MLPDiscriminator, MLPGenerator
from gan_hub.models.modeling import GANModel, precision, register_checked
from gan_hub.models.msg_gan import MSGGANDiscriminator, MSGGANGenerator
from gan_hub.models.plain_stylegan2 import PlainStyleGAN2Generator
from gan_hub.models.progan import ProGANDiscriminator, ProGANGenerator
from gan_hub.models.r3gan import R3GANDiscriminator, R3GANGenerator
from gan_hub.models.registry import ARCHITECTURES, CLASSES, Architecture, discriminator_class, register_architecture
from gan_hub.models.sequential import SequentialGenerator
from gan_hub.models.spade import SPADEDiscriminator, SPADEGenerator
from gan_hub.models.stylegan import StyleGANDiscriminator, StyleGANGenerator
from gan_hub.models.stylegan2 import StyleGAN2Discriminator, StyleGAN2Generator
from gan_hub.models.stylegan3 import StyleGAN3Generator

__all__ = [
    "ARCHITECTURES",
    "CLASSES",
    "Architecture",
    "BEGANDiscriminator",
    "BEGANGenerator",
    "DCGANDiscriminator",
    "DCGANGenerator",
    "FastGANDiscriminator",
    "FastGANGenerator",
    "FeaturesDiscriminator",
    "GANModel",
    "GMMNGenerator",
    "LightweightGANGenerator",
    "MLPDiscriminator",
    "MLPGenerator",
    "MSGGANDiscriminator",
    "MSGGANGenerator",
    "PlainStyleGAN2Generator",
    "ProGANDiscriminator",
    "ProGANGenerator",
    "R3GANDiscriminator",
    "R3GANGenerator",
    "SPADEDiscriminator",
    "SPADEGenerator",
    "SequentialGenerator",
    "StyleGAN2Discriminator",
    "StyleGAN2Generator",
    "StyleGAN3Generator",
    "StyleGANDiscriminator",
    "StyleGANGenerator",
    "discriminator_class",
    "precision",
    "register_architecture",
    "register_checked",
]

# Modules that register networks from outside the package: a command has no line of Python to import them in.
for _module in os.environ.get("GAN_HUB_IMPORT", "").replace(",", " ").split():
    try:
        import_module(_module)
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError(f"GAN_HUB_IMPORT={_module}: {error}; is its folder in PYTHONPATH?") from error
