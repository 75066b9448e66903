"""What a tab of the page is: a folder of `tabs/` with its handlers, layout, words and style, and one line in `tabs.LEVELS`."""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import gradio as gr
from gradio.components import Component

from gan_hub.pipeline import GANPipeline


@dataclass(frozen=True)
class Shared:
    """What all tabs share."""

    model: Component  # its value is the name of the chosen model
    address: gr.Textbox  # hidden; what is written here, "?model=...&seeds=...", becomes the page's address
    # What the browser keeps for the game. It stands outside of the tabs: inside, it is read only once its tab was opened.
    games: gr.BrowserState


@dataclass(frozen=True)
class Opening:
    """The event that draws a tab: when it is opened first, and when it is open or opened after a change of model."""

    handler: Callable[..., object]
    inputs: Sequence[Component]
    outputs: Sequence[Component]  # the last one is the tab's note, see `events.answering`
    form: Sequence[Component] = ()  # what a link fills in, in the order of the tab's `link_keys`


def any_model(pipe: GANPipeline) -> bool:
    """The ability that every model has."""
    return True


@dataclass(frozen=True)
class Tab:
    """One tab of the page.

    Attributes:
        name: its name in links, and the key of its texts and elements: "tab_" + name is its title.
        build: lays it out, and returns how it is drawn.
        link_keys: the parameters of a link to what it shows, beside `tab` and `model`.
        fill: checks these parameters of a link: (model, {key: text}, request) → one value, or gr.update, for each of the
            `link_keys`. Raises BadInputError.
        ability: whether it works with a model. Where not, the page says so and offers models that have it.
        old_link_keys: parameters of older links that `fill` reads as well.
        follows_model: whether it shows the chosen model, and has to be drawn anew after a change.
        calls: name → what programs can call, see `gan_hub.demo.calls`.
        long_calls: the names of those that wait in the line of long work.
    """

    name: str
    build: Callable[[Shared], Opening]
    link_keys: tuple[str, ...] = ()
    fill: Callable[[str, dict[str, str], gr.Request | None], Sequence[Any]] = field(default=lambda *_: [])
    ability: Callable[[GANPipeline], bool] = any_model
    old_link_keys: tuple[str, ...] = ()
    follows_model: bool = True
    calls: Mapping[str, Callable[..., Any]] = field(default_factory=dict)
    long_calls: Collection[str] = ()
