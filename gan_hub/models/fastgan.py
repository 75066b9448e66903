"""FastGAN: towards faster and stabilized GAN training for few-shot image synthesis (Liu et al. 2021, arXiv 2101.04775).

- the generator doubles by nearest neighbours, with one and two 3 × 3 convolutions in turn; each is batch normalised and
  gated by a GLU
- skip-layer excitation: coarse features weigh the feature maps of a much finer grid, 4 × 4 those of 64 × 64
- noise in the blocks of two convolutions, with a learned strength that starts at 0; in training mode only
- the discriminator halves along two paths, has the same excitations, and judges patches; spectral and batch normalisation
- weights from N(0, 0.02); z is brought to the sphere
- classes: conditional batch normalisation in the generator, projection in the discriminator
- unlike the paper, if asked for: `upsampling: linear`. Doubled neighbours leave a mesh that a discriminator which sees through a
  frozen network does not learn to see; between linear ones it does not arise
- unlike the paper: no decoders in the discriminator, and so no reconstruction loss (section 3.2)
- unlike the paper: the logits of all patches are averaged to one an image, and there is one scale
- unlike the authors' program: the generator has no spectral normalisation, which batch normalisation undoes
- unlike the paper: below 128 pixels the excitations span fewer doublings, so that there are two; 28 pixels start from 7 × 7

Written from the paper, and compared with the authors' program; no code taken. Licence: Apache-2.0.

Shapes: N images, C channels, H × W resolution, h × w the coarsest grid, Z latent size, K classes (0: unconditional), F feature
maps, I → O feature maps into and out of a layer.
"""

from collections.abc import Sequence
from itertools import pairwise
from typing import Annotated, ClassVar

import torch
from torch import nn
from torch.nn import functional

from gan_hub.models.config_schema import Channels, Choice, Classes, Integer, Latent, Resolution, Switch, Width
from gan_hub.models.layers import (
    ConditionalNorm,
    MinibatchStddev,
    downsample,
    normalize_2nd_moment,
    stage_resolutions,
    stage_widths,
    upsample,
    with_spectral_norm,
)
from gan_hub.models.mixins import HasLatentProjection
from gan_hub.models.modeling import GANModel, precision, register_checked

Norm = Annotated[str, Choice("batch", "none")]
Noise = Annotated[str, Choice("random", "none")]
Upsampling = Annotated[str, Choice("nearest", "linear")]
BlockLayers = Annotated[str, Choice("alternating", "two", "one")]
ExcitationActivation = Annotated[str, Choice("leaky_relu", "swish")]
Output = Annotated[str, Choice("tanh", "none")]

SLOPE = 0.2  # of leaky ReLU below 0
UP_SPAN = 4  # doublings that an excitation spans: 4 × 4 pixels weigh 64 × 64
DOWN_SPAN = 3  # halvings, in the discriminator: 128 × 128 pixels weigh 16 × 16
POOLED = 4  # the side of the grid that an excitation sees
PIXELS_IN_TRAINING, PIXELS_IN_EVAL = 32, 256


def excitation_span(steps: int, most: int) -> int:
    """How many of `steps` doublings (or halvings) an excitation spans: `most`, fewer where there would not be two of them."""
    return max(1, min(most, steps - 1))


