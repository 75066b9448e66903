"""Mixins for abilities that only some architectures have. Pipeline and trainer ask for them by `isinstance`.

Shapes: N images, C channels, H × W resolution, Z latent size, W size of w, L rows of w, S semantic classes.
"""

import math
from typing import ClassVar

import torch
from torch import nn

from gan_hub.models.layers import ClampSTE, Grid, NoiseSource, downsample, upsample
from gan_hub.models.modeling import GANModel, precision


def fade(level: float) -> tuple[int, float]:
    """The finest active stage at a `level`, and its share in the image, in (0, 1]: 1.25 is stage 2, a quarter faded in."""
    stage = math.ceil(level)
    return stage, level - stage + 1


class ProgressiveGrowing:
    """Networks that are trained from the coarsest grid up (Karras et al. 2018, section 2).

    `level` counts the active doublings, from 0 to `levels`: at 1.25 the second one is a quarter faded in, that is ¾ of level
    1's image, doubled, and ¼ of level 2's. Images keep the full size at every level: a generator enlarges its image by
    nearest neighbours, a discriminator begins with the means of squares. The level is no part of the weights. The trainer
    sets it; a new or loaded network runs at full resolution.
    """

    levels: int
    level: float  # `__init__` sets both to the number of doublings

    def set_level(self, level: float) -> None:
        """Set `level`; raises ValueError outside 0 … `levels`."""
        if not 0 <= level <= self.levels:
            raise ValueError(f"level={level!r} is not allowed; it is a number from 0 to {self.levels}.")
        self.level = float(level)

    def downsample_to_level(self, images: torch.Tensor) -> torch.Tensor:
        """Images (N, C, H, W) as coarse as fakes are at the level: in mid-fade, between two sizes (figure 2)."""
        stage, share = fade(self.level)
        small = downsample(images, self.levels - stage)
        if share < 1:
            small = upsample(downsample(small)).lerp(small, share)
        return upsample(small, self.levels - stage)


class AutoencoderDiscriminator(GANModel):
    """Discriminators that reconstruct images; the score is minus the error (Berthelot et al. 2017, section 3.1).

    They are trained with the loss "began".
    """

    def reconstruct(self, images: torch.Tensor) -> torch.Tensor:
        """Images (N, C, H, W) in [-1, 1] → their reconstruction, in the same shape."""
        raise NotImplementedError

    def forward(
        self, images: torch.Tensor, labels: torch.Tensor | None = None, force_fp32: bool = False
    ) -> torch.Tensor:
        """−L(x) of section 3.1 with η = 1, the mean over an image's numbers: scores (N,), 0 or less, larger for real ones."""
        self.check_labels(labels)
        with precision(images.device, force_fp32):
            error = (images - self.reconstruct(images)).abs()  # (N, C, H, W)
            return -error.mean((1, 2, 3), dtype=torch.promote_types(error.dtype, torch.float32))  # (N,)


class HasLatentProjection:
    """Generators with first layers that are linear in the latent, so that directions can be read from their weights.

    concepts_discovery does so.
    """

    def latent_weights(self) -> torch.Tensor:
        """The weights of these layers (O, Z), one row an output; of a `StyleBased` network (O, W), as they act on w."""
        raise NotImplementedError


