"""The FastGAN of lucidrains/lightweight-gan: a generator for networks from there; `fastgan` is the one to train.

- as FastGAN (Liu et al. 2021, arXiv 2101.04775) it is batch normalised and gated, and coarse features weigh fine ones; but
  features are doubled by shuffling channels into pixels (Shi et al. 2016, arXiv 1609.05158), then blurred by [1, 2, 1]
- coarse features are summed over pixels by an attention of one head (Cao et al. 2020, arXiv 2012.13375) instead of pooled
- some grids have attention: linear over all pixels, and of each pixel to its eight neighbours, side by side
- noise in each block, with a learned strength; in training mode only, where the program has it always

Written from what that program computes, and compared with it; no code taken. Licence: Apache-2.0.

Shapes: N images, C channels, H × W resolution, Z latent size, F feature maps, I → O feature maps into and out of a layer, P
pixels.
"""

from itertools import pairwise
from typing import Annotated

import torch
from torch import nn
from torch.nn import functional

from gan_hub.models.config_schema import Channels, Choice, Integer, Latent, Width
from gan_hub.models.layers import LowPass
from gan_hub.models.mixins import HasLatentProjection
from gan_hub.models.modeling import GANModel, precision, register_checked

NoClasses = Annotated[int, Choice(0)]
Side = Annotated[int, Choice(16, 32, 64, 128, 256, 512, 1024)]
HEADS, HEAD_SIZE, WINDOW = 8, 64, 3  # of attention
SPAN = 3  # a context of features of 2n pixels a side weighs those of 2n · 2³
COARSEST_CONTEXT, FINEST_CONTEXT = 16, 128  # pixels a side
THIN_FROM = 512  # pixels a side, from which on there are three feature maps
LEAST = 3  # hidden numbers of a context
NORM_EPS = 1e-5


