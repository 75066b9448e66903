"""SPADE, or GauGAN: semantic image synthesis with spatially-adaptive normalization (Park et al. 2019, arXiv 1903.07291).

- a map says which class each pixel shall be of (sky, wall, window …); every normalisation is followed by a scale and a shift
  of each feature at each pixel, computed from the map, as normalisation would wash out a map that is only put in at the start
- the discriminator sees map and image stacked, at several scales, and judges patches (Wang et al. 2018, arXiv 1711.11585)
- spectral normalisation in both networks
- unlike the paper: the generator starts from z, as the paper's does with an image encoder in front of it; `start: map` is the
  paper's network without one, which ignores z: one map, one image
- unlike the paper: a convolution directly before a normalisation has no bias, which that would remove again
- unlike the paper: batch normalisation counts the images of one process; `torch.nn.SyncBatchNorm.convert_sync_batchnorm`
  makes it the paper's
- weights start by Glorot's rule, as the paper says; the authors' program multiplies them by 0.02

Written from the paper, and compared with the authors' program; no code taken. Licence: Apache-2.0.

Shapes: N images, C channels, H × W resolution, h × w a grid of the generator, Z latent size, S semantic classes, F feature
maps, P patches judged, all scales together.
"""

from collections.abc import Sequence
from typing import Annotated, ClassVar, TypeVar

import torch
from torch import nn
from torch.nn import functional

from gan_hub.images import height_width
from gan_hub.models.config_schema import Channels, Choice, Integer, Latent, Layers, Resolution, Switch, Width
from gan_hub.models.layers import Grid, stage_resolutions, stage_widths, upsample, with_spectral_norm
from gan_hub.models.mixins import SegmentationConditional
from gan_hub.models.modeling import GANModel, precision, register_checked
from gan_hub.models.ops.semantic_maps import check_map, edges_of_regions, one_hot_map, resize_nearest

NoClasses = Annotated[int, Choice(0)]  # of whole images: the map has them
SemanticClasses = Annotated[int, Integer(2, 256)]
Start = Annotated[str, Choice("latent", "map")]
Norm = Annotated[str, Choice("batch", "instance")]
StartSide = Annotated[int, Integer(0, 64)]  # shorter side of the coarsest grid; 0 is the paper's
Middle = Annotated[str, Choice("together", "apart")]
Scales = Annotated[int, Integer(1, 3)]  # at 3, the smallest image, 8 × 8, ends as 2 × 2

SLOPE = 0.2  # of leaky ReLU below 0
Weighted = TypeVar("Weighted", bound=nn.Conv2d | nn.Linear)
NORMS = {"batch": nn.BatchNorm2d, "instance": nn.InstanceNorm2d}


# ------------------------------------------------------------------------------------------------ sizes


