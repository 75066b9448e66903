"""The calls by name of the tab "Train one", for programs."""

from collections.abc import Callable
from typing import Any, TypedDict

import gradio as gr

from gan_hub.demo import image_files, inputs
from gan_hub.demo.calls import File, as_file
from gan_hub.demo.long_jobs import in_slices
from gan_hub.demo.tabs.train import handlers as train
from gan_hub.demo.tabs.train import newborn
from gan_hub.demo.texts import translate


class TrainedModel(TypedDict):
    """24 pictures of the trained generator, its folder as a ZIP, and how the training went."""

    faces: File
    model: File
    steps: int
    seconds: float
    alarms: list[str]
    link: str


def train_call(
    side: str = "16",
    loss: str = "non_saturating",
    discriminator_steps: int = 1,
    generator_rate: str = "0.001",
    discriminator_rate: str = "0.001",
    instance_noise: float = 0.0,
    r1_gamma: float = 0.3,
    averaged: bool = True,
    seed: int = 0,
    steps: int = 500,
    subject: str = "faces",
    request: gr.Request | None = None,
) -> TrainedModel:
    """Train a small network of cartoon faces or digits from noise, and take it home: seconds, or a minute and a half.

    Args:
        side: "16" or "32" pixels
        loss: "non_saturating", "minimax", "least_squares", "hinge", "wgan_gp" or "relativistic"
        discriminator_steps: of the discriminator for each step of the generator, from 1 to 5
        generator_rate: learning rate of the generator, from "0.0001" to "0.01"
        discriminator_rate: learning rate of the discriminator, likewise
        instance_noise: standard deviation of the noise that both kinds of pictures get, from 0 to 0.5
        r1_gamma: weight of the penalty R1, from 0 to 1
        averaged: whether the pictures are those of the averaged generator; the model's folder always has that one
        seed: of the first weights and of all random numbers, from 0 to 9999
        steps: of the generator, from 1 to 2500
        subject: what it learns to draw, "faces" or "digits"
        request: has the visitor's language

    Returns:
        the pictures of the seeds 0 to 23 (PNG), a folder that GANPipeline.from_pretrained loads (ZIP), the steps, the seconds of
        computing, what the monitors noticed, and the parameters of a link to the same training
    """
    rates = generator_rate, discriminator_rate
    form = subject, side, loss, discriminator_steps, *rates, instance_noise, r1_gamma, averaged, seed
    subject, pixels, choices = train.checked(form, request)
    number = inputs.integer(steps, 1, max(train.STEPS.values()), translate(request, "train_steps"))
    born = train.make_newborn(subject, pixels, choices)
    for _ in in_slices(born.watched.play(number), request, train.SECONDS):
        pass
    folder = image_files.new_folder()
    train.sheet_of(born).save(folder / "faces.png")
    archive = folder / f"{newborn.MODEL_NAME}.zip"
    archive.write_bytes(newborn.archive(born))
    return {
        "faces": as_file(str(folder / "faces.png")),
        "model": as_file(str(archive)),
        "steps": born.game.step_count,
        "seconds": round(born.watched.seconds, 1),
        "alarms": [f"{step}: {cause}" for step, cause in born.watched.alarms],
        "link": train.link_of(subject, pixels, choices),
    }


CALLS: dict[str, Callable[..., Any]] = {"train": train_call}
