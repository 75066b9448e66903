"""The three terms of a style transfer: content, style, and the variation between neighbouring pixels.

Shapes: N pictures, C channels of a layer, H, W. Content and style are relative: 0 means equal features, and 1 that they
differ by as much as the wanted ones differ from zero. The paper's are absolute sums, so that its weights hold for one
size of one network whose activations it rescaled; relative ones need no other weights for another size or network.
"""

from collections.abc import Sequence

import torch


def gram_matrix(features: torch.Tensor) -> torch.Tensor:
    """Features (N, C, H, W) → (N, C, C): which channels are active together, averaged over all positions.

    Gatys et al. 2016, equation 3, divided by H · W, so that pictures of different sizes compare.
    """
    flat = features.flatten(2)  # (N, C, H · W)
    return flat @ flat.transpose(1, 2) / flat.shape[2]


def content_loss(features: torch.Tensor, wanted: torch.Tensor) -> torch.Tensor:
    """Σ(F − P)² / ΣP² over features F and wanted P of one layer, both (N, C, H, W): a scalar.

    Gatys et al. 2016, equation 1, with ΣP² in place of 2.
    """
    return _relative(features, wanted)


def style_loss(grams: Sequence[torch.Tensor], wanted: Sequence[torch.Tensor]) -> torch.Tensor:
    """The mean over layers of Σ(G − A)² / ΣA², with Gram matrices G and wanted A, each (N, C, C): a scalar.

    Gatys et al. 2016, equations 4 and 5 with equal weights, and ΣA² in place of 4 C² (H · W)².
    """
    if len(grams) != len(wanted) or not grams:
        raise ValueError(f"{len(grams)} Gram matrices for {len(wanted)} wanted ones; give as many, at least one.")
    return torch.stack([_relative(gram, target) for gram, target in zip(grams, wanted)]).mean()


def _relative(given: torch.Tensor, wanted: torch.Tensor) -> torch.Tensor:
    # A layer may be silent for a blank picture; then the difference counts as it is, and nothing is divided by zero.
    norm = wanted.square().sum()
    return (given - wanted).square().sum() / torch.where(norm > 0, norm, torch.ones_like(norm))


def total_variation(images: torch.Tensor) -> torch.Tensor:
    """Mean |difference| over all pairs of pixels beside or below each other, images (N, C, H, W): a scalar.

    Not in the paper; it came with its followers, against the grain that strided layers leave behind.
    """
    beside = (images[..., :, 1:] - images[..., :, :-1]).abs()
    below = (images[..., 1:, :] - images[..., :-1, :]).abs()
    return (beside.sum() + below.sum()) / max(beside.numel() + below.numel(), 1)
