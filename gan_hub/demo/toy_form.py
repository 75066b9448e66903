"""The form of a small game, its checks, and its words: what "Two dimensions" and "Train one" have in common."""

import html
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import gradio as gr
from gradio.components import Component

from gan_hub.demo import inputs, texts
from gan_hub.demo.components import slider
from gan_hub.demo.texts import t, translate
from gan_hub.demo.toy_words import TEXTS
from gan_hub.demo.watched_game import WatchedGame
from gan_hub.toy.game import Settings

texts.add(TEXTS)

# A critic's loss alone has no end; the penalty that bounds its slope belongs to it.
LOSSES = ("non_saturating", "minimax", "least_squares", "hinge", "wgan_gp", "relativistic")
WGAN_GP_WEIGHT = 0.1
RATES = ("0.0001", "0.0002", "0.0005", "0.001", "0.002", "0.005", "0.01")
MAX_K, MAX_NOISE = 5, 0.5
MAX_SEED = 9999
KEYS = ("loss", "k", "lg", "ld", "noise", "r1", "averaged", "seed")  # of a link, in the order of the form


@dataclass(frozen=True)
class Choices:
    """What a visitor chose, checked."""

    settings: Settings
    averaged: bool  # whether the averaged generator is looked at
    seed: int
    form: tuple[Any, ...]  # the same as values of the form

    def link(self) -> dict[str, str]:
        """The parameters of a link to it."""
        loss, k, lg, ld, noise, r1, averaged, seed = self.form
        numbers = {"k": f"{k:g}", "lg": lg, "ld": ld, "noise": f"{noise:g}", "r1": f"{r1:g}"}
        return {"loss": loss, **numbers, "averaged": "1" if averaged else "0", "seed": str(seed)}


def check(form: tuple[Any, ...], max_r1: float, tab: str, request: gr.Request | None, **fixed: Any) -> Choices:
    """Check the form's values.

    Args:
        form: loss, k, both rates, noise, R1, averaged and seed, as they were sent.
        max_r1: the largest weight of R1 that is allowed.
        tab: its name, for the element that is wrong.
        request: has the visitor's language.
        fixed: the other settings.

    Returns:
        What was chosen.

    Raises:
        BadInputError: a value is not allowed.
    """
    loss, k, lg, ld, noise, r1, averaged, seed = form
    loss = inputs.choice(loss, LOSSES, translate(request, "game_loss"))
    k = inputs.integer(k, 1, MAX_K, translate(request, "game_k"))
    lg = inputs.choice(lg, RATES, translate(request, "game_lg"))
    ld = inputs.choice(ld, RATES, translate(request, "game_ld"))
    noise = inputs.number(noise, 0, MAX_NOISE, translate(request, "game_noise"))
    r1 = inputs.number(r1, 0, max_r1, translate(request, "game_r1"))
    averaged = inputs.boolean(averaged, translate(request, "game_averaged"))
    with inputs.of(f"{tab}-seed"):
        seed = inputs.integer(seed, 0, MAX_SEED, translate(request, "game_seed"))
    options: dict[str, Any] = (
        {"loss": "wasserstein", "wgan_gp_weight": WGAN_GP_WEIGHT} if loss == "wgan_gp" else {"loss": loss}
    )
    rates: dict[str, Any] = {"learning_rate_generator": float(lg), "learning_rate_discriminator": float(ld)}
    settings = Settings(**fixed | options, **rates, discriminator_steps=k, instance_noise=noise, r1_gamma=r1)
    return Choices(settings, averaged, seed, (loss, k, lg, ld, noise, r1, averaged, seed))


def from_link(link: dict[str, str], default: tuple[Any, ...]) -> tuple[Any, ...]:
    """The form as a link fills it, unchecked; what the link does not say keeps its default."""
    values = dict(zip(KEYS, default, strict=True))
    for key in ("loss", "lg", "ld"):
        values[key] = link.get(key, values[key])
    for key in ("k", "noise", "r1", "seed"):
        values[key] = inputs.as_number(link[key]) if key in link else values[key]
    if "averaged" in link:
        values["averaged"] = {"1": True, "0": False}.get(link["averaged"], link["averaged"])
    return tuple(values[key] for key in KEYS)


