"""What some architectures can do beyond `forward(z or images, labels, force_fp32)`; pipeline and trainer ask by class.

Shapes: N images, C channels, H × W resolution, Z latent size, W size of w, L rows of w, S semantic classes.
"""

import math
from typing import ClassVar

import torch

from gan_hub.models.layers import ClampSTE, Grid, downsample, upsample
from gan_hub.models.modeling import GANModel, precision


def fade(level: float) -> tuple[int, float]:
    """The finest stage that takes part at `level`, and its share of the whole, in (0, 1]: 1.25 is stage 2, a quarter."""
    stage = math.ceil(level)
    return stage, level - stage + 1


class ProgressiveGrowing:
    """Players that are trained from the coarsest grid up (Karras et al. 2018, section 2).

    `level` counts the doublings that take part, from 0 to `levels`: at 1.25 the second one is a quarter faded in, that
    is ¾ of level 1's image, doubled, and ¼ of level 2's. Images keep the full size at every level: a generator enlarges
    what it has by nearest neighbours, a discriminator begins with the means of squares. The level is no part of the
    weights. Who trains sets it by the clock; a network that was loaded or made is whole.
    """

    levels: int
    level: float  # `__init__` sets both to the number of doublings

    def set_level(self, level: float) -> None:
        """Raises ValueError for a level outside 0 … `levels`."""
        if not 0 <= level <= self.levels:
            raise ValueError(f"level={level!r} is not allowed; it is a number from 0 to {self.levels}.")
        self.level = float(level)

    def downsample_to_level(self, images: torch.Tensor) -> torch.Tensor:
        """Images (N, C, H, W) as coarse as the level's: in mid-fade between two sizes, as fakes are (figure 2)."""
        stage, share = fade(self.level)
        small = downsample(images, self.levels - stage)
        if share < 1:
            small = upsample(downsample(small)).lerp(small, share)
        return upsample(small, self.levels - stage)


class AutoencoderDiscriminator(GANModel):
    """Discriminators that reconstruct images, and whose score is minus the error: what the loss began is played with.

    A subclass has `reconstruct`, images (N, C, H, W) → the same shape (Berthelot et al. 2017, section 3.1).
    """

    def forward(
        self, images: torch.Tensor, labels: torch.Tensor | None = None, force_fp32: bool = False
    ) -> torch.Tensor:
        """−L(x) of section 3.1 with η = 1, per image and per number of it; at most 0, larger where it looks more real."""
        self.check_labels(labels)
        with precision(images.device, force_fp32):
            error = (images - self.reconstruct(images)).abs()  # (N, C, H, W)
            return -error.mean((1, 2, 3), dtype=torch.promote_types(error.dtype, torch.float32))  # (N,)


class HasLatentProjection:
    """Generators whose latent meets linear maps first, from whose weights directions can be read (concepts_discovery)."""

    def latent_weights(self) -> torch.Tensor:
        """Those weights (O, Z), a row for each number that they give; in a `StyleBased` network (O, W), of w."""
        raise NotImplementedError