def generator_stages(
    resolution: int | Sequence[int], base_channels: int, max_channels: int, start_side: int
) -> tuple[list[Grid], list[int]]:
    """Grids and feature maps, coarse to fine, with a coarsest grid of the shorter side `start_side`; 0 is the paper's.

    Args:
        resolution: Of the images, see `images.height_width`.
        base_channels: Feature maps at the finest grid.
        max_channels: The most at any grid.
        start_side: The shorter side of the coarsest grid, or 0.

    Returns:
        The grids, and the feature maps at each.

    Raises:
        ValueError: where no halving leads to `start_side`.
    """
    if not start_side:
        return stage_resolutions(resolution), stage_widths(resolution, base_channels, max_channels)
    grids = [height_width(resolution)]
    while min(grids[0]) > start_side and not any(side % 2 for side in grids[0]):
        grids.insert(0, (grids[0][0] // 2, grids[0][1] // 2))
    if min(grids[0]) != start_side or len(grids) < 2:
        raise ValueError(
            f"start_side={start_side} is not allowed with resolution={resolution}: no halving leads there."
        )
    return grids, [min(max_channels, base_channels * 2**times) for times in reversed(range(len(grids)))]


# ------------------------------------------------------------------------------------------------ layers


def convolution(inputs: int, outputs: int, kernel: int = 3, bias: bool = True) -> nn.Conv2d:
    """A convolution that keeps the size.

    Args:
        inputs, outputs: Feature maps.
        kernel: Its side, an odd number.
        bias: Whether it has one.

    Returns:
        A layer (N, I, h, w) → (N, O, h, w).
    """
    return init_xavier(nn.Conv2d(inputs, outputs, kernel, padding=kernel // 2, bias=bias))


def init_xavier(layer: Weighted) -> Weighted:
    """Initialise a layer by Glorot & Bengio (2010, equation 16, normal), its bias by 0; returns the layer."""
    nn.init.xavier_normal_(layer.weight)
    if layer.bias is not None:
        nn.init.zeros_(layer.bias)
    return layer


class SpatiallyAdaptiveNorm(nn.Module):
    """normalised(x) · (1 + γ) + β (equations 1 to 3), with γ and β computed from the map.

    They are two convolutions (N, F, h, w) with one hidden layer in common (figure 2). x is normalised by the mean and variance
    of a feature over the batch, in eval mode by their running averages ("batch"); or over the pixels of each image by itself,
    in both modes ("instance").
    """

    def __init__(self, features: int, semantic_classes: int, hidden: int, norm: str) -> None:
        super().__init__()
        self.normalise = NORMS[norm](features, affine=False)
        self.shared = convolution(semantic_classes, hidden)
        self.scale, self.shift = convolution(hidden, features), convolution(hidden, features)

    def forward(self, x: torch.Tensor, one_hot: torch.Tensor) -> torch.Tensor:
        """x (N, F, h, w), the map's `one_hot_map` (N, S, h, w) → (N, F, h, w)."""
        hidden = functional.relu(self.shared(one_hot))  # (N, hidden, h, w)
        return self.normalise(x) * (1 + self.scale(hidden)) + self.shift(hidden)


class Block(nn.Module):
    """A residual block; its shortcut is learned where F' is not F.

    Normalise, leaky ReLU, convolve, twice (figure 4); the learned shortcut is normalised as well, and linear.
    """

    def __init__(self, inputs: int, outputs: int, semantic_classes: int, hidden: int, norm: str) -> None:
        super().__init__()
        middle = min(inputs, outputs)
        self.first_norm = SpatiallyAdaptiveNorm(inputs, semantic_classes, hidden, norm)
        self.first = with_spectral_norm(convolution(inputs, middle, bias=False))
        self.second_norm = SpatiallyAdaptiveNorm(middle, semantic_classes, hidden, norm)
        self.second = with_spectral_norm(convolution(middle, outputs))
        self.shortcut = None
        if inputs != outputs:
            self.shortcut_norm = SpatiallyAdaptiveNorm(inputs, semantic_classes, hidden, norm)
            self.shortcut = with_spectral_norm(convolution(inputs, outputs, kernel=1, bias=False))

    def forward(self, x: torch.Tensor, one_hot: torch.Tensor) -> torch.Tensor:
        """x (N, F, h, w), the map's `one_hot_map` (N, S, h, w) → (N, F', h, w)."""
        shortcut = x if self.shortcut is None else self.shortcut(self.shortcut_norm(x, one_hot))
        branch = self.first(functional.leaky_relu(self.first_norm(x, one_hot), SLOPE))  # (N, min(F, F'), h, w)
        branch = self.second(functional.leaky_relu(self.second_norm(branch, one_hot), SLOPE))  # (N, F', h, w)
        return shortcut + branch


# ---------------------------------------------------------------------------------------------- networks


class Synthesis(nn.Module):
    """One block a grid, two at the second (appendix A).

    `grids` go coarse to fine, each twice the one before, and `widths` with them. The first features are a linear map of
    z, or without a `latent_size` a convolution of the coarsest map. With the `middle` "apart", the second grid has one block,
    too. With `instance_edges`, the edges of the map's regions are one more plane.
    """

    def __init__(
        self,
        grids: list[Grid],
        stage_widths: list[int],
        channels: int,
        latent_size: int | None,
        semantic_classes: int,
        hidden: int,
        norm: str,
        middle: str = "together",
        instance_edges: bool = False,
    ) -> None:
        super().__init__()
        self.grids, self.semantic_classes, self.from_map = grids, semantic_classes, latent_size is None
        self.instance_edges, planes = instance_edges, semantic_classes + instance_edges
        if latent_size is None:
            self.start = convolution(planes, stage_widths[0])
        else:
            self.start = init_xavier(nn.Linear(latent_size, stage_widths[0] * grids[0][0] * grids[0][1]))
        self.stages = nn.ModuleList()
        for stage, width in enumerate(stage_widths):
            inputs = [stage_widths[max(stage - 1, 0)]] + [width] * (stage == 1 and middle == "together")
            blocks = (Block(before, width, planes, hidden, norm) for before in inputs)
            self.stages.append(nn.ModuleList(blocks))
        self.to_image = convolution(stage_widths[-1], channels)

    def forward(self, z: torch.Tensor, segmentation: torch.Tensor) -> torch.Tensor:
        """z (N, Z), segmentation (N, H, W) → images (N, C, H, W) in [-1, 1]."""
        maps = [one_hot_map(resize_nearest(segmentation, grid), self.semantic_classes, z.dtype) for grid in self.grids]
        if self.instance_edges:
            edges = edges_of_regions(segmentation, z.dtype)[:, 0]
            maps = [
                torch.cat([one_hot, resize_nearest(edges, grid)[:, None]], 1)
                for one_hot, grid in zip(maps, self.grids, strict=True)
            ]
        x = self.start(maps[0]) if self.from_map else self.start(z).unflatten(1, (-1, *self.grids[0]))  # (N, F, h, w)
        for stage, (blocks, one_hot) in enumerate(zip(self.stages, maps, strict=True)):
            x = upsample(x) if stage else x  # (N, F, 2h, 2w)
            for block in blocks.children():
                x = block(x, one_hot)  # (N, F', 2h, 2w)
        return torch.tanh(self.to_image(functional.leaky_relu(x, SLOPE)))  # (N, C, H, W)


class PatchDiscriminator(nn.Module):
    """Judges patches of map and image, stacked.

    4 × 4 convolutions, of stride 2 but for the last two, each but the first and the last followed by instance normalisation,
    which takes each image by itself, in training and eval mode alike.
    """

    def __init__(self, inputs: int, base_channels: int, max_channels: int, layers: int) -> None:
        super().__init__()
        features = [min(max_channels, base_channels * 2**layer) for layer in range(layers)]
        first = init_xavier(nn.Conv2d(inputs, features[0], 4, stride=2, padding=2))
        self.layers = nn.ModuleList([nn.Sequential(first, nn.LeakyReLU(SLOPE))])
        for layer in range(1, layers):
            stride = 1 if layer == layers - 1 else 2
            plain = nn.Conv2d(features[layer - 1], features[layer], 4, stride=stride, padding=2, bias=False)
            norm = nn.InstanceNorm2d(features[layer])
            self.layers.append(nn.Sequential(with_spectral_norm(init_xavier(plain)), norm, nn.LeakyReLU(SLOPE)))
        self.score = init_xavier(nn.Conv2d(features[-1], 1, 4, padding=2))

    def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, list[torch.Tensor]]:
        """(N, S + C, H, W) → logits (N, 1, h, w), and the features before them, layer by layer."""
        features = []
        for layer in self.layers:
            x = layer(x)  # (N, 2F, h/2 + 1, w/2 + 1)
            features.append(x)
        return self.score(x), features


def repeats_per_scale(patches: Sequence[int]) -> list[int]:
    """How often to repeat the logits of each scale, which has `patches` of them, so that all weigh the same to 1 %.

    361 and 121 patches (64 × 64 pixels, 3 layers) are repeated once and 3 times: 361 and 363.
    """
    times = 1
    while True:
        total = times * max(patches)
        repeats = [round(total / number) for number in patches]
        if all(abs(count * number / total - 1) <= 0.01 for count, number in zip(repeats, patches, strict=True)):
            return repeats
        times += 1


class SPADEGenerator(SegmentationConditional, GANModel):
    """z (N, Z), segmentation (N, H, W) of classes 0 … S − 1 → images (N, C, H, W) in [-1, 1].

    Three switches are for networks from elsewhere: `start_side` is the shorter side of the coarsest grid (0 is the paper's, 4
    where it is halved that far); with the `middle` "apart" the two middle blocks stand at two grids; `instance_edges` adds the
    edges of the map's regions to it, as the authors' program does with those of single objects.

    Example:
        >>> import torch
        >>> from gan_hub import SPADEGenerator
        >>> generator = SPADEGenerator(resolution=16, latent_size=8, semantic_classes=3, base_channels=4, max_channels=8)
        >>> segmentation = torch.zeros(2, 16, 16, dtype=torch.long)
        >>> generator(torch.randn(2, 8), segmentation).shape
        torch.Size([2, 3, 16, 16])
    """

    CONFIG_DEFAULTS_FOR_OLD_FILES: ClassVar = {"start_side": 0, "middle": "together", "instance_edges": False}

    @register_checked
    def __init__(
        self,
        resolution: Resolution = 64,
        channels: Channels = 3,
        latent_size: Latent = 256,
        num_classes: NoClasses = 0,
        semantic_classes: SemanticClasses = 12,
        base_channels: Width = 64,
        max_channels: Width = 1024,
        hidden_channels: Width = 128,
        start: Start = "latent",
        norm: Norm = "batch",
        start_side: StartSide = 0,
        middle: Middle = "together",
        instance_edges: Switch = False,
    ) -> None:
        super().__init__()
        self.layers = Synthesis(
            *generator_stages(resolution, base_channels, max_channels, start_side),
            channels,
            latent_size if start == "latent" else None,
            semantic_classes,
            hidden_channels,
            norm,
            middle,
            instance_edges,
        )

    def forward(
        self, z: torch.Tensor, segmentation: torch.Tensor | None = None, force_fp32: bool = False
    ) -> torch.Tensor:
        """z (N, Z), segmentation (N, H, W) → images (N, C, H, W) in [-1, 1]."""
        self.check_labels(segmentation)
        assert segmentation is not None  # for type checkers; check_labels has seen to it
        check_map(segmentation, self.config["resolution"], self.config["semantic_classes"])
        with precision(z.device, force_fp32):
            return self.layers(z, segmentation)  # (N, C, H, W)


class SPADEDiscriminator(SegmentationConditional, GANModel):
    """Images (N, C, H, W) in [-1, 1], segmentation (N, H, W) of classes 0 … S − 1 → logits of patches (N, P).

    In the paper the loss is taken at each scale and then averaged. So that any loss over all P logits is that average, the
    logits of coarser scales are repeated until there are as many of them as of the finest (`repeats_per_scale`): the weights
    of two scales differ by 2 % at most. `instance_edges` is as in the generator.

    Example:
        >>> import torch
        >>> from gan_hub import SPADEDiscriminator
        >>> discriminator = SPADEDiscriminator(resolution=32, semantic_classes=3, base_channels=4, max_channels=8, layers=2)
        >>> logits = discriminator(torch.zeros(2, 3, 32, 32), torch.zeros(2, 32, 32, dtype=torch.long))
        >>> len(logits), logits.ndim
        (2, 2)
    """

    CONFIG_DEFAULTS_FOR_OLD_FILES: ClassVar = {"instance_edges": False}

    @register_checked
    def __init__(
        self,
        resolution: Resolution = 64,
        channels: Channels = 3,
        num_classes: NoClasses = 0,
        semantic_classes: SemanticClasses = 12,
        base_channels: Width = 64,
        max_channels: Width = 512,
        layers: Layers = 4,
        scales: Scales = 2,
        instance_edges: Switch = False,
    ) -> None:
        super().__init__()
        inputs = semantic_classes + instance_edges + channels
        self.judges = nn.ModuleList(
            PatchDiscriminator(inputs, base_channels, max_channels, layers) for _ in range(scales)
        )

    def forward(
        self,
        images: torch.Tensor,
        segmentation: torch.Tensor | None = None,
        force_fp32: bool = False,
        features: bool = False,
    ) -> torch.Tensor | tuple[torch.Tensor, list[list[torch.Tensor]]]:
        """Images, segmentation → logits (N, P); with `features` also the features, a list for each scale, fine to coarse."""
        self.check_labels(segmentation)
        assert segmentation is not None  # for type checkers; check_labels has seen to it
        check_map(segmentation, self.config["resolution"], self.config["semantic_classes"])
        with precision(images.device, force_fp32):
            scales = self.logits_per_scale(images, segmentation)
            flat = [logits.flatten(1) for logits, _ in scales]
            repeats = repeats_per_scale([logits.shape[1] for logits in flat])
            logits = torch.cat([one.repeat(1, times) for one, times in zip(flat, repeats, strict=True)], 1)  # (N, P)
            return (logits, [of_scale for _, of_scale in scales]) if features else logits

    def logits_per_scale(
        self, images: torch.Tensor, segmentation: torch.Tensor
    ) -> list[tuple[torch.Tensor, list[torch.Tensor]]]:
        """Logits (N, 1, h, w) and features of each scale, fine to coarse, each of half the size of the one before."""
        classes = one_hot_map(segmentation, self.config["semantic_classes"], images.dtype)  # (N, S, H, W)
        edges = [edges_of_regions(segmentation, images.dtype)] if self.config["instance_edges"] else []
        x = torch.cat([classes, *edges, images], 1)  # (N, S + C, H, W)
        scales = []
        for judge in self.judges:
            scales.append(judge(x))
            x = functional.avg_pool2d(x, 3, stride=2, padding=1, count_include_pad=False)  # (N, S + C, H/2, W/2)
        return scales
