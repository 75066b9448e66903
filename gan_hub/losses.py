"""Adversarial losses and gradient penalties, one formula a function.

Logits are a discriminator's output before any sigmoid, shape (N,); D(x) = sigmoid(logit). Critics, autoencoders and other
discriminators without logits give scores (N,), larger where an image looks more real. Each loss is a scalar, the
mean over the batch, which its network minimises. A penalty comes without its weight. All are one file because they are
read side by side, with the names that recipes have for them.
"""

from collections.abc import Callable, Sequence
from functools import reduce
from typing import NamedTuple

import torch
from torch.nn.functional import relu, softplus

# ------------------------------------------------------------------------------------------ adversarial losses


def non_saturating_discriminator(
    real_logits: torch.Tensor, fake_logits: torch.Tensor, real_target: float = 1.0
) -> torch.Tensor:
    """−E[log D(x)] − E[log(1 − D(G(z)))]: the discriminator's side of the minimax game.

    Goodfellow et al. 2014 (arXiv 1406.2661), equation 1, from logits: −log sigmoid(l) = softplus(−l). 2 ln 2 where D(x)
    is ½ everywhere.

    Args:
        real_logits, fake_logits: D's logits, each (N,).
        real_target: The D(x) asked for on reals, t in (0, 1]. Below 1 it is one-sided label smoothing (Salimans et al.
            2016, section 3.4), −t E[log D(x)] − (1 − t) E[log(1 − D(x))]. The fakes' target stays 0, as a smoothed one
            would reward fakes.

    Returns:
        The loss, a scalar.
    """
    real = real_target * softplus(-real_logits) + (1 - real_target) * softplus(real_logits)
    return real.mean() + softplus(fake_logits).mean()


def non_saturating_generator(fake_logits: torch.Tensor) -> torch.Tensor:
    """−E[log D(G(z))]: the generator's loss that keeps its gradient while the discriminator wins.

    Goodfellow et al. 2014, end of section 3.
    """
    return softplus(-fake_logits).mean()


def minimax_generator(fake_logits: torch.Tensor) -> torch.Tensor:
    """E[log(1 − D(G(z)))]: the generator's side of the minimax game; its gradient dies where D(G(z)) is near 0.

    Goodfellow et al. 2014, equation 1. For experiments; training wants `non_saturating_generator`.
    """
    return -softplus(fake_logits).mean()


def least_squares_discriminator(
    real_scores: torch.Tensor, fake_scores: torch.Tensor, real_target: float = 1.0
) -> torch.Tensor:
    """½ E[(D(x) − 1)²] + ½ E[D(G(z))²], with the factor ½ of the paper.

    Mao et al. 2017 (arXiv 1611.04076), equation 9.

    Args:
        real_scores, fake_scores: D's scores, each (N,).
        real_target: What stands in for the 1; below 1 it is one-sided label smoothing.

    Returns:
        The loss, a scalar.
    """
    return 0.5 * (real_scores - real_target).square().mean() + 0.5 * fake_scores.square().mean()


def least_squares_generator(fake_scores: torch.Tensor) -> torch.Tensor:
    """½ E[(D(G(z)) − 1)²]. Mao et al. 2017 (arXiv 1611.04076), equation 9."""
    return 0.5 * (fake_scores - 1).square().mean()


def hinge_discriminator(real_scores: torch.Tensor, fake_scores: torch.Tensor) -> torch.Tensor:
    """E[max(0, 1 − D(x))] + E[max(0, 1 + D(G(z)))]: scores beyond ±1 on the right side cost nothing.

    Lim & Ye 2017 (arXiv 1705.02894); Miyato et al. 2018 (arXiv 1802.05957), equation 16.
    """
    return relu(1 - real_scores).mean() + relu(1 + fake_scores).mean()


def wasserstein_discriminator(real_scores: torch.Tensor, fake_scores: torch.Tensor) -> torch.Tensor:
    """E[D(G(z))] − E[D(x)]: minus the Wasserstein-1 distance where the critic D is the best 1-Lipschitz one.

    Arjovsky et al. 2017 (arXiv 1701.07875), equation 2. Needs `clip_weights` or `wgan_gp_penalty`.
    """
    return fake_scores.mean() - real_scores.mean()


