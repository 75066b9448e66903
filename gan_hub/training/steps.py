"""One training step, and the update of each player in it. Read the two players side by side: only the game differs.

What the updates have in common: `state` has the networks and optimizers, `config` the game. `reals` and `fakes` are n images
of this process, (n, C, H, W) in [-1, 1], or a list of scales of them; the discriminator sees both through `augment`. `labels`
condition both players: classes (n,), maps of semantic classes (n, H, W), or None. Logits are (n,), or (n, P) of patches
or parts; losses are scalars, and the metrics that are returned are detached.

Gradient penalties are of the augmented images. They come every `penalty_interval` steps and are multiplied by that interval,
within the same loss and update, so that Adam's rates stay (lazy regularisation: Karras et al. 2020b, appendix B).
"""

from collections.abc import Callable, Iterable

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
from gan_hub.training.batches import (
    AUGMENT_DISCRIMINATOR,
    AUGMENT_GENERATOR,
    MIXING_DISCRIMINATOR,
    MIXING_GENERATOR,
    NOISE_DISCRIMINATOR,
    NOISE_GENERATOR,
    Batches,
)
from gan_hub.training.config import TrainConfig
from gan_hub.training.train_state import Images, TrainState

Labels = torch.Tensor | None
Metrics = dict[str, torch.Tensor]


def train_step(state: TrainState, config: TrainConfig, batches: Batches, step: int) -> Metrics:
    """Play one step (Goodfellow et al. 2014, Algorithm 1): k updates of the discriminator, then one of the generator.

    Each update has images and noise of its own, unless `share_fakes` is on.

    Args:
        state: both networks and their optimizers, which are updated.
        config: the game.
        batches: where images, labels and noise come from.
        step: the number of the step, from 0.

    Returns:
        The metrics of the last update of each player.
    """
    batches.seed_layers(step)
    if state.discriminator is None:
        return mmd_step(state, config, batches, step)
    k, adaptive = config.discriminator_steps, state.adaptive  # read once: what moves it in this step is read later
    penalize = step % config.penalty_interval == 0
    path_length = config.path_length_weight > 0 and step % config.path_length_interval == 0

    metrics: Metrics = {}
    for update in range(step * k, (step + 1) * k):
        reals, labels = batches.reals(update)
        z, mixing = batches.noise(update, NOISE_DISCRIMINATOR), batches.mixing(update, MIXING_DISCRIMINATOR)
        fakes, latents = state.draw_fakes(z, mixing, labels, with_grad=config.share_fakes, path_length=path_length)
        reals = state.match_resolution(reals)
        augment = batches.augment_pipe(update, AUGMENT_DISCRIMINATOR, step, adaptive.augment_p)
        metrics = discriminator_step(state, config, reals, fakes, labels, augment, penalize)
    state.update_adaptive(step, metrics)

    if not config.share_fakes:
        labels = labels if config.pairs_matter else batches.labels(step)  # a pair is of one class
        z, mixing = batches.noise(step, NOISE_GENERATOR), batches.mixing(step, MIXING_GENERATOR)
        fakes, latents = state.draw_fakes(z, mixing, labels, with_grad=True, path_length=path_length)
    augment = batches.augment_pipe(step, AUGMENT_GENERATOR, step, adaptive.augment_p)
    metrics |= generator_step(state, config, reals, fakes, labels, augment, latents)
    return metrics | state.weight_norms()


def discriminator_step(state: TrainState, config: TrainConfig, reals: Images, fakes: Images, labels: Labels,
                       augment: AugmentPipe, penalize: bool) -> Metrics:  # fmt: skip
    """Update the discriminator once, on reals and equally many detached fakes.

    Args:
        state, config, reals, fakes, labels, augment: see the top of this file.
        penalize: whether the gradient penalties count in this update.
    Returns: loss, mean logits, accuracies, penalties, norm of the gradient.
    """
    discriminator, optimizer, game = state.discriminator, state.discriminator_optimizer, ADVERSARIAL[config.loss]
    assert discriminator is not None and optimizer is not None
    penalties = config.penalties if penalize else {}
    optimizer.zero_grad()
    fakes = each_scale(fakes, lambda images: augment(images).detach().requires_grad_("r2" in penalties))
    reals = each_scale(reals, lambda images: augment(images).detach().requires_grad_("r1" in penalties))
    with state.eager_for_double_backward(bool(penalties)):
        fake_out = discriminator(fakes, labels, force_fp32="r2" in penalties)
        real_out = discriminator(reals, labels, force_fp32="r1" in penalties)
        loss = game.discriminator(real_out, fake_out, **loss_options(state, config))
        penalty = gradient_penalties(penalties, discriminator, (real_out, reals), (fake_out, fakes), labels, augment)
        total = loss + sum(weight * config.penalty_interval * penalty[name] for name, weight in penalties.items())
    metrics = {"loss/discriminator": loss} | logit_statistics(config.loss, real_out, fake_out)
    metrics |= {f"penalty/{name}": value for name, value in penalty.items()}
    skipped = config.skip_discriminator_below > 0 and state.mean(loss) < config.skip_discriminator_below
    if not skipped:
        metrics["gradient/discriminator"] = optimizer.step(total)
        if config.weight_clip:
            clip_weights(discriminator, config.weight_clip)
    return {name: value.detach() for name, value in metrics.items()}


