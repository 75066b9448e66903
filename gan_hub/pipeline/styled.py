"""How a style-based generator draws by `map` and `synthesize`: w truncated and moved, and the noise of its pixels.

Shapes: N images, H × W resolution, Z latent size, L rows of w, W size of w.
"""

import zlib
from collections.abc import Mapping
from typing import cast

import torch
from torch import nn

from gan_hub.engines.drop_in import DropIn
from gan_hub.latents import seeded
from gan_hub.messages import short_repr
from gan_hub.models import GANModel
from gan_hub.models.layers import NoiseSource
from gan_hub.models.mixins import StyleBased
from gan_hub.models.modeling import unwrapped

NOISES = ("const", "random", "none")


def styled(network: nn.Module | DropIn) -> StyleBased:
    """The style-based network inside a wrapped one or its eval twin, or an engine for one; the caller knows that it is."""
    return cast(StyleBased, network if isinstance(network, DropIn) else unwrapped(network))


def has_noise(generator: GANModel) -> bool:
    """Whether noise of its pixels is part of what a generator draws: of StyleGAN and StyleGAN2, unless trained without."""
    return isinstance(generator, StyleBased) and generator.has_noise


def other_noise(noise: object, generator: GANModel) -> str | None:
    """The noise to draw with where that is another than the generator draws with by itself.

    Args:
        noise: one of NOISES, or None for the generator's own way, which is "const", or "none" in one without noise.
        generator: the generator.

    Returns:
        "random", "none", or None for the generator's own way.

    Raises:
        ValueError: for another value, and for noise that the generator does not have.
    """
    if noise is not None and noise not in NOISES:
        raise ValueError(f"noise={short_repr(noise)} is not allowed; choose one of {', '.join(NOISES)}.")
    if not has_noise(generator):
        if noise in (None, "none"):
            return None
        name = type(generator).__name__
        raise ValueError(f"noise={short_repr(noise)}: this model's generator ({name}) has no noise of its pixels.")
    return None if noise == "const" else cast(str | None, noise)


class StyledDrawing:
    """Draws latents by way of w. `prepare` is called with the latents of a batch, and then the object itself draws them.

    Example:
        >>> import torch
        >>> from gan_hub import GANPipeline
        >>> from gan_hub.pipeline.styled import StyledDrawing
        >>> pipe = GANPipeline.from_pretrained("stylegan2-avatars-32")
        >>> drawing = StyledDrawing(truncation=0.7, shifts={}, noise="none")
        >>> z = drawing.prepare(pipe.sample_latents([3]))
        >>> with torch.no_grad():
        ...     tuple(drawing(pipe.generator, z).shape)
        (1, 3, 32, 32)
    """

    def __init__(self, truncation: float, shifts: Mapping[str, torch.Tensor], noise: str | None) -> None:
        """Make the object.

        Args:
            truncation: of w.
            shifts: what is added to each "z" (Z,), and to each "w".
            noise: as `other_noise` returns it; "random" is each latent's own, always the same.
        """
        self.truncation, self.shifts, self.noise = truncation, shifts, noise
        self.latents = torch.empty(0)  # of the batch, before a concept moves them: noise stays as it is then

    def prepare(self, rows: torch.Tensor) -> torch.Tensor:
        """Latents (N, Z), moved along concepts."""
        self.latents = rows
        return rows + self.shifts["z"] if "z" in self.shifts else rows

    def __call__(self, network: nn.Module | DropIn, *batch: torch.Tensor) -> torch.Tensor:
        """What `prepare` returned, and labels (N,) in a conditional network → images (N, C, H, W)."""
        generator = styled(network)
        ws = generator.map(*batch, truncation=self.truncation)
        ws = ws + self.shifts["w"].to(ws) if "w" in self.shifts else ws
        if self.noise is None:
            return generator.synthesize(ws)
        own: NoiseSource = noise_of(self.latents) if self.noise == "random" else self.noise
        return generator.synthesize(ws, noise=own)


def noise_of(rows: torch.Tensor) -> list[torch.Generator]:
    """For each latent (N, Z) or w (N, L, W) on the CPU a generator that depends on its numbers alone."""
    return [seeded(zlib.crc32(row.tobytes())) for row in rows.numpy()]