def wasserstein_generator(fake_scores: torch.Tensor) -> torch.Tensor:
    """−E[D(G(z))]: the generator's side of the Wasserstein game and of the hinge.

    Arjovsky et al. 2017 (arXiv 1701.07875), algorithm 1; Miyato et al. 2018 (arXiv 1802.05957), equation 17.
    """
    return -fake_scores.mean()


def relativistic_discriminator(real_logits: torch.Tensor, fake_logits: torch.Tensor) -> torch.Tensor:
    """E[softplus(−(D(x) − D(G(z))))]: each real only has to look more real than the fake it is paired with.

    RpGAN: Jolicoeur-Martineau 2018 (arXiv 1807.00734), section 4.1; Huang et al. 2024 (arXiv 2501.05441), equation 2.
    Pairs are made by position. Raises ValueError for unequal numbers of reals and fakes.
    """
    if real_logits.shape != fake_logits.shape:
        raise ValueError(
            f"{len(real_logits)} reals cannot be paired with {len(fake_logits)} fakes; give equal numbers."
        )
    return softplus(fake_logits - real_logits).mean()


def relativistic_generator(fake_logits: torch.Tensor, real_logits: torch.Tensor) -> torch.Tensor:
    """E[softplus(−(D(G(z)) − D(x)))]: `relativistic_discriminator` with the pair's roles exchanged."""
    return relativistic_discriminator(fake_logits, real_logits)


def began_discriminator(
    real_scores: torch.Tensor, fake_scores: torch.Tensor, *, balance: float | torch.Tensor
) -> torch.Tensor:
    """E[L(x)] − k E[L(G(z))], with reconstruction errors L and the balance k.

    Berthelot et al. 2017 (arXiv 1703.10717), section 3.4.

    Args:
        real_scores, fake_scores: Minus the reconstruction errors, −L, each (N,).
        balance: k in [0, 1]; it starts at 0, and `began_balance` gives the next one.

    Returns:
        The loss, a scalar.
    """
    return balance * fake_scores.mean() - real_scores.mean()


def began_generator(fake_scores: torch.Tensor) -> torch.Tensor:
    """E[L(G(z))], the scores being −L. Berthelot et al. 2017 (arXiv 1703.10717), section 3.4."""
    return -fake_scores.mean()


def began_balance(balance: float, real_scores_mean: float, fake_scores_mean: float, gamma: float, rate: float) -> float:
    """The next k of `began_discriminator`: k + rate · (gamma · L(x) − L(G(z))), clipped to [0, 1].

    Berthelot et al. 2017 (arXiv 1703.10717), section 3.4.

    Args:
        balance: k now.
        real_scores_mean, fake_scores_mean: Means of the scores, −L(x) and −L(G(z)).
        gamma: The wanted ratio E[L(G(z))] / E[L(x)] in [0, 1]: small for sharp images, large for diverse ones.
        rate: The paper's lambda_k, 0.001 there.

    Returns:
        k for the next step, in [0, 1].
    """
    next_balance = float(balance) + rate * (float(fake_scores_mean) - gamma * float(real_scores_mean))
    return min(1.0, max(0.0, next_balance))


def began_convergence(real_scores_mean: float, fake_scores_mean: float, gamma: float) -> float:
    """M = L(x) + |gamma · L(x) − L(G(z))|: falls as images are better reconstructed and the players balanced.

    Berthelot et al. 2017 (arXiv 1703.10717), section 3.4.1.

    Args:
        real_scores_mean, fake_scores_mean: Means of the scores, −L(x) and −L(G(z)).
        gamma: As in `began_balance`.

    Returns:
        M, 0 or more.
    """
    return -float(real_scores_mean) + abs(float(fake_scores_mean) - gamma * float(real_scores_mean))


class Adversarial(NamedTuple):
    """The discriminator's and the generator's loss of one game."""

    discriminator: Callable[..., torch.Tensor]  # (real_logits (N,), fake_logits (N,), **options) → scalar
    generator: Callable[..., torch.Tensor]  # (fake_logits) → scalar; where `paired`: (fake_logits, real_logits)
    paired: bool = False  # whether the generator's loss takes the reals' logits, too
    options: tuple[str, ...] = ()  # further keywords of the discriminator's loss: "real_target", "balance"
    threshold: float | None = 0.0  # the output that means "as likely real as fake"; None where the loss leaves it free


