"""Adversarial losses and gradient penalties, one formula a function.

Logits are what a discriminator gives before any sigmoid, shape (N,); D(x) = sigmoid(logit). Each loss is a scalar, the
mean over the batch, to be minimised by its player.
"""

import torch
from torch.nn.functional import softplus


def non_saturating_discriminator(real_logits: torch.Tensor, fake_logits: torch.Tensor) -> torch.Tensor:
    """−E[log D(x)] − E[log(1 − D(G(z)))]: the discriminator's side of the minimax game.

    Goodfellow et al. 2014, equation 1, from logits: −log sigmoid(l) = softplus(−l). 2 ln 2 when D knows nothing.
    """
    return softplus(-real_logits).mean() + softplus(fake_logits).mean()


def non_saturating_generator(fake_logits: torch.Tensor) -> torch.Tensor:
    """−E[log D(G(z))]: the generator's loss that keeps its gradient while the discriminator wins.

    Goodfellow et al. 2014, end of section 3.
    """
    return softplus(-fake_logits).mean()


def r1_penalty(real_logits: torch.Tensor, reals: torch.Tensor) -> torch.Tensor:
    """½ E[‖∇ₓ D(x)‖²] on reals (N, C, H, W), which must require a gradient; without its weight gamma.

    Mescheder et al. 2018 (arXiv 1801.04406), equation 9. The graph is kept: the penalty itself is differentiable.
    """
    (gradient,) = torch.autograd.grad(real_logits.sum(), reals, create_graph=True)
    return 0.5 * gradient.square().sum(dim=(1, 2, 3)).mean()


# name in a recipe → (the discriminator's loss of real and fake logits, the generator's loss of fake logits)
ADVERSARIAL = {"non_saturating": (non_saturating_discriminator, non_saturating_generator)}