def lay_out(default: tuple[Any, ...], max_r1: float, name: str) -> list[Component]:
    """The form's components.

    Args:
        default: its values at first.
        max_r1: the largest weight of R1.
        name: of the tab, for the elements' ids.

    Returns:
        Loss, k, both rates, noise, R1, averaged and seed.
    """
    loss, k, lg, ld, noise, r1, averaged, seed = default
    losses: Any = [(t(f"loss_{each}"), each) for each in LOSSES]
    picker = gr.Dropdown(losses, value=loss, label=t("game_loss"), elem_id=f"{name}-loss")
    with gr.Row():
        rate_g = gr.Dropdown(list(RATES), value=lg, label=t("game_lg"), min_width=110, elem_id=f"{name}-lg")
        rate_d = gr.Dropdown(list(RATES), value=ld, label=t("game_ld"), min_width=110, elem_id=f"{name}-ld")
    updates = slider(1, MAX_K, k, 1, "game_k", info=t("game_k_info"))
    penalty = slider(0, max_r1, r1, max_r1 / 20, "game_r1", info=t("game_r1_info"))
    blur = slider(0, MAX_NOISE, noise, 0.05, "game_noise", info=t("game_noise_info"))
    with gr.Row():
        average = gr.Checkbox(averaged, label=t("game_averaged"), min_width=110)
        number = gr.Number(seed, precision=0, label=t("game_seed"), min_width=90, elem_id=f"{name}-seed")
    return [picker, updates, rate_g, rate_d, blur, penalty, average, number]


FIGURE = '<figure class="drawing"><canvas role="img" aria-label="{{label}}"></canvas><figcaption>{{label}}</figcaption></figure>'


def canvas(kind: str, label_key: str) -> gr.HTML:
    """A drawing that the browser makes (ganHubPlane, in the tab "plane"): "field" or "curves", with a line below it."""
    draw = f"ganHubPlane.{kind}(element, props, watch);"
    return gr.HTML({}, label=t(label_key), html_template=FIGURE, js_on_load=draw, min_width=280)


def requested(handler: Callable[..., Any]) -> Callable[..., Any]:
    """A handler of the whole form, whose request Gradio finds by its annotation, before the first *argument."""

    def called(request: gr.Request, *form: Any) -> Any:
        return handler(*form, request=request)

    return called


def requested_stream(handler: Callable[..., Iterator[Any]]) -> Callable[..., Any]:
    """As `requested`, for a generator."""

    def called(request: gr.Request, *form: Any) -> Iterator[Any]:
        yield from handler(*form, request=request)

    return called


def opening(handler: Callable[..., Any]) -> Callable[..., Any]:
    """A handler of the whole form as that of a tab's opening, which gets the request as its last argument."""

    def called(*arguments: Any) -> Any:
        return handler(*arguments[:-1], request=arguments[-1])

    return called


def figures(cells: dict[str, str], watched: WatchedGame, request: gr.Request | None) -> str:
    """A few numbers of a game as HTML, and what its monitors say.

    Args:
        cells: key of the words below a number → the number.
        watched: the game.
        request: has the visitor's language.

    Returns:
        HTML.
    """
    numbers = "".join(
        f'<div class="datum"><b data-figure="{key}">{html.escape(value)}</b><span>{translate(request, key)}</span></div>'
        for key, value in cells.items()
    )
    newest, report = watched.newest_alarm, translate(request, "monitors_quiet")
    if newest is not None:
        report = translate(request, "monitors_say", step=newest[0], sentence=alarm(newest[1], request))
    return f'<div class="data-row">{numbers}</div><p class="monitors">{html.escape(report)}</p>'


def alarm(cause: str, request: gr.Request | None) -> str:
    """What the monitors say, and the remedy, in the words of the form."""
    return translate(request, "live_" + cause.replace("imbalance, ", "").replace(" ", "_"))