# name in a recipe → the game
ADVERSARIAL: dict[str, Adversarial] = {
    "minimax": Adversarial(non_saturating_discriminator, minimax_generator, options=("real_target",)),
    "non_saturating": Adversarial(non_saturating_discriminator, non_saturating_generator, options=("real_target",)),
    "least_squares": Adversarial(
        least_squares_discriminator, least_squares_generator, options=("real_target",), threshold=0.5
    ),
    "hinge": Adversarial(hinge_discriminator, wasserstein_generator),
    "wasserstein": Adversarial(wasserstein_discriminator, wasserstein_generator, threshold=None),
    "relativistic": Adversarial(relativistic_discriminator, relativistic_generator, paired=True, threshold=None),
    "began": Adversarial(began_discriminator, began_generator, options=("balance",), threshold=None),
}


# ------------------------------------------------------------------------------------- moments, without an opponent

# σ² per number of an image: those of the published program of Li et al. 2015 for MNIST, 784 numbers in [0, 1].
IMAGE_VARIANCES = tuple(variance / 784 for variance in (2, 5, 10, 20, 40, 80))


def mmd2(
    x: torch.Tensor,
    y: torch.Tensor,
    bandwidths: Sequence[float],
    unbiased: bool = True,
    labels: tuple[torch.Tensor, torch.Tensor] | None = None,
) -> torch.Tensor:
    """The squared maximum mean discrepancy of two samples, E k(x, x′) + E k(y, y′) − 2 E k(x, y).

    k(a, b) = Σ exp(−‖a − b‖² / 2σ²) over the `bandwidths` σ: each compares every moment of both, and only equal
    distributions have 0. Gretton et al. 2012 (Journal of Machine Learning Research 13), equations 3 and 5.
    Computed in float32 at least, autocast or not. Backward keeps (m² + n² + m n) numbers a bandwidth.

    Args:
        x, y: The two samples, (m, ...) and (n, ...).
        bandwidths: Each σ of the kernel, in the units of x.
        unbiased: Equation 3, whose mean over equal distributions is 0, so that it may be negative. Otherwise equation 5,
            which counts each image with itself and is never negative: equation 3 of Li et al. 2015 (arXiv 1502.02761).
        labels: Classes of x (m,) and y (n,), to be compared together with the images: k is 0 between two classes.

    Returns:
        MMD², a scalar.
    """
    x_labels, y_labels = (None, None) if labels is None else labels
    with torch.autocast(x.device.type, enabled=False):
        x, y = (points.flatten(1).to(torch.promote_types(points.dtype, torch.float32)) for points in (x, y))
        center = x.detach().mean(0)  # distances do not change, and fewer digits cancel out in them
        x, y = x - center, y - center
        within_x = _mean_within(gaussian_kernel(x, x, bandwidths, x_labels, x_labels), unbiased)
        within_y = _mean_within(gaussian_kernel(y, y, bandwidths, y_labels, y_labels), unbiased)
        return within_x + within_y - 2 * gaussian_kernel(x, y, bandwidths, x_labels, y_labels).mean()


def gaussian_kernel(
    a: torch.Tensor,
    b: torch.Tensor,
    bandwidths: Sequence[float],
    a_labels: torch.Tensor | None = None,
    b_labels: torch.Tensor | None = None,
) -> torch.Tensor:
    """The kernel k of `mmd2` between each two points of a and b.

    Args:
        a, b: Points, (m, F) and (n, F).
        bandwidths: Each σ of the kernel.
        a_labels, b_labels: Their classes, (m,) and (n,); k is 0 between two classes.

    Returns:
        k of every a with every b, (m, n).
    """
    squares = a.square().sum(1)[:, None] + b.square().sum(1) - 2 * a @ b.T  # (m, n)
    squares = squares.clamp_min(0)  # rounding
    values = reduce(torch.add, (torch.exp(squares * (-0.5 / sigma**2)) for sigma in bandwidths))
    return values if a_labels is None else values * (a_labels[:, None] == b_labels)


def _mean_within(values: torch.Tensor, unbiased: bool) -> torch.Tensor:
    """The mean of k (m, m) over all pairs; with `unbiased` over pairs of two different points."""
    return (values.sum() - values.diagonal().sum()) / (len(values) * (len(values) - 1)) if unbiased else values.mean()


