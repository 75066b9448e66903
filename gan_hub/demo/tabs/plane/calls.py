"""The calls by name of the tab "Two dimensions", for programs."""

from collections.abc import Callable
from typing import Any, TypedDict

import gradio as gr
import torch

from gan_hub.demo import inputs
from gan_hub.demo.long_jobs import in_slices
from gan_hub.demo.tabs.plane import handlers as plane
from gan_hub.demo.texts import translate
from gan_hub.toy.datasets import DATASETS
from gan_hub.toy.players import LATENT


class PlayedGame(TypedDict):
    """Points that the generator drew at the end, how many of the data's modes they found, and the share that lies near one."""

    points: list[list[float]]
    steps: int
    modes: int
    all_modes: int
    good: float
    alarms: list[str]
    link: str


def plane_call(
    data: str = "ring",
    loss: str = "non_saturating",
    discriminator_steps: int = 1,
    generator_rate: str = "0.002",
    discriminator_rate: str = "0.002",
    instance_noise: float = 0.0,
    r1_gamma: float = 0.05,
    averaged: bool = True,
    seed: int = 0,
    steps: int = 600,
    request: gr.Request | None = None,
) -> PlayedGame:
    """Play a small game of a generator against a discriminator over points of the plane; this takes some seconds.

    Args:
        data: "ring", "grid", "spiral" or "moons"
        loss: "non_saturating", "minimax", "least_squares", "hinge", "wgan_gp" or "relativistic"
        discriminator_steps: of the discriminator for each step of the generator, from 1 to 5
        generator_rate: learning rate of the generator, from "0.0001" to "0.01"
        discriminator_rate: learning rate of the discriminator, likewise
        instance_noise: standard deviation of the noise that both kinds of points get, from 0 to 0.5
        r1_gamma: weight of the penalty R1, from 0 to 0.2
        averaged: whether the points are those of the averaged generator
        seed: of the first weights and of all random numbers, from 0 to 9999
        steps: of the generator, from 1 to 2400
        request: has the visitor's language

    Returns:
        600 points, the steps played, the modes found and how many there are, the share of points near a mode, what the monitors
        noticed, and the parameters of a link to the same game
    """
    rates = generator_rate, discriminator_rate
    form = data, loss, discriminator_steps, *rates, instance_noise, r1_gamma, averaged, seed
    number = inputs.integer(steps, 1, plane.RUN_STEPS, translate(request, "plane_steps"))
    game = plane.begun(*plane.checked(form, request))
    for _ in in_slices(game.watched.play(number), request, plane.SECONDS):
        pass
    played, z = game.watched.game, torch.randn(plane.SAMPLES, LATENT, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        fakes = (played.ema.model if averaged else played.generator)(z)
    modes, good = DATASETS[data].judge(fakes)
    return {
        "points": [[round(each, 4) for each in point] for point in fakes[: plane.POINTS].tolist()],
        "steps": played.step_count,
        "modes": modes,
        "all_modes": DATASETS[data].modes,
        "good": good,
        "alarms": [f"{step}: {cause}" for step, cause in game.watched.alarms],
        "link": plane.link_of(data, game.choices),
    }


CALLS: dict[str, Callable[..., Any]] = {"plane": plane_call}