def block_widths(resolution: int, max_channels: int, width_power: int) -> list[int]:
    """Feature maps of the grids of 8, 16, … pixels a side, coarse to fine.

    Args:
        resolution: Of the images.
        max_channels: The most at any grid.
        width_power: Those of a grid are 2^`width_power` / half of its side, but 3 from 512 pixels a side on.

    Returns:
        One width a grid.
    """
    sides = [8 * 2**block for block in range((resolution // 8).bit_length())]
    return [LEAST if side >= THIN_FROM else min(max_channels, max(1, 2 * 2**width_power // side)) for side in sides]


class ChannelNorm(nn.Module):
    """Each pixel's features (N, F, H, W) brought to mean 0 and variance 1, then scaled and shifted."""

    def __init__(self, features: int) -> None:
        super().__init__()
        self.scale, self.shift = nn.Parameter(torch.ones(features)), nn.Parameter(torch.zeros(features))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """(N, F, H, W) → the same."""
        return functional.layer_norm(x.movedim(1, -1), x.shape[1:2], self.scale, self.shift, NORM_EPS).movedim(-1, 1)


class Attention(nn.Module):
    """x + attention of its normalised features: linear over all pixels, and to each pixel's neighbourhood, joined."""

    def __init__(self, features: int) -> None:
        super().__init__()
        inner = HEADS * HEAD_SIZE
        self.norm = ChannelNorm(features)
        self.global_query = nn.Conv2d(features, inner, 1, bias=False)
        self.global_around = nn.Conv2d(features, features, 3, padding=1, groups=features, bias=False)
        self.global_key_value = nn.Conv2d(features, 2 * inner, 1, bias=False)
        self.local_query = nn.Conv2d(features, inner, 1, bias=False)
        self.local_key_value = nn.Conv2d(features, 2 * inner, 1, bias=False)
        self.out = nn.Conv2d(2 * inner, features, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """(N, F, H, W) → the same."""
        normed = self.norm(x)
        query, pairs = self.global_query(normed), self.global_key_value(self.global_around(normed))
        far = functional.gelu(self._global(query, *pairs.chunk(2, 1)))
        near = self._local(self.local_query(normed), *self.local_key_value(normed).chunk(2, 1))
        return x + self.out(torch.cat([far, near], 1))

    @staticmethod
    def _global(query: torch.Tensor, key: torch.Tensor, value: torch.Tensor) -> torch.Tensor:
        """Linear attention (Shen et al. 2021, arXiv 1812.01243, equation 5); each tensor (N, heads · size, H, W)."""
        q, k, v = (
            each.unflatten(1, (HEADS, HEAD_SIZE)).flatten(3) for each in (query, key, value)
        )  # (N, heads, size, P)
        context = v @ k.softmax(3).transpose(2, 3)  # (N, heads, size, size)
        attended = context @ (q.softmax(2) * HEAD_SIZE**-0.5)  # (N, heads, size, P)
        return attended.flatten(1, 2).view_as(value)

    @staticmethod
    def _local(query: torch.Tensor, key: torch.Tensor, value: torch.Tensor) -> torch.Tensor:
        """Attention of each pixel to the window around it, in which zeros lie beyond the edges; shapes as above."""
        q = query.unflatten(1, (HEADS, HEAD_SIZE)).flatten(3) * HEAD_SIZE**-0.5  # (N, heads, size, P)
        k, v = (
            functional.unfold(each, WINDOW, padding=WINDOW // 2).unflatten(1, (HEADS, HEAD_SIZE, WINDOW**2))
            for each in (key, value)
        )  # (N, heads, size, 9, P)
        weights = (q[:, :, :, None] * k).sum(2, keepdim=True).softmax(3)  # (N, heads, 1, 9, P)
        return (weights * v).sum(3).flatten(1, 2).view_as(value)


class Context(nn.Module):
    """Features (N, I, h, w) → one factor from 0 to 1 for each of O finer feature maps, (N, O, 1, 1)."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.key = nn.Conv2d(inputs, 1, 1)
        self.squeeze = nn.Conv2d(inputs, max(LEAST, outputs // 2), 1)
        self.excite = nn.Conv2d(max(LEAST, outputs // 2), outputs, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """(N, I, h, w) → (N, O, 1, 1)."""
        weights = self.key(x).flatten(2).softmax(2)  # (N, 1, P)
        summary = (x.flatten(2) @ weights.transpose(1, 2))[..., None]  # (N, I, 1, 1)
        return self.excite(functional.leaky_relu(self.squeeze(summary), 0.1)).sigmoid()


class Block(nn.Module):
    """Doubles features by shuffling channels into pixels, then blurs, convolves, adds noise, normalises and gates."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.expand = nn.Conv2d(inputs, 4 * inputs, 1)
        self.blur = LowPass([1, 2, 1])
        self.convolution = nn.Conv2d(inputs, 2 * outputs, 4)
        self.noise_strength = nn.Parameter(torch.zeros(()))
        self.norm = nn.BatchNorm2d(2 * outputs)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """(N, I, H, W) → (N, O, 2H, 2W)."""
        x = functional.pixel_shuffle(functional.silu(self.expand(x)), 2)  # (N, I, 2H, 2W)
        kernel = self.blur.kernel.to(x.dtype).expand(x.shape[1], 1, -1, -1)
        x = functional.conv2d(functional.pad(x, (1, 1, 1, 1), mode="reflect"), kernel, groups=x.shape[1])
        x = self.convolution(functional.pad(x, (2, 1, 2, 1)))
        if self.training:
            x = x + self.noise_strength * torch.randn(x.shape[0], 1, *x.shape[2:], device=x.device, dtype=x.dtype)
        return functional.glu(self.norm(x), 1)


class LightweightGANGenerator(HasLatentProjection, GANModel):
    """z (N, Z) → images (N, C, H, W) in [-1, 1]: project to 4 × 4, then double up to H × W.

    `attention` is the sum of the sides of the grids that have attention before they are doubled: 32, or 96 for those of 32 and
    64 pixels; 0 for none. Feature maps are 2^`width_power` / half of a grid's side, up to `max_channels`.

    Example:
        >>> import torch
        >>> from gan_hub import LightweightGANGenerator
        >>> generator = LightweightGANGenerator(resolution=16, latent_size=8, max_channels=8, width_power=5)
        >>> generator(torch.randn(2, 8)).shape
        torch.Size([2, 3, 16, 16])
    """

    @register_checked
    def __init__(
        self,
        resolution: Side = 256,
        channels: Channels = 3,
        latent_size: Latent = 256,
        num_classes: NoClasses = 0,
        max_channels: Width = 512,
        width_power: Annotated[int, Integer(1, 16)] = 12,
        attention: Annotated[int, Integer(0, 2044)] = 32,
    ) -> None:
        super().__init__()
        features = [latent_size, *block_widths(resolution, max_channels, width_power)]
        self.project = nn.ConvTranspose2d(latent_size, 2 * latent_size, 4)
        self.norm = nn.BatchNorm2d(2 * latent_size)
        self.blocks, self.attentions, self.contexts = nn.ModuleList(), nn.ModuleDict(), nn.ModuleDict()
        for block, (inputs, outputs) in enumerate(pairwise(features)):
            side = 8 * 2**block  # after doubling
            self.blocks.append(Block(inputs, outputs))
            if attention & (side // 2):
                self.attentions[str(side // 2)] = Attention(inputs)
            if COARSEST_CONTEXT <= side <= min(FINEST_CONTEXT, resolution >> SPAN):
                self.contexts[str(side)] = Context(outputs, features[block + 1 + SPAN])
        self.to_image = nn.Conv2d(features[-1], channels, 3, padding=1)

    def latent_weights(self) -> torch.Tensor:
        """The weights of the projection, (2 Z · 16, Z)."""
        return self.project.weight.flatten(1).t()

    def forward(self, z: torch.Tensor, labels: torch.Tensor | None = None, force_fp32: bool = False) -> torch.Tensor:
        """z (N, Z) → images (N, C, H, W) in [-1, 1]; unbounded in training mode."""
        self.check_labels(labels)
        with precision(z.device, force_fp32):
            x = functional.glu(self.norm(self.project(z[:, :, None, None])), 1)  # (N, Z, 4, 4)
            x, factors = functional.normalize(x, dim=1), {}
            for block in self.blocks.children():
                side = str(x.shape[2])
                if side in self.attentions:
                    x = self.attentions[side](x)
                x = block(x)  # (N, F, 2H, 2W)
                side = x.shape[2]
                if str(side) in self.contexts:
                    factors[side << SPAN] = self.contexts[str(side)](x)
                x = x * factors[side] if side in factors else x
            image = 2 * self.to_image(x) - 1  # theirs lie in [0, 1]
            return image if self.training else image.clamp(-1, 1)  # (N, C, H, W)