def generator_widths(
    resolution: int | Sequence[int], base_channels: int, max_channels: int, plateau: int = 0
) -> list[int]:
    """Feature maps at each of the `stage_resolutions`, coarse to fine: doubled at each coarser one, but once not.

    Args:
        resolution: Of the images, see `images.height_width`.
        base_channels: Feature maps at the finest stage.
        max_channels: The most at any stage.
        plateau: The shorter side of the stage that has as many as the next finer one, 32 in the authors' networks; 0 for none.

    Returns:
        One width a stage.
    """
    widths = stage_widths(resolution, base_channels, 2 * max_channels)
    sides = [min(grid) for grid in stage_resolutions(resolution)]
    return [
        min(max_channels, width // 2 if side <= plateau else width) for width, side in zip(widths, sides, strict=True)
    ]


def gated(x: torch.Tensor) -> torch.Tensor:
    """GLU (Dauphin et al. 2017): (N, 2F, H, W) → (N, F, H, W), the first half times the sigmoid of the second."""
    # torch's own has a gradient that is two to four times as slow on a CPU.
    values, gates = x.chunk(2, 1)
    return values * gates.sigmoid()


def doubled(x: torch.Tensor, upsampling: str | None) -> torch.Tensor:
    """(N, F, H, W) → (N, F, 2H, 2W) by "nearest" neighbours or "linear" interpolation; as it is where that is None."""
    if upsampling == "linear":
        return functional.interpolate(x, scale_factor=2, mode="bilinear", align_corners=False)
    return upsample(x, int(upsampling is not None))


def doubled_conv2d(x: torch.Tensor, weight: torch.Tensor) -> torch.Tensor:
    """Double by nearest neighbours, then convolve, as one transposed convolution: 4 products an output where there were 9.

    Doubling makes two rows of one, so that two of the kernel's three rows meet the same numbers, and their sum can be taken
    first. It becomes 4 × 4 with a stride of 2. The values are the same up to rounding.

    Args:
        x: Features (N, I, H, W).
        weight: (O, I, 3, 3).

    Returns:
        (N, O, 2H, 2W).
    """
    # Row t: which rows of the 3 × 3 kernel meet an input that row t of the 4 × 4 kernel meets. 001, 011, 110, 100.
    rows = torch.ones(4, 3, dtype=weight.dtype, device=weight.device).tril().triu(-1).flip(0)
    kernel = torch.einsum("au,bv,oiuv->ioab", rows, rows, weight)  # (I, O, 4, 4)
    return functional.conv_transpose2d(x, kernel, stride=2, padding=1)


class GatedConvolution(nn.Module):
    """3 × 3 convolution, noise, batch normalisation and GLU, of features doubled first where it says how: `upsampling`."""

    def __init__(self, inputs: int, outputs: int, num_classes: int, upsampling: str | None, noisy: bool) -> None:
        super().__init__()
        self.convolution = nn.Conv2d(inputs, 2 * outputs, 3, padding=1, bias=False)
        self.norm = ConditionalNorm(2 * outputs, num_classes, "batch")
        self.noise_strength = nn.Parameter(torch.zeros(())) if noisy else None
        self.upsampling = upsampling

    def forward(self, x: torch.Tensor, labels: torch.Tensor | None) -> torch.Tensor:
        """x (N, I, H, W), labels (N,) or None → (N, O, H or 2H, W or 2W)."""
        if self.upsampling == "nearest" and x.shape[2] * x.shape[3] >= self.worthwhile_pixels():
            x = doubled_conv2d(x, self.convolution.weight)  # (N, 2 O, 2H, 2W)
        else:
            x = self.convolution(doubled(x, self.upsampling))
        if self.noise_strength is not None and self.training:
            pixels = torch.randn(x.shape[0], 1, *x.shape[2:], device=x.device, dtype=x.dtype)
            x = x + self.noise_strength.to(x.dtype) * pixels
        return gated(self.norm(x, labels))

    def worthwhile_pixels(self) -> int:
        """From how many pixels on doubling and convolution are one: below, or for a single image, the kernel costs more."""
        return PIXELS_IN_TRAINING if self.training else PIXELS_IN_EVAL


class Excitation(nn.Module):
    """Skip-layer excitation (section 3.1, equation 1): coarse features say how much each of the fine feature maps counts.

    They are averaged to 4 × 4 pixels, which one convolution and one linear map turn into factors from 0 to 1. In the
    discriminator, fine features weigh coarse ones.
    """

    def __init__(self, inputs: int, outputs: int, activation: str = "leaky_relu") -> None:
        super().__init__()
        self.activation = activation
        self.squeeze = nn.Conv2d(inputs, outputs, POOLED, bias=False)
        self.excite = nn.Conv2d(outputs, outputs, 1, bias=False)

    def forward(self, source: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
        """`source` (N, I, h, w), `target` (N, O, H, W) → (N, O, H, W)."""
        factors = self.squeeze(functional.adaptive_avg_pool2d(source, POOLED))  # (N, O, 1, 1)
        factors = functional.silu(factors) if self.activation == "swish" else functional.leaky_relu(factors, SLOPE)
        factors = self.excite(factors).sigmoid()
        return target * factors


class FastGANGenerator(HasLatentProjection, GANModel):
    """z (N, Z), labels (N,) → images (N, C, H, W) in [-1, 1]: project to h × w, then double up to H × W.

    Feature maps are `base_channels` at the finest grid, doubled at each coarser one up to `max_channels`. The authors' networks
    for 1024 pixels are base 8 from there down to 64 × 64; they have the same width at 32 × 32 as at 64 × 64, so that coarser
    grids have half of ours. `noise` is "random" (fresh pixels from torch's global generator in training mode, none in eval
    mode, so that a seed always gives the same image) or "none". `upsampling` is "nearest", the paper's, or "linear".

    Six switches are for networks from elsewhere: `plateau` is the shorter side of that grid of equal width (0: none); blocks
    have two and one convolution in turn, or all of them "two" or "one"; `most_excitations` bounds them from the coarsest on (0
    does not), and `excitation_activation` is what lies between their two layers; `normalize_latent` brings z to the sphere;
    `output` "none" leaves images unbounded in training mode.

    Example:
        >>> import torch
        >>> from gan_hub import FastGANGenerator
        >>> generator = FastGANGenerator(resolution=32, latent_size=8, base_channels=4, max_channels=16)
        >>> generator(torch.randn(2, 8)).shape
        torch.Size([2, 3, 32, 32])
    """

    CONFIG_DEFAULTS_FOR_OLD_FILES: ClassVar = {
        "plateau": 0,
        "block_layers": "alternating",
        "most_excitations": 0,
        "excitation_activation": "leaky_relu",
        "normalize_latent": True,
        "output": "tanh",
    }

    @register_checked
    def __init__(
        self,
        resolution: Resolution = 64,
        channels: Channels = 3,
        latent_size: Latent = 256,
        num_classes: Classes = 0,
        base_channels: Width = 64,
        max_channels: Width = 512,
        noise: Noise = "random",
        upsampling: Upsampling = "nearest",
        plateau: Annotated[int, Integer(0, 512)] = 0,
        block_layers: BlockLayers = "alternating",
        most_excitations: Annotated[int, Integer(0, 8)] = 0,
        excitation_activation: ExcitationActivation = "leaky_relu",
        normalize_latent: Switch = True,
        output: Output = "tanh",
    ) -> None:
        super().__init__()
        features = generator_widths(resolution, base_channels, max_channels, plateau)
        self.start = stage_resolutions(resolution)[0]
        self.project = nn.Linear(latent_size, 2 * features[0] * self.start[0] * self.start[1], bias=False)
        self.norm = ConditionalNorm(2 * features[0], num_classes, "batch")
        self.blocks = nn.ModuleList()
        for stage, (wide, narrow) in enumerate(pairwise(features)):
            two = block_layers == "two" or (block_layers == "alternating" and stage % 2 == 0)
            noisy = two and noise != "none"
            widths = [(wide, narrow), (narrow, narrow)] if two else [(wide, narrow)]
            layers = [
                GatedConvolution(*sizes, num_classes, None if layer else upsampling, noisy)
                for layer, sizes in enumerate(widths)
            ]
            self.blocks.append(nn.ModuleList(layers))
        self.span = excitation_span(len(self.blocks), UP_SPAN)
        ends = list(zip(features[: -self.span], features[self.span :], strict=True))
        self.excitations = nn.ModuleList(
            Excitation(coarse, fine, excitation_activation) for coarse, fine in ends[: most_excitations or None]
        )
        self.to_image = nn.Conv2d(features[-1], channels, 3, padding=1)
        self.apply(init_weights)

    def latent_weights(self) -> torch.Tensor:
        """The weights of the projection, (2 F h w, Z)."""
        return self.project.weight

    def forward(self, z: torch.Tensor, labels: torch.Tensor | None = None, force_fp32: bool = False) -> torch.Tensor:
        """z (N, Z), labels (N,) → images (N, C, H, W) in [-1, 1]."""
        self.check_labels(labels)
        with precision(z.device, force_fp32):
            z = normalize_2nd_moment(z) if self.config["normalize_latent"] else z
            x = self.project(z).unflatten(1, (-1, *self.start))  # (N, 2F, h, w)
            x = gated(self.norm(x.contiguous(memory_format=torch.channels_last), labels))  # (N, F, h, w)
            stages = [x]
            for stage, block in enumerate(self.blocks, 1):
                for layer in block.children():
                    x = layer(x, labels)  # (N, F/2, 2H, 2W)
                if self.span <= stage < self.span + len(self.excitations):
                    x = self.excitations[stage - self.span](stages[stage - self.span], x)
                stages.append(x)
            image = self.to_image(x)  # (N, C, H, W)
            if self.config["output"] == "none":
                return image if self.training else image.clamp(-1, 1)
            return torch.tanh(image)


def with_norm(layer: nn.Conv2d, norm: str) -> nn.Sequential:
    """The layer, then batch normalisation where `norm` is "batch", then leaky ReLU."""
    norms = [nn.BatchNorm2d(layer.out_channels)] if norm == "batch" else []
    return nn.Sequential(layer, *norms, nn.LeakyReLU(SLOPE))


class DownBlock(nn.Module):
    """Halve along two paths: a convolution of stride 2 and one more; a mean of squares and a 1 × 1 convolution.

    The result is the mean of both.
    """

    def __init__(self, inputs: int, outputs: int, norm: str) -> None:
        super().__init__()
        bias = norm == "none"
        self.main = nn.Sequential(
            with_norm(nn.Conv2d(inputs, outputs, 4, stride=2, padding=1, bias=bias), norm),
            with_norm(nn.Conv2d(outputs, outputs, 3, padding=1, bias=bias), norm),
        )
        self.direct = with_norm(nn.Conv2d(inputs, outputs, 1, bias=bias), norm)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """(N, I, H, W) → (N, O, H/2, W/2)."""
        return (self.main(x) + self.direct(downsample(x))) / 2


class FastGANDiscriminator(GANModel):
    """Images (N, C, H, W) in [-1, 1], labels (N,) → logits (N,): halve until 8 × 8, judge patches of that, take their mean.

    64 × 64 pixels have 5 × 5 patches. With classes, ⟨embedding of the label, mean of the features⟩ is added (projection,
    Miyato & Koyama 2018, equation 3). `norm` "batch" is the paper's; gradient penalties want "none".

    Example:
        >>> import torch
        >>> from gan_hub import FastGANDiscriminator
        >>> discriminator = FastGANDiscriminator(resolution=32, base_channels=4, max_channels=16)
        >>> discriminator(torch.zeros(2, 3, 32, 32)).shape
        torch.Size([2])
    """

    @register_checked
    def __init__(
        self,
        resolution: Resolution = 64,
        channels: Channels = 3,
        num_classes: Classes = 0,
        base_channels: Width = 64,
        max_channels: Width = 512,
        norm: Norm = "batch",
        minibatch_stddev: Switch = False,
        spectral_norm: Switch = True,
    ) -> None:
        super().__init__()
        sides = [min(grid) for grid in stage_resolutions(resolution)[::-1]]
        stages = max(2, sum(side >= 7 for side in sides))  # 28 pixels end at 7 × 7, 8 pixels at 4 × 4
        features = stage_widths(resolution, base_channels, max_channels)[::-1][:stages]
        self.from_image = nn.Sequential(nn.Conv2d(channels, features[0], 3, padding=1), nn.LeakyReLU(SLOPE))
        self.blocks = nn.ModuleList(DownBlock(narrow, wide, norm) for narrow, wide in pairwise(features))
        self.span = excitation_span(len(self.blocks), DOWN_SPAN)
        self.excitations = nn.ModuleList(
            Excitation(fine, coarse) for fine, coarse in zip(features[: -self.span], features[self.span :], strict=True)
        )
        self.stddev = MinibatchStddev() if minibatch_stddev else None
        last = nn.Conv2d(features[-1] + minibatch_stddev, features[-1], 1, bias=norm == "none")
        self.last = with_norm(last, norm)
        self.score = nn.Conv2d(features[-1], 1, 4)
        self.embed = nn.Embedding(num_classes, features[-1]) if num_classes else None
        self.apply(init_weights)
        if spectral_norm:  # after the initialisation, from which the power iteration starts
            for module in list(self.modules()):
                if isinstance(module, (nn.Conv2d, nn.Embedding)):
                    with_spectral_norm(module)

    def forward(
        self, images: torch.Tensor, labels: torch.Tensor | None = None, force_fp32: bool = False
    ) -> torch.Tensor:
        """Images (N, C, H, W), labels (N,) → logits (N,)."""
        self.check_labels(labels)
        with precision(images.device, force_fp32):
            x = self.from_image(images)  # (N, F, H, W)
            stages = [x]
            for stage, block in enumerate(self.blocks, 1):
                x = block(x)  # (N, 2F, H/2, W/2)
                if stage >= self.span:
                    x = self.excitations[stage - self.span](stages[stage - self.span], x)
                stages.append(x)
            x = self.last(x if self.stddev is None else self.stddev(x))  # (N, F, h, w)
            logits = self.score(x).mean((1, 2, 3))  # (N,)
            if self.embed is not None:
                logits = logits + (self.embed(labels) * x.mean((2, 3))).sum(1)
            return logits


def init_weights(module: nn.Module) -> None:
    """Weights from N(0, 0.02²), as the authors' program has them, biases 0."""
    if isinstance(module, nn.Conv2d | nn.Linear | nn.Embedding):
        nn.init.normal_(module.weight, std=0.02)
        bias = getattr(module, "bias", None)
        if isinstance(bias, torch.Tensor):
            nn.init.zeros_(bias)
