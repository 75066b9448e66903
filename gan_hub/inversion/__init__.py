"""Projection of an image into the latent space of a model: the latent whose image comes nearest to it."""

from gan_hub.inversion.projection import Inversion, invert, search

__all__ = ["Inversion", "invert", "search"]