class StyleBased(HasLatentProjection, GANModel):
    """Generators that `map` z to w, one row a layer, and `synthesize` from it (Karras et al. 2019, section 2).

    Besides `synthesize`, a subclass has the attributes below.
    """

    W_AVG_DECAY: ClassVar[float] = 0.998  # per training batch
    mapping: nn.Module  # z (N, Z), labels (N,) or None → w (N, W)
    w_avg: torch.Tensor  # a buffer (W,): the mean of w in training
    rows: int  # L, the layers that take a w

    @property
    def active_layers(self) -> int:
        """Number of w rows in use: all of them, unless the network is still growing."""
        return self.rows

    def map(
        self,
        z: torch.Tensor,
        labels: torch.Tensor | None = None,
        truncation: float = 1.0,
        cutoff: int | None = None,
    ) -> torch.Tensor:
        """Map z to w, one equal row for each layer; mixing rows mixes styles.

        Args:
            z: Latents (N, Z).
            labels: Classes (N,), None in a network without.
            truncation: Interpolates w towards the mean w of training: 1 not at all, 0 all the way (Karras et al. 2019,
                appendix B).
            cutoff: Number of rows to truncate, from the first on; None for all.

        Returns:
            ws (N, L, W).
        """
        self.check_labels(labels)
        ws = self.mapping(z, labels)[:, None].expand(-1, self.rows, -1)  # (N, L, W)
        if truncation == 1:
            return ws
        truncated = self.w_avg.lerp(ws[:, :cutoff], truncation)
        return truncated if cutoff is None else torch.cat([truncated, ws[:, cutoff:]], 1)

    def latent_weights(self) -> torch.Tensor:
        """The weights (O, W) of the affine maps from w to styles: every layer of the name `affine`, one after the other."""
        affines = [getattr(module, "affine", None) for module in self.modules()]
        return torch.cat([affine.weight for affine in affines if affine is not None])

    def synthesize(self, ws: torch.Tensor, noise: NoiseSource | None = None) -> torch.Tensor:
        """ws (N, L, W) → images (N, C, H, W), mostly in [-1, 1] but not bounded; `noise` overrides the config's."""
        raise NotImplementedError

    def check_ws(self, ws: torch.Tensor) -> None:
        """Raise ValueError where ws is not (N, L, W)."""
        if ws.shape[1:] != (self.rows, len(self.w_avg)):
            raise ValueError(f"ws is {tuple(ws.shape)}; allowed: (N, {self.rows}, {len(self.w_avg)}).")

    @property
    def has_noise(self) -> bool:
        """Whether noise of its pixels is part of the network."""
        return self.config.get("noise", "none") != "none"

    def resolve_noise(self, noise: NoiseSource | None) -> NoiseSource:
        """The noise to synthesise with: "const", "random", "none" or a generator an image; None is the config's.

        The config's "random" is "const" in eval mode. Raises ValueError for noise that this network does not have.
        """
        own = self.config["noise"]
        if noise is not None and not isinstance(noise, str):
            if own == "none":
                raise ValueError("noise is given for each image, but this network has none.")
            return noise
        if noise not in (None, "none", *(() if own == "none" else ("const", "random"))):
            raise ValueError(f"noise {noise!r} is not allowed in a network with noise {own!r}.")
        if noise is None:
            return "const" if own == "random" and not self.training else own
        return noise

    def forward(
        self,
        z: torch.Tensor,
        labels: torch.Tensor | None = None,
        force_fp32: bool = False,
        mixing: tuple[torch.Tensor, torch.Tensor] | None = None,
        with_ws: bool = False,
    ) -> torch.Tensor | tuple[torch.Tensor, torch.Tensor]:
        """z (N, Z), labels (N,) → images (N, C, H, W) in [-1, 1]. In training mode, the mean w is updated.

        `mixing` is a second latent (N, Z) and shares (N,) in [0, 1]: at 1 all rows are z's. Below, z has the first row and so
        large a share of the other rows in use, but not the last, and the second latent has the rest (mixing regularisation,
        Karras et al. 2019, section 3.1). `with_ws` returns the ws (N, L, W) as well, for the path length.
        """
        with precision(z.device, force_fp32):
            ws = self.map(z, labels)  # (N, L, W)
            if self.training:
                self.w_avg.lerp_(ws[:, 0].detach().mean(0).to(self.w_avg.dtype), 1 - self.W_AVG_DECAY)
            if mixing is not None:
                second, share = mixing
                crossover = torch.where(share < 1, 1 + (share * (self.active_layers - 1)).floor(), self.rows)  # (N,)
                own = torch.arange(self.rows, device=z.device) < crossover[:, None]  # (N, L)
                ws = torch.where(own[:, :, None], ws, self.map(second, labels))
            images = ClampSTE.apply(self.synthesize(ws))
            return (images, ws) if with_ws else images


class MultiScale:
    """Networks that make and take images of several scales (Karnewar & Wang 2020, arXiv 1903.06048).

    A generator's `forward(z, labels, force_fp32, scales=True)` gives a list of images, one for each of `scales`, coarse
    to fine; its discriminator takes such a list in place of images, and makes one of single images (`pyramid`).
    """

    scales: list[Grid]  # coarse to fine; the last is the resolution

    def pyramid(self, images: torch.Tensor) -> list[torch.Tensor]:
        """Images (N, C, H, W) at all scales, coarse to fine, by the means of squares."""
        levels = [images]
        for _ in self.scales[1:]:
            levels.insert(0, downsample(levels[0]))
        return levels


class SegmentationConditional:
    """Networks that take a map of semantic classes, integers (N, H, W) from 0 to S − 1, where others take labels.

    Their config has `semantic_classes` S, and `num_classes` 0. A discriminator gives logits of P patches (N, P), and
    `forward(images, segmentation, force_fp32, features=True)` also the list of its features, for feature matching.
    """

    def check_labels(self, segmentation: torch.Tensor | None) -> None:
        """Raise ValueError where there is no map (N, H, W)."""
        if segmentation is None or segmentation.dim() != 3:
            raise ValueError(f"{type(self).__name__} needs a segmentation (N, H, W) of semantic classes.")
