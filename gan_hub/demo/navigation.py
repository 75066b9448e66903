"""The way through the page on the server's side: what an address shows, and what a tab says that a model cannot be used in."""

import html
import json
from urllib.parse import parse_qsl

import gradio as gr

from gan_hub.demo import inputs, models, picker, showcase
from gan_hub.demo.events import note_html
from gan_hub.demo.tab import Tab
from gan_hub.demo.tabs import LEVELS, TABS
from gan_hub.demo.texts import translate

MAX_ADDRESS_LENGTH = 4000  # characters that are read of an address
MAX_OFFERS = 6  # models that a tab offers in place of one that it does not work with

FORM_LENGTHS = {name: len(tab.link_keys) for name, tab in TABS.items()}


def level_of(tab: Tab) -> str:
    """The level on which a tab stands."""
    return next(level for level, tabs in LEVELS.items() if tab in tabs)


def read(address: str, request: gr.Request | None = None) -> list[object]:
    """What an address shows.

    Args:
        address: its parameters, "?tab=sample&model=...&seeds=0-15".
        request: has the visitor's language.

    Returns:
        The place as JSON for the browser; the level and, for each level, the tab to open; the model; for each tab, in their
        order, the values of its form; and a note, which says what is wrong with the address: such a part is left at its default.
    """
    values = {key: value for key, value in parse_qsl(str(address).lstrip("?")[:MAX_ADDRESS_LENGTH]) if value}
    tab = TABS.get(values.get("tab", ""), next(iter(TABS.values())))
    model = values["model"] if models.is_known(values.get("model")) else models.default_model()
    form, note = _fill(tab, model or "", {}, request), ""
    try:
        models.load(values.get("model", model))
        keys = (*tab.link_keys, *tab.old_link_keys)
        form = tab.fill(model or "", {key: values[key] for key in keys if key in values}, request)
    except Exception as error:
        note = note_html(inputs.failure(error, request), True)
    level = level_of(tab)
    opened = [gr.update(selected=tab.name) if name == level else gr.skip() for name in LEVELS]
    forms = [form if name == tab.name else [gr.skip()] * count for name, count in FORM_LENGTHS.items()]
    place = json.dumps({"level": level, "tab": tab.name})
    chosen = picker.choice(model) if model else model
    return [place, gr.update(selected=level), *opened, chosen, *(value for part in forms for value in part), note]


def _fill(tab: Tab, model: str, values: dict[str, str], request: gr.Request | None) -> list[object]:
    """A tab's form by its defaults; unchanged where the model cannot even be loaded."""
    try:
        return list(tab.fill(model, values, request))
    except Exception:
        return [gr.skip()] * len(tab.link_keys)


def lacks(tab: Tab, model: str, request: gr.Request | None = None) -> str | None:
    """What a tab says that does not work with a model.

    Args:
        tab: the tab.
        model: the chosen model.
        request: has the visitor's language.

    Returns:
        A sentence as HTML with models to choose instead; None if the tab works.
    """
    if not tab.follows_model or tab.ability(models.load(model)):
        return None
    able = [name for name in showcase.in_order(models.offered_models()) if name != model and _is_able(tab, name)]
    buttons = "".join(
        f'<button type="button" data-pick-model="{html.escape(name, quote=True)}">'
        f"{html.escape(showcase.model_title(name, request))}</button>"
        for name in able[:MAX_OFFERS]
    )
    sentence = (
        translate(request, f"lacks_{tab.name}") + " " + translate(request, "lacks_offer" if able else "lacks_none")
    )
    return f'<div class="offer"><p>{html.escape(sentence)}</p>{buttons}</div>'


def _is_able(tab: Tab, name: str) -> bool:
    try:
        return tab.ability(models.load(name))
    except ValueError:  # a damaged model is offered nowhere
        return False
