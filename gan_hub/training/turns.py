"""One turn of the game: which images, noise and labels each of the two players gets, in which order."""

import torch

from gan_hub.training.batches import (
    MIXING_DISCRIMINATOR,
    MIXING_GENERATOR,
    NOISE_DISCRIMINATOR,
    NOISE_GENERATOR,
    VIEW_DISCRIMINATOR,
    VIEW_GENERATOR,
    Batches,
)
from gan_hub.training.config import TrainConfig
from gan_hub.training.steps import discriminator_step, generator_step, mmd_update
from gan_hub.training.train_state import TrainState


def train_step(players: TrainState, config: TrainConfig, batches: Batches, step: int) -> dict[str, torch.Tensor]:
    """One turn of the game (Goodfellow et al. 2014, Algorithm 1): k updates of the discriminator, one of the generator.

    Every update has images and noise of its own, unless fakes are shared. Returns the metrics of the last updates.
    """
    batches.seed_layers(step)
    if players.discriminator is None:
        return mmd_step(players, config, batches, step)
    k = config.discriminator_steps
    penalise = step % config.penalty_interval == 0
    stretch = config.path_length_weight > 0 and step % config.path_length_interval == 0

    for turn in range(step * k, (step + 1) * k):
        reals, labels = batches.reals(turn)
        drawn = batches.noise(turn, NOISE_DISCRIMINATOR), batches.mixing(turn, MIXING_DISCRIMINATOR)
        fakes, latents = players.fakes(*drawn, labels, graph=config.share_fakes, stretch=stretch)
        reals, view = (
            players.match_resolution(reals),
            batches.view(turn, VIEW_DISCRIMINATOR, step, players.controls.augment_p),
        )
        metrics = discriminator_step(players, config, reals, fakes, labels, view, penalise)
    players.adjust(step, metrics)

    if not config.share_fakes:
        labels = labels if config.pairs_matter else batches.labels(step)  # a pair is of one class
        drawn = batches.noise(step, NOISE_GENERATOR), batches.mixing(step, MIXING_GENERATOR)
        fakes, latents = players.fakes(*drawn, labels, graph=True, stretch=stretch)
    view = batches.view(step, VIEW_GENERATOR, step, players.controls.augment_p)
    metrics |= generator_step(players, config, reals, fakes, labels, view, latents)
    return metrics | players.weight_norms()


def mmd_step(players: TrainState, config: TrainConfig, batches: Batches, step: int) -> dict[str, torch.Tensor]:
    """A turn of a generator that plays alone: one update, on fakes with the labels of the reals they are to match."""
    reals, labels = batches.reals(step)
    fakes, _ = players.fakes(batches.noise(step, NOISE_GENERATOR), None, labels, graph=True)
    return mmd_update(players, config, reals, fakes, labels) | players.weight_norms()
