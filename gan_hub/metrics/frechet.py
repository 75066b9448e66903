"""The Fréchet distance of two sets of features, modelled as Gaussians (Heusel et al. 2017, equation 6).

Shapes: N images, F features.
"""

import torch

CHUNK = 1000  # rows of features that are float64 at a time: 16 MB of 2048 features

Moments = tuple[torch.Tensor, torch.Tensor]  # mean (F,) and covariance (F, F), float64


def moments(features: torch.Tensor, weights: torch.Tensor | None = None) -> Moments:
    """Mean (F,) and covariance (F, F) with divisor N − 1, both float64, of features (N, F).

    `weights` (N,) say how often each row counts, and N is then their sum: a resampled set without a copy of it.
    Two passes, the second on centred rows, so that no digits cancel out; one chunk at a time is float64.
    Raises ValueError for fewer than two rows, and for features with NaN or Inf.
    """
    weights = _counted(features, weights)
    count = weights.sum()
    mean = torch.zeros(features.shape[1], dtype=torch.float64, device=features.device)
    for rows, weight in zip(features.split(CHUNK), weights.split(CHUNK), strict=True):
        mean += weight @ rows.double()
    mean /= count
    if not mean.isfinite().all():
        raise ValueError("features contain NaN or Inf; they have no mean.")
    covariance = torch.zeros(len(mean), len(mean), dtype=torch.float64, device=features.device)
    for rows, weight in zip(features.split(CHUNK), weights.split(CHUNK), strict=True):
        centered = rows.double() - mean
        covariance.addmm_((centered * weight[:, None]).T, centered)
    return mean, covariance / (count - 1)


def _counted(features: torch.Tensor, weights: torch.Tensor | None) -> torch.Tensor:
    """The weights (N,) as float64, ones where there are none."""
    if features.dim() != 2:
        raise ValueError(f"features are (N, F), given {tuple(features.shape)}.")
    if weights is None:
        weights = features.new_ones(len(features), dtype=torch.float64)
    if weights.shape != (len(features),):
        raise ValueError(f"weights of shape {tuple(weights.shape)} for {len(features)} images; give one an image.")
    if weights.sum() < 2:
        raise ValueError(f"a covariance needs at least two images, given {weights.sum():g}.")
    return weights.to(features.device, torch.float64)


def frechet_distance(a: Moments, b: Moments) -> float:
    """‖μₐ − μ_b‖² + tr(Σₐ + Σ_b − 2 (Σₐ Σ_b)^½) of two (mean, covariance) pairs; 0 for equal ones, up to rounding.

    With any roots Σₐ = R Rᵀ and Σ_b = S Sᵀ, the eigenvalues of Σₐ Σ_b that are not 0 are the squared singular values of
    Rᵀ S; their sum is the trace: no complex square root, no failure for singular covariances, and none of the digits
    lost that squaring loses.
    """
    (mean_a, covariance_a), (mean_b, covariance_b) = a, b
    if mean_a.shape != mean_b.shape:
        raise ValueError(f"{len(mean_a)} features cannot be compared with {len(mean_b)}; both sides need the same.")
    overlap = torch.linalg.svdvals(factor(covariance_a).T @ factor(covariance_b)).sum()
    means = (mean_a - mean_b).square().sum()
    return (means + covariance_a.trace() + covariance_b.trace() - 2 * overlap).item()


def factor(covariance: torch.Tensor) -> torch.Tensor:
    """R (F, rank) with R Rᵀ = Σ: the Cholesky factor, or for a singular Σ its scaled eigenvectors.

    Cholesky takes a tenth of the time. Directions without variance are left out rather than kept at their rounding error,
    as its square root would be a million times larger.
    """
    root, failed = torch.linalg.cholesky_ex(covariance)
    noise = len(covariance) * torch.finfo(covariance.dtype).eps  # relative to the largest variance
    if not failed and root.diagonal().square().min() > noise * covariance.diagonal().max():
        return root
    values, vectors = torch.linalg.eigh(covariance)
    present = values > noise * values.max()
    return vectors[:, present] * values[present].sqrt()


class ResampledFrechet:
    """The Fréchet distance of one set of features to fixed moments, as a function of how often each image counts.

    `ResampledFrechet(features, reals)(weights)` is `frechet_distance(moments(features, weights), reals)`. What does not
    depend on the weights is computed once: the root R of the reals' covariance, and the features projected by R, with
    covariance Rᵀ Σ R. It keeps two copies of the features in float64,
    and a resampling takes another two while it lasts.
    """

    def __init__(self, features: torch.Tensor, reals: Moments) -> None:
        """Features (N, F) of generated images, and the moments of the real ones."""
        mean, covariance = reals
        root = factor(covariance)
        self.features = torch.sub(features, mean)  # (N, F), float64 as the mean is
        self.squares = torch.cat([rows.square().sum(1) for rows in self.features.split(CHUNK)])  # (N,)
        self.projected = self.features @ root  # (N, rank)
        self.trace = covariance.trace()

    def __call__(self, weights: torch.Tensor) -> float:
        """The distance for weights (N,), how often each image counts."""
        weights = _counted(self.features, weights)
        count = weights.sum()
        mean = weights @ self.features / count
        spread = (weights @ self.squares - count * mean.square().sum()) / (count - 1)  # the trace of the covariance
        drawn = weights > 0  # a third of the images is absent from a resampling
        rows = self.projected[drawn].sub_(weights @ self.projected / count)
        projected_covariance = (rows * weights[drawn, None]).T @ rows / (count - 1)
        overlap = (
            torch.linalg.eigvalsh(projected_covariance).clamp_min(0).sqrt().sum()
        )  # faster than singular values of N rows
        return (mean.square().sum() + self.trace + spread - 2 * overlap).item()
