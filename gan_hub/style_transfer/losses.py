"""The three losses of a style transfer: content, style, and total variation.

Shapes: N images, C channels of a layer, H, W. Content and style losses are relative: 0 means equal features, 1 that they
differ from the target by as much as the target differs from zero. The paper's are absolute sums, so its weights hold for
one size of one network with rescaled activations; relative losses need no other weights for another size or network.
"""

from collections.abc import Sequence

import torch


def gram_matrix(features: torch.Tensor) -> torch.Tensor:
    """Features (N, C, H, W) → (N, C, C): which channels are active together, averaged over all positions.

    Gatys et al. 2016, equation 3, divided by H · W, so that images of different sizes compare.
    """
    flat = features.flatten(2)  # (N, C, H · W)
    return flat @ flat.transpose(1, 2) / flat.shape[2]


def content_loss(features: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
    """Σ(F − P)² / ΣP² over features F and target P of one layer, both (N, C, H, W): a scalar.

    Gatys et al. 2016, equation 1, with ΣP² in place of 2.
    """
    return _relative_error(features, target)


def style_loss(grams: Sequence[torch.Tensor], targets: Sequence[torch.Tensor]) -> torch.Tensor:
    """The mean over layers of Σ(G − A)² / ΣA², with Gram matrices G and targets A, each (N, C, C): a scalar.

    Gatys et al. 2016, equations 4 and 5 with equal weights, and ΣA² in place of 4 C² (H · W)². Raises ValueError for
    different numbers of matrices, or none.
    """
    if len(grams) != len(targets) or not grams:
        raise ValueError(f"{len(grams)} Gram matrices for {len(targets)} targets; give equally many, at least one.")
    return torch.stack([_relative_error(gram, target) for gram, target in zip(grams, targets, strict=True)]).mean()


def _relative_error(features: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
    # A layer may be zero everywhere for a blank image; then the error is absolute, and nothing is divided by zero.
    norm = target.square().sum()
    return (features - target).square().sum() / torch.where(norm > 0, norm, torch.ones_like(norm))


def total_variation(images: torch.Tensor) -> torch.Tensor:
    """Mean |difference| over all pairs of pixels beside or below each other, images (N, C, H, W): a scalar.

    Not in the paper; later implementations added it against the grain that strided layers cause.
    """
    beside = (images[..., :, 1:] - images[..., :, :-1]).abs()
    below = (images[..., 1:, :] - images[..., :-1, :]).abs()
    return (beside.sum() + below.sum()) / max(beside.numel() + below.numel(), 1)
