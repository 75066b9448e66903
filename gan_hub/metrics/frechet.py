"""Fréchet distance between two sets of features, taken as Gaussians (Heusel et al. 2017, equation 6)."""

import torch


def moments(features: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Features (N, F) → mean (F,) and covariance (F, F) with divisor N − 1, both float64."""
    features = features.double()
    return features.mean(0), torch.cov(features.T)


def frechet_distance(a: tuple[torch.Tensor, torch.Tensor], b: tuple[torch.Tensor, torch.Tensor]) -> float:
    """‖μₐ − μ_b‖² + tr(Σₐ + Σ_b − 2 (Σₐ Σ_b)^½) of two (mean, covariance) pairs; 0 for equal ones.

    The trace of the root is the sum of the roots of the eigenvalues of Σₐ^½ Σ_b Σₐ^½, which is symmetric: no complex
    square root, and no failure for singular covariances.
    """
    (mean_a, cov_a), (mean_b, cov_b) = a, b
    values, vectors = torch.linalg.eigh(cov_a)
    root_a = (vectors * values.clamp_min(0).sqrt()) @ vectors.T
    overlap = torch.linalg.eigvalsh(root_a @ cov_b @ root_a).clamp_min(0).sqrt().sum()
    return ((mean_a - mean_b).square().sum() + cov_a.trace() + cov_b.trace() - 2 * overlap).item()