def moment_matching_generator(
    fakes: torch.Tensor, reals: torch.Tensor, labels: tuple[torch.Tensor, torch.Tensor] | None = None
) -> torch.Tensor:
    """√MMD² between fakes and reals.

    Li et al. 2015 (arXiv 1502.02761), section 3.3: the root keeps the gradient large where the two are close already. The
    bandwidths are theirs (IMAGE_VARIANCES), doubled for a range twice as wide, and growing with the image as distances do.

    Args:
        fakes, reals: Images (n, C, H, W) in [-1, 1].
        labels: The classes of both, each (n,), where the images are compared together with them.

    Returns:
        The loss, a scalar.
    """
    numbers = fakes[0].numel()
    bandwidths = [2 * (variance * numbers) ** 0.5 for variance in IMAGE_VARIANCES]
    return mmd2(fakes, reals, bandwidths, unbiased=False, labels=labels).clamp_min(1e-12).sqrt()


# name in a recipe → the loss of a generator without a discriminator: (fakes, reals, labels of both or None) → scalar
MATCHING: dict[str, Callable[..., torch.Tensor]] = {"mmd": moment_matching_generator}


# ----------------------------------------------------------------------------------------------------- penalties


def interpolate_real_fake(reals: torch.Tensor, fakes: torch.Tensor, u: torch.Tensor) -> torch.Tensor:
    """u · reals + (1 − u) · fakes: the points of `wgan_gp_penalty`, on the lines between reals and fakes.

    Gulrajani et al. 2017 (arXiv 1704.00028), algorithm 1, line 6.

    Args:
        reals, fakes: Images, each (N, ...).
        u: Uniform numbers (N, 1) in [0, 1).

    Returns:
        Points (N, ...), detached, which require a gradient.
    """
    share = u.view(-1, *[1] * (reals.dim() - 1))  # (N, 1, ...)
    return (share * reals + (1 - share) * fakes).detach().requires_grad_()


def dragan_points(reals: torch.Tensor, u: torch.Tensor) -> torch.Tensor:
    """x + alpha · δ · std / 2: the points of `dragan_penalty`, around reals x (N, ...).

    u (N, 1 + numbers in an image) is uniform in [0, 1): column 0 is the share alpha, the rest the noise δ. std is the
    standard deviation of all numbers in `reals` (with several processes, in this process's). Kodali et al. 2017 (arXiv
    1705.07215) write x + δ; scale and share are those of the authors' program. The points are detached and require a
    gradient.
    """
    share = u[:, :1].view(-1, *[1] * (reals.dim() - 1))  # (N, 1, ...)
    noise = u[:, 1:].view_as(reals)
    return (reals + share * noise * (0.5 * reals.std())).detach().requires_grad_()


def input_gradients(logits: torch.Tensor, points: torch.Tensor | Sequence[torch.Tensor]) -> torch.Tensor:
    """∂ logit / ∂ point for each of N points, as rows (N, numbers in a point); the graph is kept.

    Where a point has logits of several patches, (N, P), their mean is its logit. Where a point is an image at several
    scales, `points` lists them, each (N, ...), and a row goes through all. One backward of the sum gives all rows, as a
    logit depends on its own point only. Where batch normalisation in training mode or a minibatch feature couples them,
    the rows are the gradient of the sum.
    """
    point_logits = logits if logits.dim() == 1 else logits.flatten(1).mean(1)  # (N,)
    gradients = torch.autograd.grad(point_logits.sum(), points, create_graph=True)
    return torch.cat([gradient.flatten(1) for gradient in gradients], 1)


def r1_penalty(real_logits: torch.Tensor, reals: torch.Tensor | Sequence[torch.Tensor]) -> torch.Tensor:
    """½ E[‖∇ₓ D(x)‖²] on reals (N, ...), which must require a gradient; without its weight gamma.

    Mescheder et al. 2018 (arXiv 1801.04406), equation 9. The graph is kept, so that the penalty is differentiable. The
    squared norms of a list of scales add up.
    """
    return 0.5 * input_gradients(real_logits, reals).square().sum(1).mean()


def r2_penalty(fake_logits: torch.Tensor, fakes: torch.Tensor | Sequence[torch.Tensor]) -> torch.Tensor:
    """½ E[‖∇ₓ D(x)‖²] on fakes (N, ...), which must require a gradient, or on a list of their scales.

    Mescheder et al. 2018 (arXiv 1801.04406), equation 10.
    """
    return r1_penalty(fake_logits, fakes)