class StyleBased(HasLatentProjection, GANModel):
    """Generators that `map` z to w, one row a layer, and `synthesize` from it (Karras et al. 2019, section 2).

    A subclass has `mapping`, a network (z (N, Z), labels (N,) or None) → w (N, W); the buffer `w_avg` (W,), the mean of
    w in training; `rows`, the number L of layers that take a w; and `synthesize`.
    """

    W_AVG_DECAY: ClassVar[float] = 0.998  # per training batch
    rows: int

    @property
    def active_layers(self) -> int:
        """How many of the rows play a part now: all of them, unless the network is still growing."""
        return self.rows

    def map(
        self,
        z: torch.Tensor,
        labels: torch.Tensor | None = None,
        truncation: float = 1.0,
        cutoff: int | None = None,
    ) -> torch.Tensor:
        """z (N, Z), labels (N,) → one w for each layer (N, L, W), all the same: mix rows to mix styles.

        `truncation` draws w towards the mean w of training, 1 not at all and 0 all the way (Karras et al. 2019, appendix
        B); `cutoff` draws the first so many rows only.
        """
        self.check_labels(labels)
        ws = self.mapping(z, labels)[:, None].expand(-1, self.rows, -1)  # (N, L, W)
        if truncation == 1:
            return ws
        drawn = self.w_avg.lerp(ws[:, :cutoff], truncation)
        return drawn if cutoff is None else torch.cat([drawn, ws[:, cutoff:]], 1)

    def latent_weights(self) -> torch.Tensor:
        """Of the affine maps from w to the styles of each layer: what a subclass calls `affine`."""
        affines = [getattr(module, "affine", None) for module in self.modules()]
        return torch.cat([affine.weight for affine in affines if affine is not None])

    def synthesize(self, ws: torch.Tensor, noise: str | None = None) -> torch.Tensor:
        """ws (N, L, W) → images (N, C, H, W), mostly in [-1, 1] but not bounded; `noise` overrides the config's."""
        raise NotImplementedError

    def check_ws(self, ws: torch.Tensor) -> None:
        """Raises ValueError for rows of another number or size than this network's."""
        if ws.shape[1:] != (self.rows, len(self.w_avg)):
            raise ValueError(f"ws is {tuple(ws.shape)}; allowed: (N, {self.rows}, {len(self.w_avg)}).")

    def resolve_noise(self, asked: str | None) -> str:
        """The noise of a synthesis for which `asked` is wanted: "const", "random" or "none"; without it, the config's.

        What the config calls "random" is constant in eval mode. Raises ValueError for what this network does not have.
        """
        known = self.config["noise"]
        if asked not in (None, "none", *(() if known == "none" else ("const", "random"))):
            raise ValueError(f"noise {asked!r} is not allowed in a network with noise {known!r}.")
        if asked is None:
            return "const" if known == "random" and not self.training else known
        return asked

    def forward(
        self,
        z: torch.Tensor,
        labels: torch.Tensor | None = None,
        force_fp32: bool = False,
        mixing: tuple[torch.Tensor, torch.Tensor] | None = None,
        with_ws: bool = False,
    ) -> torch.Tensor | tuple[torch.Tensor, torch.Tensor]:
        """Images in [-1, 1]; `with_ws` also the ws (N, L, W) they were made from, for the path length.

        `mixing` is a second latent (N, Z) and shares (N,) in [0, 1]: at 1 all rows are z's; below, z has the first one and so
        large a share of the others that are heard, but not the last, and the second latent has the rest (mixing
        regularisation, Karras et al. 2019, section 3.1). In training mode the mean w, which truncation draws to, follows
        along.
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
    """Players that meet at every scale at once (Karnewar & Wang 2020, arXiv 1903.06048).

    A generator's `forward(z, labels, force_fp32, scales=True)` gives a list of images, one for each of `scales`, coarse
    to fine; its discriminator takes such a list in place of images, and makes one of images that come alone (`pyramid`).
    """

    scales: list[Grid]  # coarse to fine; the last is the resolution

    def pyramid(self, images: torch.Tensor) -> list[torch.Tensor]:
        """Images (N, C, H, W) at all scales, coarse to fine, by the means of squares."""
        found = [images]
        for _ in self.scales[1:]:
            found.insert(0, downsample(found[0]))
        return found


class SegmentationConditional:
    """Players that take a map of semantic classes, integers (N, H, W) from 0 to S − 1, where others take labels.

    Their config has `semantic_classes` S, and `num_classes` 0. A discriminator gives logits of P patches (N, P), and
    `forward(images, segmentation, force_fp32, features=True)` also the list of its features, for feature matching.
    """

    def check_labels(self, segmentation: torch.Tensor | None) -> None:
        """Raises ValueError where there is no map."""
        if segmentation is None or segmentation.dim() != 3:
            raise ValueError(f"{type(self).__name__} needs a segmentation (N, H, W) of semantic classes.")
