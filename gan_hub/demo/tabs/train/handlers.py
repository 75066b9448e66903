"""Train a small network, and show how it comes on. One network a visitor, gone with the visit (see newborn.py)."""

import functools
import html
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlencode

import gradio as gr
import torch
from PIL import Image

from gan_hub.demo import image_files, inputs, toy_form
from gan_hub.demo.inputs import failure
from gan_hub.demo.long_jobs import StoppedError, in_slices
from gan_hub.demo.tabs.train.newborn import CHANNELS, NEWBORNS, SUBJECTS, Newborn
from gan_hub.demo.texts import translate
from gan_hub.demo.toy_form import Choices
from gan_hub.demo.watched_game import WatchedGame
from gan_hub.images import grid, to_pil
from gan_hub.models import DCGANDiscriminator, DCGANGenerator
from gan_hub.toy.digits import sample_digits
from gan_hub.toy.faces import SIDES, sample_faces
from gan_hub.toy.game import Game

LATENT = 32
BASE_CHANNELS = 16
BATCH, PENALTY_INTERVAL, HALFLIFE_KIMG = 64, 8, 5.0
STEPS = {16: 2000, 32: 2500}  # of one press: some 40 and 90 seconds of one core
SECONDS = 180  # of computing that it may take
SLICE_SECONDS = 1.0
TILES, COLUMNS = 24, 8  # pictures that are shown
SAMPLERS = {"faces": sample_faces, "digits": sample_digits}
MAX_R1 = 1.0
LINK_KEYS = ("subject", "side", *toy_form.KEYS)
HEALTHY = ("non_saturating", 1, "0.001", "0.001", 0.0, 0.3, True, 0)

View = tuple[str, dict[str, Any], str, str, str]


# ------------------------------------------------------------------------------------------- what visitors do


def draw(*form: Any, request: gr.Request | None = None) -> View:
    """The visitor's network as it stands, trained by the form from now on.

    Args:
        form: what is to be drawn, the side of the pictures in pixels, and what `toy_form.check` takes.
        request: the visitor's.

    Returns:
        The pictures, the curves, the numbers, the parameters of a link, and no sentence.
    """
    subject, side, choices = checked(form, request)
    newborn = NEWBORNS.get(request)
    if newborn is None or newborn.kind != (subject, side, choices.seed):
        return _nothing_yet(subject, side, choices, "", request)
    newborn.choices, newborn.game.settings = choices, choices.settings
    return _view(newborn, "", request)


def reset(*form: Any, request: gr.Request | None = None) -> View:
    """Forget the visitor's network; arguments and result as in `draw`."""
    NEWBORNS.put(request, None)
    return draw(*form, request=request)


def train(*form: Any, request: gr.Request | None = None) -> Iterator[View]:
    """Train the visitor's network, or go on with it, and show it about once a second.

    Args:
        form: as in `draw`; what changes in it meanwhile comes by `draw`.
        request: the visitor's.

    Yields:
        As `draw` returns.
    """
    subject, side, choices = checked(form, request)
    drawn = draw(*form, request=request)
    yield *drawn[:-1], translate(request, "train_begins")
    sentence = translate(request, "train_done")
    try:
        for _ in in_slices(_job(subject, side, choices, request), request, SECONDS, SLICE_SECONDS):
            yield _view(_newborn(request), translate(request, "train_goes_on"), request)
    except StoppedError as error:
        sentence = failure(error, request)
    newborn = NEWBORNS.get(request)
    last = drawn if newborn is None else _view(newborn, "", request)
    yield *last[:-1], sentence


def fill(model: str, link: dict[str, str], request: gr.Request | None = None) -> list[Any]:
    """The form as a link fills it.

    Args:
        model: any.
        link: the parameters that the link has, of LINK_KEYS.
        request: has the visitor's language.

    Returns:
        The values of the form.

    Raises:
        BadInputError: one of them is not allowed.
    """
    side = inputs.as_number(link["side"]) if "side" in link else SIDES[-1]
    form = (link.get("subject", SUBJECTS[0]), side, *toy_form.from_link(link, HEALTHY))
    subject, side, choices = checked(form, request)
    return [subject, side, *choices.form]