def wgan_gp_penalty(logits: torch.Tensor, points: torch.Tensor) -> torch.Tensor:
    """E[(‖∇ₓ D(x)‖₂ − 1)²] at points (N, ...) from `interpolate_real_fake`; the paper's weight lambda is 10.

    Gulrajani et al. 2017 (arXiv 1704.00028), equation 3. Where a gradient is exactly zero the norm has no derivative;
    0 is taken (a subgradient), so that a flat discriminator gives no NaN.
    """
    return (torch.linalg.vector_norm(input_gradients(logits, points), dim=1) - 1).square().mean()


def dragan_penalty(logits: torch.Tensor, points: torch.Tensor) -> torch.Tensor:
    """E[(‖∇ₓ D(x)‖₂ − 1)²] at points (N, ...) from `dragan_points`: the formula of WGAN-GP around reals.

    Kodali et al. 2017 (arXiv 1705.07215); their weight lambda is 10.
    """
    return wgan_gp_penalty(logits, points)


# name in a recipe → the penalty: (logits (N,), their points (N, ...)) → scalar
PENALTIES: dict[str, Callable[[torch.Tensor, torch.Tensor], torch.Tensor]] = {
    "r1": r1_penalty,
    "r2": r2_penalty,
    "wgan_gp": wgan_gp_penalty,
    "dragan": dragan_penalty,
}


def path_length_penalty(
    images: torch.Tensor, latents: torch.Tensor, noise: torch.Tensor, mean: float | torch.Tensor, decay: float = 0.01
) -> tuple[torch.Tensor, torch.Tensor]:
    """E[(‖Jᵀy‖₂ − a)²] with J = ∂ image / ∂ latent: a step in latent space shall move each image by the same length a.

    Karras et al. 2020 (arXiv 1912.04958), equation 4, and the running mean of its appendix B.

    Args:
        images: (N, C, H, W), made from `latents`.
        latents: z (N, Z), or w with one row a layer (N, L, W); they must require a gradient. With rows, a length is the
            root of the rows' mean squared length.
        noise: Standard normal, in the shape of the images; y is noise / √(H W), so that lengths do not grow with
            resolution.
        mean: The a of the step before, 0 at first.
        decay: The share of this batch's mean length in the new a.

    Returns:
        The penalty without its weight (2 in the authors' program, which keeps the new mean in the graph, as here), and
        the new a, detached. Averaged over processes it is that of the global batch.
    """
    directions = noise / (images.shape[2] * images.shape[3]) ** 0.5
    (gradient,) = torch.autograd.grad((images * directions).sum(), latents, create_graph=True)
    rows = gradient.shape[1] if gradient.dim() == 3 else 1
    lengths = torch.linalg.vector_norm(gradient.flatten(1), dim=1) / rows**0.5  # (N,)
    new_mean = mean + decay * (lengths.mean() - mean)
    return (lengths - new_mean).square().mean(), new_mean.detach()


def feature_matching(
    fake_features: Sequence[Sequence[torch.Tensor]], real_features: Sequence[Sequence[torch.Tensor]]
) -> torch.Tensor:
    """Σ over layers l of mean |D_l(fake) − D_l(real)|, averaged over the scales of a discriminator; without its weight.

    One list of features (N, F, H, W) a scale, of fakes and of the reals they are to match; the reals' get no gradient.
    Wang et al. 2018 (arXiv 1711.11585), equation 4; Park et al. 2019 (arXiv 1903.07291), whose weight is 10.
    """
    distances = [
        reduce(torch.add, ((fake - real.detach()).abs().mean() for fake, real in zip(fakes, reals, strict=True)))
        for fakes, reals in zip(fake_features, real_features, strict=True)
    ]
    return reduce(torch.add, distances) / len(distances)


@torch.no_grad()
def clip_weights(network: torch.nn.Module, bound: float) -> None:
    """Clip every parameter to [−bound, bound], in place, after each update of a Wasserstein critic.

    Arjovsky et al. 2017 (arXiv 1701.07875), algorithm 1, line 7, where bound is 0.01. Buffers are left alone.
    """
    for parameter in network.parameters():
        parameter.clamp_(-bound, bound)