def generator_step(state: TrainState, config: TrainConfig, reals: Images, fakes: Images, labels: Labels,
                   augment: AugmentPipe, latents: torch.Tensor | None = None) -> Metrics:  # fmt: skip
    """Update the generator once, through its fakes, against a frozen discriminator.

    Args:
        state, config, reals, fakes, labels, augment: see above; only paired losses and feature matching use the reals.
        latents: z (n, Z) or w (n, L, W) that the fakes were made from, with a gradient: adds the path length penalty.
    Returns: losses, penalty, norm of the gradient.
    """
    discriminator, optimizer, game = state.discriminator, state.generator_optimizer, ADVERSARIAL[config.loss]
    assert discriminator is not None
    match = config.feature_matching_weight > 0
    optimizer.zero_grad()
    discriminator.requires_grad_(False)  # saves half of backward, and nothing leaks into its next update
    fake_out, fake_features = logits_and_features(discriminator, each_scale(fakes, augment), labels, match)
    if config.pairs_matter:
        with torch.no_grad():
            real_out, real_features = logits_and_features(discriminator, each_scale(reals, augment), labels, match)
    loss = total = game.generator(fake_out, real_out) if game.paired else game.generator(fake_out)
    metrics = {"loss/generator": loss}
    if match:
        metrics["loss/features"] = distance = feature_matching(fake_features, real_features)
        total = total + config.feature_matching_weight * distance
    if latents is not None:
        metrics["penalty/path_length"] = penalty = path_length_of_fakes(state, fakes, latents, augment)
        total = total + config.path_length_weight * config.path_length_interval * penalty
    metrics["gradient/generator"] = optimizer.step(total)
    discriminator.requires_grad_(True)
    return {name: value.detach() for name, value in metrics.items()}


def mmd_step(state: TrainState, config: TrainConfig, batches: Batches, step: int) -> Metrics:
    """Update a generator that has no opponent: its fakes are compared with reals of the same labels.

    All images of a batch are compared with all, so those of the other processes are gathered, without a gradient. Each
    process has the gradient of its own share and the reduction takes their mean: the loss is multiplied by their number.

    Args:
        state: the generator and its optimizer, which are updated.
        config: the game.
        batches: where images, labels and noise come from.
        step: the number of the step, from 0.

    Returns:
        The loss, the norm of the gradient and that of the weights.
    """
    reals, labels = batches.reals(step)
    fakes, _ = state.draw_fakes(batches.noise(step, NOISE_GENERATOR), None, labels, with_grad=True)
    optimizer = state.generator_optimizer
    optimizer.zero_grad()

    assert isinstance(fakes, torch.Tensor), "several scales cannot be matched"
    classes = None if labels is None else state.gather_batch(labels)
    fakes, reals = state.gather_batch(fakes), state.gather_batch(reals)
    loss = MATCHING[config.loss](fakes, reals, None if classes is None else (classes, classes))

    gradient = optimizer.step(loss * state.accelerator.num_processes)
    return {"loss/generator": loss.detach(), "gradient/generator": gradient} | state.weight_norms()


# --------------------------------------------------------------------------------------------------- parts of a step


def each_scale(images: Images, change: Callable[[torch.Tensor], torch.Tensor]) -> Images:
    """Images changed; a list of scales is changed scale by scale."""
    return [change(scale) for scale in images] if isinstance(images, list) else change(images)