def checked(form: tuple[Any, ...], request: gr.Request | None) -> tuple[str, int, Choices]:
    """What is drawn, its side in pixels, and what else was chosen. Raises BadInputError for what is not allowed."""
    subject = inputs.choice(form[0], SUBJECTS, translate(request, "train_subject"))
    pixels, name = form[1], translate(request, "train_side")
    side = int(inputs.choice(f"{pixels:g}" if isinstance(pixels, (int, float)) else pixels, ("16", "32"), name))
    fixed = {"batch_size": BATCH, "penalty_interval": PENALTY_INTERVAL, "ema_halflife_kimg": HALFLIFE_KIMG}
    return subject, side, toy_form.check(form[2:], MAX_R1, "train", request, **fixed)


# ---------------------------------------------------------------------------------------------- the training


def make_newborn(subject: str, side: int, choices: Choices) -> Newborn:
    """A network that has learnt nothing yet, and its opponent, with the weights of a seed.

    Args:
        subject: what it is to draw, one of SUBJECTS.
        side: of the pictures in pixels.
        choices: all else.

    Returns:
        The network.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(choices.seed)
        shape: Any = {"resolution": side, "channels": CHANNELS[subject], "base_channels": BASE_CHANNELS * 32 // side}
        generator = DCGANGenerator(**shape, latent_size=LATENT)
        discriminator = DCGANDiscriminator(**shape, norm="none")
    for network in (generator, discriminator):
        network.to(memory_format=torch.channels_last)  # a third faster here
    reals = functools.partial(SAMPLERS[subject], side)
    game = Game(generator, discriminator, reals, LATENT, choices.settings, choices.seed)
    return Newborn(WatchedGame(game), subject, side, choices)


def _job(subject: str, side: int, choices: Choices, request: gr.Request | None) -> Iterator[int]:
    newborn = NEWBORNS.get(request)
    if newborn is None or newborn.kind != (subject, side, choices.seed):
        newborn = make_newborn(subject, side, choices)
        NEWBORNS.put(request, newborn)
    yield from newborn.watched.play(STEPS[side])


def _newborn(request: gr.Request | None) -> Newborn:
    newborn = NEWBORNS.get(request)
    if newborn is None:  # others have taken its place meanwhile, or it was begun anew
        raise inputs.BadInputError("train_gone")
    return newborn


# --------------------------------------------------------------------------------------------- what is drawn


def _view(newborn: Newborn, sentence: str, request: gr.Request | None) -> View:
    sheet = sheet_of(newborn)
    alt = translate(request, "train_alt", count=TILES, step=newborn.game.step_count)
    curves = {name.split("/")[1]: curve.means for name, curve in newborn.watched.curves.items()}
    return (
        image_files.img_tag(sheet, alt, "faces"),
        {"curves": curves, "steps": newborn.game.step_count},
        _numbers(newborn.watched, request),
        link_of(newborn.subject, newborn.side, newborn.choices),
        sentence,
    )


def sheet_of(newborn: Newborn) -> Image.Image:
    """The pictures of the first TILES seeds."""
    return grid(to_pil(newborn.draw(range(TILES), newborn.choices.averaged)), COLUMNS, padding=0)


def _nothing_yet(subject: str, side: int, choices: Choices, sentence: str, request: gr.Request | None) -> View:
    empty = f'<div class="empty">{html.escape(translate(request, "train_empty"))}</div>'
    return empty, {"curves": {}, "steps": 0}, "", link_of(subject, side, choices), sentence


def link_of(subject: str, side: int, choices: Choices) -> str:
    """The parameters of a link to a training.

    Args:
        subject, side, choices: as of `make_newborn`.

    Returns:
        The end of an address, from "?" on.
    """
    return "?" + urlencode({"tab": "train", "subject": subject, "side": side, **choices.link()})


def _numbers(watched: WatchedGame, request: gr.Request | None) -> str:
    """Steps, images and seconds as HTML, and what the monitors say."""
    steps = watched.game.step_count
    cells = {"train_steps": f"{steps}", "train_images": f"{steps * BATCH}", "train_seconds": f"{watched.seconds:.0f}"}
    return toy_form.figures(cells, watched, request)
