"""Games in the plane: begin, run, pause and step them, and what is drawn of them. One game a visitor."""

import base64
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

import gradio as gr
import torch

from gan_hub.demo import inputs, toy_form
from gan_hub.demo.inputs import failure
from gan_hub.demo.long_jobs import StoppedError, in_slices
from gan_hub.demo.session_store import SessionStore
from gan_hub.demo.texts import translate
from gan_hub.demo.toy_form import Choices
from gan_hub.demo.watched_game import WatchedGame
from gan_hub.toy.datasets import DATASETS, EDGE
from gan_hub.toy.fields import best_verdicts, square_grid, verdicts
from gan_hub.toy.game import Game
from gan_hub.toy.players import LATENT, make_players

SIDE = 56  # pixels of a field
POINTS = 600  # that are drawn of the reals and of the fakes
SAMPLES = 2000  # that a game is judged by
RUN_STEPS = 2400  # of one press of Run
SECONDS = 40  # of computing that it may take
SLICE_SECONDS = 0.3
MAX_R1 = 0.2
MAX_GAMES = 40  # visitors whose game is kept, some 2 MB each
LINK_KEYS = ("data", *toy_form.KEYS)

HEALTHY = ("non_saturating", 1, "0.002", "0.002", 0.0, 0.05, True, 0)
# name → the form but for data and seed: what goes wrong, and what cures it while the game goes on
PRESETS: dict[str, tuple[Any, ...]] = {
    "collapse": ("non_saturating", 1, "0.002", "0.0002", 0.0, 0.0, False),
    "imbalance": ("minimax", 1, "0.005", "0.005", 0.0, 0.0, False),
    "cure": HEALTHY[:-1],
}
FIRST = ("ring", *HEALTHY)


@dataclass
class PlaneGame:
    """A visitor's game, and what is chosen for it just now."""

    data: str
    choices: Choices
    watched: WatchedGame


GAMES: SessionStore[PlaneGame] = SessionStore(MAX_GAMES)

View = tuple[dict[str, Any], dict[str, Any], dict[str, Any], str, str, str, str]


# ------------------------------------------------------------------------------------------- what visitors do


def draw(*form: Any, request: gr.Request | None = None) -> View:
    """The visitor's game as it stands, played by the form from now on; a new one where there is none of these data and seed.

    Args:
        form: data, and what `toy_form.check` takes.
        request: the visitor's.

    Returns:
        Field, best field, curves, numbers, what is said of the best one, the parameters of a link, and no sentence.
    """
    data, choices = checked(form, request)
    game = GAMES.get(request)
    if game is None or (game.data, game.choices.seed) != (data, choices.seed):
        return reset(*form, request=request)
    game.choices, game.watched.game.settings = choices, choices.settings
    return _view(game, "", request)


def reset(*form: Any, request: gr.Request | None = None) -> View:
    """A new game at its first step; arguments and result as in `draw`."""
    data, choices = checked(form, request)
    GAMES.put(request, begun(data, choices))
    return draw(*form, request=request)


def begun(data: str, choices: Choices) -> PlaneGame:
    """A game that has not made a step yet."""
    game = Game(*make_players(choices.seed), DATASETS[data].sample, LATENT, choices.settings, choices.seed)
    return PlaneGame(data, choices, WatchedGame(game))


def step(*form: Any, request: gr.Request | None = None) -> Iterator[View]:
    """One step of the game; arguments and results as in `draw`."""
    yield from play(*form, request=request, steps=1)


def play(*form: Any, request: gr.Request | None = None, steps: int = RUN_STEPS) -> Iterator[View]:
    """Play the visitor's game on, and show it some three times a second.

    Args:
        form: as in `draw`; what changes in it meanwhile comes by `draw`.
        request: the visitor's.
        steps: how many.

    Yields:
        As `draw` returns.
    """
    yield draw(*form, request=request)
    game = GAMES.get(request)
    assert game is not None  # `draw` has just put it there
    sentence = ""
    try:
        for _ in in_slices(game.watched.play(steps), request, SECONDS, SLICE_SECONDS):
            yield _view(game, translate(request, "plane_runs"), request)
    except StoppedError as error:
        sentence = failure(error, request)
    yield _view(game, sentence, request)