def logits_and_features(
    discriminator: torch.nn.Module, images: Images, labels: Labels, features: bool
) -> tuple[torch.Tensor, list]:
    """The logits of images and, for feature matching, the features of each layer.

    Args:
        discriminator: the network; with `features`, one that has them to give.
        images, labels: see the top of this file.
        features: whether they are needed.

    Returns:
        Logits (n,) and the features, of each patch discriminator a list; an empty list where they are not needed.
    """
    return discriminator(images, labels, features=True) if features else (discriminator(images, labels), [])


def loss_options(state: TrainState, config: TrainConfig) -> dict[str, float]:
    """The keywords that the discriminator's loss takes."""
    values = {"real_target": 1.0 - config.label_smoothing, "balance": state.adaptive.balance}
    return {name: values[name] for name in ADVERSARIAL[config.loss].options}


def gradient_penalties(
    names: Iterable[str],
    discriminator: torch.nn.Module,
    real: tuple[torch.Tensor, Images],
    fake: tuple[torch.Tensor, Images],
    labels: Labels,
    augment: AugmentPipe,
) -> Metrics:
    """The gradient penalties of a discriminator: on reals, on fakes, or on points that WGAN-GP and DRAGAN look at.

    Args:
        names: of `losses.PENALTIES`.
        discriminator: the network.
        real, fake: (logits, augmented images); for r1 the reals, for r2 the fakes need a gradient.
        labels: see the top of this file.
        augment: draws where the points of WGAN-GP and DRAGAN lie.

    Returns:
        Name → penalty, a scalar without its weight.
    """
    judged, values = {"r1": real, "r2": fake}, {}
    for name in names:
        if name not in judged:
            points = _points(name, real[1], fake[1], augment)
            judged[name] = discriminator(points, labels, force_fp32=True), points
        values[name] = PENALTIES[name](*judged[name])  # pyright: ignore[reportArgumentType]  # R1 and R2 take scales
    return values


def _points(name: str, reals: Images, fakes: Images, augment: AugmentPipe) -> torch.Tensor:
    """The points (n, C, H, W) of WGAN-GP, between reals and fakes, or of DRAGAN, around reals."""
    assert isinstance(reals, torch.Tensor) and isinstance(fakes, torch.Tensor), "several scales have no such points"
    if name == "wgan_gp":
        return interpolate_real_fake(reals, fakes, augment.uniform(1, reals))
    return dragan_points(reals, augment.uniform(1 + reals[0].numel(), reals))


def path_length_of_fakes(state: TrainState, fakes: Images, latents: torch.Tensor, augment: AugmentPipe) -> torch.Tensor:
    """StyleGAN2's path length penalty; moves its running mean, over all processes.

    Args:
        state: has the running mean.
        fakes: images (n, C, H, W).
        latents: z (n, Z) or w (n, L, W) that they were made from, with a gradient.
        augment: draws the noise on the images.

    Returns:
        The penalty, a scalar.
    """
    assert isinstance(fakes, torch.Tensor), "several scales have no path length"
    penalty, mean = path_length_penalty(fakes, latents, augment.normal(fakes), state.adaptive.path_length_mean)
    state.keep_path_length(mean)
    return penalty


def logit_statistics(loss: str, real_logits: torch.Tensor, fake_logits: torch.Tensor) -> Metrics:
    """Mean logits, and how often the discriminator was right (½ everywhere at the equilibrium).

    `accuracy/pairs`, the share of pairs in which the real has the higher logit, means the same for every loss; the other two
    ask on which side of the loss's threshold a logit lies, which Wasserstein and relativistic losses leave free. BEGAN's
    scores are no verdicts: its balance keeps fakes easier to reconstruct than reals.

    Args:
        loss: its name in a recipe.
        real_logits, fake_logits: (n,) each.

    Returns:
        Column of the log → scalar.
    """
    real, fake = real_logits.detach(), fake_logits.detach()
    means = {"logit/real": real.mean(), "logit/fake": fake.mean()}
    if loss == "began":
        return means
    means["accuracy/pairs"] = _share_above(real, fake)
    threshold = ADVERSARIAL[loss].threshold
    if threshold is not None:
        means |= {"accuracy/real": _share_above(real, threshold), "accuracy/fake": _share_above(-fake, -threshold)}
    return means


def _share_above(logits: torch.Tensor, other: torch.Tensor | float) -> torch.Tensor:
    """The share of logits above others; equal ones count half."""
    return ((logits > other).float() + 0.5 * (logits == other).float()).mean()
