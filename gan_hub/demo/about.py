"""About a model: its licence, its data and what it must not be used for come first; its whole card follows."""

import re
from pathlib import Path

import gradio as gr

from gan_hub.demo import models, sanitize
from gan_hub.demo.texts import translate
from gan_hub.hub.cards import NOT_FOR

OLDER_WORDS = re.compile(r"could harm [a-z]+\.")  # of the usual text, in cards that were written before it was changed
HUB_PAGE = "https://huggingface.co/{name}"


def about_html(name: str, request: gr.Request | None = None) -> str:
    """What a visitor has to know about a model.

    Args:
        name: the model on this page.
        request: has the visitor's language.

    Returns:
        HTML. The card is untrusted: it is shown without pictures and HTML of its own, see `sanitize`.

    Raises:
        BadInputError: no such model is offered.
    """
    pipe = models.load(name)
    card = sanitize.card_parts(Path(pipe.name_or_path))
    if card is None:
        return f"<p>{translate(request, 'no_card')}</p>"
    parts = [_line(request, "licence_of_weights", sanitize.escape(card.licence))] if card.licence else []
    for heading, text in card.first:
        if OLDER_WORDS.sub("could do harm.", text) == NOT_FOR:  # known in every language of the page
            heading, text = translate(request, "not_for_heading"), translate(request, "not_for")
        parts.append(sanitize.render_markdown(f"## {heading}\n\n{text}"))
    if not card.first:
        parts.append(f"<p>{translate(request, 'no_limits')}</p>")
    summary = translate(request, "whole_card")
    parts.append(f"<details><summary>{summary}</summary>\n{sanitize.render_markdown(card.whole)}</details>")
    repository = models.hub_name(name)
    if repository is not None:
        address = HUB_PAGE.format(name=sanitize.attribute(repository))
        parts.append(f'<p><a href="{address}" target="_blank" rel="{sanitize.LINK_REL}">{address}</a></p>')
    return f'<div class="about">{"".join(parts)}</div>'


def _line(request: gr.Request | None, key: str, value: str) -> str:
    return f"<p>{translate(request, key)} <strong>{value}</strong></p>"
