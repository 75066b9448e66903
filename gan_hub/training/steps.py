"""The two players' steps. Read them side by side: the same skeleton, and only the game differs. One plays alone.

Shapes: n images of this process, Z latent size. Logits (n,). Losses are scalars; what is returned is detached.
Images are (n, C, H, W) in [-1, 1], the fakes of a multi-scale generator a list of them; the discriminator is shown them
through a `View` (augmentation, instance noise), reals and fakes alike, in both steps. `labels` are what both players are
told: classes (n,), maps of semantic classes (n, H, W), or None.
"""

import torch

from gan_hub.augment import AugmentPipe
from gan_hub.losses import (
    ADVERSARIAL,
    MATCHING,
    PENALTIES,
    clip_weights,
    dragan_points,
    feature_matching,
    interpolate_real_fake,
    path_length_penalty,
)


def discriminator_step(
    players, config, reals, fakes, labels, view: AugmentPipe, penalise: bool
) -> dict[str, torch.Tensor]:
    """One update of the discriminator on reals and as many fakes, whose generator is not reached.

    With `penalise`, the gradient penalties of the config are added, each weighted by the interval at which they are (lazy
    regularisation, Karras et al. 2020b, appendix B; one loss and one update, so that Adam's rates stay). They see what the
    discriminator sees: the points after augmentation.
    """
    discriminator, descent, game = players.discriminator, players.discriminator_descent, ADVERSARIAL[config.loss]
    penalties = config.penalties if penalise else {}
    descent.zero_grad()

    fakes = leaves(shown(view, fakes), "r2" in penalties)
    reals = leaves(shown(view, reals), "r1" in penalties)
    with players.eager_for_double_backward(bool(penalties)):
        fake_logits = discriminator(fakes, labels, force_fp32="r2" in penalties)
        real_logits = discriminator(reals, labels, force_fp32="r1" in penalties)
        loss = total = game.discriminator(real_logits, fake_logits, **_options(players, config))
        values = {}
        for name, weight in penalties.items():
            seen = {"r1": (real_logits, reals), "r2": (fake_logits, fakes)}.get(name)
            scores, points = seen or _beside(name, discriminator, reals, fakes, labels, view)
            values[f"penalty/{name}"] = penalty = PENALTIES[name](scores, points)
            total = total + weight * config.penalty_interval * penalty

    asleep = config.skip_discriminator_below > 0 and players.mean(loss) < config.skip_discriminator_below
    if not asleep:
        values["gradient/discriminator"] = descent.step(total)
        if config.weight_clip:
            clip_weights(players.unwrapped_discriminator, config.weight_clip)
    return (
        {"loss/discriminator": loss.detach()}
        | logit_statistics(config.loss, real_logits, fake_logits)
        | detached(values)
    )


def generator_step(players, config, reals, fakes, labels, view: AugmentPipe, latents=None) -> dict[str, torch.Tensor]:
    """One update of the generator through its fakes, judged by a frozen discriminator.

    `reals` matter to a relativistic loss and to feature matching only. With `latents`, z (n, Z) or w (n, L, W), from
    which the fakes were made and which require a gradient, the path length penalty is added.
    """
    discriminator, descent, game = players.discriminator, players.generator_descent, ADVERSARIAL[config.loss]
    descent.zero_grad()

    # Frozen: no gradient of this loss may reach the discriminator's next update, and half of backward is saved.
    discriminator.requires_grad_(False)
    asked = {"features": True} if config.feature_matching_weight else {}
    said_of_fakes = discriminator(shown(view, fakes), labels, **asked)
    if config.pairs_matter:
        with torch.no_grad():
            said_of_reals = discriminator(shown(view, reals), labels, **asked)
    loss = total = game.generator(logits(said_of_fakes), *([logits(said_of_reals)] if game.paired else []))
    values = {}
    if asked:
        values["loss/features"] = matching = feature_matching(said_of_fakes[1], said_of_reals[1])
        total = total + config.feature_matching_weight * matching
    if latents is not None:
        values["penalty/path_length"] = penalty = _path_length(players, fakes, latents, view)
        total = total + config.path_length_weight * config.path_length_interval * penalty

    values["gradient/generator"] = descent.step(total)
    discriminator.requires_grad_(True)
    return {"loss/generator": loss.detach()} | detached(values)


def mmd_update(players, config, reals, fakes, labels) -> dict[str, torch.Tensor]:
    """One update of a generator that has no opponent, through its fakes, compared with reals of the same labels.

    All images with all: those of the other processes are there as well, without a gradient. As each process has the
    gradient of its own share and the reduction takes their mean, the loss is multiplied by their number.
    """
    descent = players.generator_descent
    descent.zero_grad()

    classes = None if labels is None else players.gather_batch(labels)
    fakes, reals = players.gather_batch(fakes), players.gather_batch(reals)
    loss = MATCHING[config.loss](fakes, reals, None if classes is None else (classes, classes))

    gradient = descent.step(loss * players.accelerator.num_processes)
    return {"loss/generator": loss.detach(), "gradient/generator": gradient}


def shown(view: AugmentPipe, images: torch.Tensor | list[torch.Tensor]) -> torch.Tensor | list[torch.Tensor]:
    """Images through the view, each scale of them where they are a list."""
    return [view(scale) for scale in images] if isinstance(images, list) else view(images)


def leaves(images: torch.Tensor | list[torch.Tensor], needed: bool) -> torch.Tensor | list[torch.Tensor]:
    """Images, or each scale of them, cut off from what made them; where `needed` they ask for a gradient."""
    if isinstance(images, list):
        return [leaves(scale, needed) for scale in images]
    return images.detach().requires_grad_(needed)


def logits(said: torch.Tensor | tuple[torch.Tensor, list]) -> torch.Tensor:
    """The logits of what a discriminator said, that was asked for its features, too, or was not."""
    return said[0] if isinstance(said, tuple) else said


def logit_statistics(loss: str, real_logits: torch.Tensor, fake_logits: torch.Tensor) -> dict[str, torch.Tensor]:
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
        points = interpolate_real_fake(reals, fakes, view.uniform(1, reals))
    else:
        points = dragan_points(reals, view.uniform(1 + reals[0].numel(), reals))
    return discriminator(points, labels, force_fp32=True), points


def _path_length(players, fakes, latents, view) -> torch.Tensor:
    """StyleGAN2's penalty on fakes made from latents; its running mean moves on, over all processes."""
    penalty, mean = path_length_penalty(fakes, latents, view.normal(fakes), players.controls.path_length_mean)
    players.controls.path_length_mean = players.mean(mean)
    return penalty
