"""The two players' steps. Read them side by side: the same skeleton, and only the game differs.

Shapes: n images of this process, Z latent size. Logits (n,). Losses are scalars; what is returned is detached.
Algorithm 1 of Goodfellow et al. 2014: each step draws its own z; the discriminator's comes first.
"""

import torch

from gan_hub.losses import ADVERSARIAL, r1_penalty


def discriminator_step(players, config, reals, labels, z, penalise: bool) -> dict[str, torch.Tensor]:
    """One update of the discriminator on reals (n, C, H, W) in [-1, 1] and as many fakes made from z (n, Z).

    With `penalise`, R1 is added, weighted by the interval at which it is (lazy regularisation, Karras et al. 2020).
    """
    generator, discriminator, optimizer = players.generator, players.discriminator, players.discriminator_optimizer
    discriminator_loss, _ = ADVERSARIAL[config.loss]
    optimizer.zero_grad(set_to_none=True)

    with torch.no_grad():
        fakes = generator(z, labels)
    fake_logits = discriminator(fakes, labels)
    real_logits = discriminator(reals.requires_grad_(penalise), labels, force_fp32=penalise)
    loss = discriminator_loss(real_logits, fake_logits)
    penalty = r1_penalty(real_logits, reals) if penalise else torch.zeros_like(loss)

    players.backward(loss + config.r1_gamma * config.r1_interval * penalty)
    optimizer.step()
    return {
        "loss/discriminator": loss.detach(),
        "logit/real": real_logits.detach().mean(),
        "logit/fake": fake_logits.detach().mean(),
        "accuracy/real": (real_logits.detach() > 0).float().mean(),
        "accuracy/fake": (fake_logits.detach() < 0).float().mean(),
    } | ({"penalty/r1": penalty.detach()} if penalise else {})


def generator_step(players, config, labels, z) -> dict[str, torch.Tensor]:
    """One update of the generator on fakes made from z (n, Z), judged by a frozen discriminator."""
    generator, discriminator, optimizer = players.generator, players.discriminator, players.generator_optimizer
    _, generator_loss = ADVERSARIAL[config.loss]
    optimizer.zero_grad(set_to_none=True)

    # Frozen: no gradient of this loss may reach the discriminator's next update, and half of backward is saved.
    discriminator.requires_grad_(False)
    fakes = generator(z, labels)
    loss = generator_loss(discriminator(fakes, labels))

    players.backward(loss)
    optimizer.step()
    discriminator.requires_grad_(True)
    return {"loss/generator": loss.detach()}
