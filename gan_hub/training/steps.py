"""The two players' steps. Read them side by side: the same skeleton, and only the game differs.

Shapes: n images of this process, Z latent size. Logits (n,). Losses are scalars; what is returned is detached.
Images are (n, C, H, W) in [-1, 1]; the discriminator is shown them through a `View` (augmentation, instance noise), reals
and fakes alike, in both steps.
"""

import torch

from gan_hub.augment import View
from gan_hub.losses import ADVERSARIAL, PENALTIES, around, between, clip_weights, path_length_penalty


def discriminator_step(players, config, reals, fakes, labels, view: View, penalise: bool) -> dict[str, torch.Tensor]:
    """One update of the discriminator on reals and as many fakes, whose generator is not reached.

    With `penalise`, the gradient penalties of the config are added, each weighted by the interval at which they are (lazy
    regularisation, Karras et al. 2020b, appendix B; one loss and one update, so that Adam's rates stay). They see what the
    discriminator sees: the points after augmentation.
    """
    discriminator, descent, game = players.discriminator, players.discriminator_descent, ADVERSARIAL[config.loss]
    penalties = config.penalties if penalise else {}
    descent.zero_grad()

    fakes = view(fakes).detach().requires_grad_("r2" in penalties)
    reals = view(reals).detach().requires_grad_("r1" in penalties)
    with players.twice_differentiable(bool(penalties)):
        fake_logits = discriminator(fakes, labels, force_fp32="r2" in penalties)
        real_logits = discriminator(reals, labels, force_fp32="r1" in penalties)
        loss = total = game.discriminator(real_logits, fake_logits, **_options(players, config))
        values = {}
        for name, weight in penalties.items():
            seen = {"r1": (real_logits, reals), "r2": (fake_logits, fakes)}.get(name)
            logits, points = seen or _beside(name, discriminator, reals, fakes, labels, view)
            values[f"penalty/{name}"] = penalty = PENALTIES[name](logits, points)
            total = total + weight * config.penalty_interval * penalty

    asleep = config.skip_discriminator_below > 0 and players.mean(loss) < config.skip_discriminator_below
    if not asleep:
        values["gradient/discriminator"] = descent.step(total)
        if config.weight_clip:
            clip_weights(players.bare_discriminator, config.weight_clip)
    return {"loss/discriminator": loss.detach()} | judged(config.loss, real_logits, fake_logits) | detached(values)


def generator_step(players, config, reals, fakes, labels, view: View, z=None) -> dict[str, torch.Tensor]:
    """One update of the generator through its fakes, judged by a frozen discriminator.

    `reals` matter to a relativistic loss only. With z (n, Z), from which the fakes were made and which requires a
    gradient, the path length penalty is added.
    """
    discriminator, descent, game = players.discriminator, players.generator_descent, ADVERSARIAL[config.loss]
    descent.zero_grad()

    # Frozen: no gradient of this loss may reach the discriminator's next update, and half of backward is saved.
    discriminator.requires_grad_(False)
    fake_logits = discriminator(view(fakes), labels)
    if game.paired:
        with torch.no_grad():
            real_logits = discriminator(view(reals), labels)
    loss = total = game.generator(fake_logits, real_logits) if game.paired else game.generator(fake_logits)
    values = {}
    if z is not None:
        values["penalty/path_length"] = penalty = _path_length(players, fakes, z, view)
        total = total + config.path_length_weight * config.path_length_interval * penalty

    values["gradient/generator"] = descent.step(total)
    discriminator.requires_grad_(True)
    return {"loss/generator": loss.detach()} | detached(values)


def judged(loss: str, real_logits: torch.Tensor, fake_logits: torch.Tensor) -> dict[str, torch.Tensor]:
    """What the discriminator said: mean logits, and how often it was right (½ everywhere at the equilibrium).

    `accuracy/pairs`, the share of pairs whose real has the higher logit, means the same for every loss; the other two
    ask on which side of the loss's threshold a logit lies, which Wasserstein and relativistic losses leave free. BEGAN's
    scores are no verdicts: its balance keeps fakes easier to reconstruct than reals.
    """
    real, fake = real_logits.detach(), fake_logits.detach()
    means = {"logit/real": real.mean(), "logit/fake": fake.mean()}
    if loss == "began":
        return means
    means["accuracy/pairs"] = _above(real, fake)
    threshold = ADVERSARIAL[loss].threshold
    if threshold is not None:
        means |= {"accuracy/real": _above(real, threshold), "accuracy/fake": _above(-fake, -threshold)}
    return means


def _above(logits: torch.Tensor, other: torch.Tensor | float) -> torch.Tensor:
    """The share of logits above others; equal ones count half."""
    return ((logits > other).float() + 0.5 * (logits == other).float()).mean()


def detached(values: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    return {name: value.detach() for name, value in values.items()}


def _options(players, config) -> dict[str, float]:
    """The keywords that the discriminator's loss takes."""
    values = {"real_target": 1.0 - config.label_smoothing, "balance": players.controls.balance}
    return {name: values[name] for name in ADVERSARIAL[config.loss].options}


def _beside(name, discriminator, reals, fakes, labels, view) -> tuple[torch.Tensor, torch.Tensor]:
    """(logits, points) of the penalties that look beside the images: WGAN-GP's and DRAGAN's."""
    if name == "wgan_gp":
        points = between(reals, fakes, view.uniform(1, reals))
    else:
        points = around(reals, view.uniform(1 + reals[0].numel(), reals))
    return discriminator(points, labels, force_fp32=True), points


def _path_length(players, fakes, z, view) -> torch.Tensor:
    """StyleGAN2's penalty on fakes made from z; its running mean moves on, over all processes."""
    penalty, mean = path_length_penalty(fakes, z, view.normal(fakes), players.controls.path_length_mean)
    players.controls.path_length_mean = players.mean(mean)
    return penalty
