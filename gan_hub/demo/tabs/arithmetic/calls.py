"""The calls by name of the tab "Arithmetic", for programs."""

from collections.abc import Callable
from typing import Any, TypedDict

import gradio as gr

from gan_hub.demo.calls import File, as_file
from gan_hub.demo.inputs import OWN
from gan_hub.demo.tabs.arithmetic import handlers as arithmetic
from gan_hub.demo.tabs.arithmetic.links import FIRST_LAYERS, PAPERS_RADIUS


class Sum(TypedDict):
    """The picture of A − B + C, and the 3 × 3 grid with it in the middle, as PNG files."""

    result: File
    neighbours: File


class Mixed(TypedDict):
    """Pictures of A in the styles of B as one PNG."""

    table: File


def arithmetic_call(
    model: str,
    a: str,
    b: str,
    c: str,
    exemplar_label: str = OWN,
    label: str = OWN,
    radius: float = PAPERS_RADIUS,
    request: gr.Request | None = None,
) -> Sum:
    """Calculate mean(A) − mean(B) + mean(C) in latent space and draw the result among eight neighbours.

    Args:
        model: a model of this page
        a: seeds of group A, for example "0-2"
        b: seeds of group B
        c: seeds of group C
        exemplar_label: the class the exemplars are drawn in, or "own" for each seed's own
        label: the class of the result, or "own" for that of the first exemplar of A
        radius: how far each coordinate of the neighbours is moved at most, from 0 to 3
        request: has the visitor's language

    Returns:
        the result, and the 3 × 3 grid with the result in its middle

    Raises:
        BadInputError: a group is empty
    """
    _, result, neighbours = arithmetic.calculate(model, a, b, c, exemplar_label, label, radius, request)
    return {"result": as_file(str(result)), "neighbours": as_file(str(neighbours))}


def mix_styles_call(
    model: str,
    a: str,
    b: str,
    layers: str = FIRST_LAYERS,
    exemplar_label: str = OWN,
    request: gr.Request | None = None,
) -> Mixed:
    """Draw each picture of A with some layers' styles from each picture of B, for models that have styles.

    Args:
        model: a style-based model of this page
        a: seeds of the pictures that keep the other layers, for example "0-2"; the first six are drawn
        b: seeds of the pictures that give their styles
        layers: which, of "coarse", "middle" and "fine", for example "middle,fine"
        exemplar_label: the class of the pictures, or "own" for each seed's own
        request: has the visitor's language

    Returns:
        a table with B along the top and A down the side

    Raises:
        BadInputError: the model has no styles, or a group is empty
    """
    _, table = arithmetic.mix(model, a, b, layers, exemplar_label, request)
    return {"table": as_file(table)}


CALLS: dict[str, Callable[..., Any]] = {"arithmetic": arithmetic_call, "mix_styles": mix_styles_call}