def preset(name: str, request: gr.Request | None, *form: Any) -> Iterator[tuple[Any, ...]]:
    """Play by one of the PRESETS: a cure goes on with the game that is ill, the others begin anew.

    Args:
        name: of the preset.
        request: the visitor's.
        form: as in `draw`.

    Yields:
        The form but for data and seed, and what `draw` returns, with a sentence on cause or remedy.
    """
    chosen = PRESETS[name]
    filled = (form[0], *chosen, form[-1])
    if name != "cure":
        reset(*filled, request=request)
    unchanged = [gr.skip()] * len(chosen)  # what a visitor changes while it runs stays
    for number, view in enumerate(play(*filled, request=request)):
        yield *(unchanged if number else chosen), *view[:-1], translate(request, f"preset_{name}")


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
    form = (link.get("data", FIRST[0]), *toy_form.from_link(link, HEALTHY))
    data, choices = checked(form, request)
    return [data, *choices.form]


def checked(form: tuple[Any, ...], request: gr.Request | None) -> tuple[str, Choices]:
    """The data and what else was chosen. Raises BadInputError for what is not allowed."""
    data = inputs.choice(form[0], list(DATASETS), translate(request, "plane_data"))
    return data, toy_form.check(form[1:], MAX_R1, "plane", request)


# --------------------------------------------------------------------------------------------- what is drawn


def _view(kept: PlaneGame, sentence: str, request: gr.Request | None) -> View:
    """Everything that is drawn of a game."""
    data, choices, watched = kept.data, kept.choices, kept.watched
    game, points = watched.game, DATASETS[data]
    z = torch.randn(SAMPLES, LATENT, generator=torch.Generator().manual_seed(1))
    reals, at = points.sample(SAMPLES, torch.Generator().manual_seed(2)), square_grid(SIDE)
    loss, noise = game.settings.loss, game.settings.instance_noise
    with torch.no_grad():
        fakes = (game.ema.model if choices.averaged else game.generator)(z)
        outputs = [game.discriminator(each) for each in (at, reals, fakes)]
        field = verdicts(loss, *outputs)
        best = best_verdicts(loss, points, fakes, at, noise)
    dots = {"reals": _coordinates(reals), "fakes": _coordinates(fakes)}
    curves = {name.split("/")[1]: curve.means for name, curve in watched.curves.items()}
    return (
        {"side": SIDE, "field": _bytes(field), **dots},
        {"side": SIDE, "field": "" if best is None else _bytes(best), **dots},
        {"curves": curves, "steps": game.step_count},
        _numbers(data, watched, fakes, request),
        translate(request, f"best_{loss}"),
        link_of(data, choices),
        sentence,
    )


def link_of(data: str, choices: Choices) -> str:
    """The parameters of a link to a game."""
    return "?" + urlencode({"tab": "plane", "data": data, **choices.link()})


def _numbers(data: str, watched: WatchedGame, fakes: torch.Tensor, request: gr.Request | None) -> str:
    """Steps, modes and good samples as HTML, and what the monitors say."""
    modes, good = DATASETS[data].judge(fakes)
    cells = {
        "plane_steps": f"{watched.game.step_count}",
        "plane_modes": translate(request, "plane_of", count=modes, all=DATASETS[data].modes),
        "plane_good": f"{good:.0%}",
    }
    return toy_form.figures(cells, watched, request)


def _bytes(values: torch.Tensor) -> str:
    """Numbers in [0, 1] as a byte each, base64."""
    return base64.b64encode((values * 255).round().to(torch.uint8).numpy().tobytes()).decode()


def _coordinates(points: torch.Tensor) -> str:
    """The first POINTS points as pairs of 16 bits from edge to edge of the square, base64; what is outside lies on the edge."""
    scaled = ((points[:POINTS] / (2 * EDGE) + 0.5).clamp(0, 1) * 65535).round().to(torch.int32)
    return base64.b64encode(scaled.numpy().astype("<u2").tobytes()).decode()
