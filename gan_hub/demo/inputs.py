"""Validation of everything a visitor can send. What is not allowed is answered with one sentence, and nothing changes.

Gradio lets NaN, None, fractions, lists, switches and over-long texts through to the handlers, so each handler checks.
"""

import contextlib
import functools
import html
import math
import sys
import traceback
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import ParamSpec, TypeVar

import gradio as gr

from gan_hub.demo.texts import translate
from gan_hub.model_folder.strict import LoadError
from gan_hub.seeds import WrongCountError, parse_seeds

OWN = "own"  # the class choice that leaves the class to the seed
NONE = "none"  # the choice of no concept
MAX_TEXT_LENGTH = 1000  # characters; 64 seeds of ten digits with commas need 768

Params = ParamSpec("Params")
Answer = TypeVar("Answer")


class BadInputError(ValueError):
    """Something a visitor sent is not allowed: the key of a text, and the values that go into it.

    `element`, where it is known, is the id of the part of the form that is wrong.
    """

    def __init__(self, key: str, element: str | None = None, **values: object) -> None:
        self.key, self.element, self.values = key, element, values
        super().__init__(translate(None, key, **values))


@contextlib.contextmanager
def of(element: str) -> Iterator[None]:
    """Whatever is found wrong inside stands in the part of the form with this id."""
    try:
        yield
    except BadInputError as error:
        error.element = error.element or element
        raise


def visitor(arguments: Iterable[object]) -> gr.Request | None:
    """The request among a handler's arguments: it has the visitor's language."""
    return next((argument for argument in arguments if isinstance(argument, gr.Request)), None)


def failure(error: Exception, request: gr.Request | None) -> str:
    """Any failure of a handler as one plain sentence in the visitor's language; what only the owner may see is printed."""
    if isinstance(error, BadInputError):
        return translate(request, error.key, **error.values)
    if isinstance(error, LoadError):  # its message has paths of files, which stay in the server's log
        print(error, file=sys.stderr)
        return translate(request, "damaged")
    if isinstance(error, ValueError):  # of the pipeline: its messages are single sentences already
        return str(error)
    traceback.print_exception(error)
    return translate(request, "broken")


def with_error_toast(handler: Callable[Params, Answer]) -> Callable[Params, Answer]:
    """A handler of a call by name, with every failure turned into gr.Error: no traceback, no empty message."""

    @functools.wraps(handler)
    def answer(*args: Params.args, **kwargs: Params.kwargs) -> Answer:
        try:
            return handler(*args, **kwargs)
        except Exception as error:
            request = visitor([*args, *kwargs.values()])
            raise _toast(request, failure(error, request)) from None

    return answer


def error_toast(request: gr.Request | None, key: str, **values: object) -> gr.Error:
    """The text `key` as the error that Gradio shows to the visitor."""
    return _toast(request, translate(request, key, **values))


def _toast(request: gr.Request | None, sentence: str) -> gr.Error:
    # A toast shows HTML, and the sentence may quote a class name of an untrusted model.
    return gr.Error(html.escape(sentence), title=translate(request, "check"), print_exception=False)


def text(value: object) -> str:
    """A text of at most MAX_TEXT_LENGTH characters, stripped; None counts as the empty text."""
    if value is None:
        return ""
    if not isinstance(value, str):
        raise BadInputError("bad_seeds")
    if len(value) > MAX_TEXT_LENGTH:
        raise BadInputError("bad_long", most=MAX_TEXT_LENGTH)
    return value.strip()


def seeds(value: object, least: int = 1, most: int = 64) -> list[int]:
    """The text "0-3, 14 15" → [0, 1, 2, 3, 14, 15].

    Args:
        value: what was sent.
        least, most: how many seeds are allowed; they are counted before ranges are expanded.

    Returns:
        The seeds in their order, each 0 … 2³² − 1.

    Raises:
        BadInputError: it is no list of seeds, or has too few or too many.
    """
    written = text(value)
    try:
        return parse_seeds(written, least, most)
    except WrongCountError as error:
        raise BadInputError("bad_count", count=error.count, least=least, most=most) from None
    except ValueError:
        raise BadInputError("bad_seeds") from None


def number(value: object, least: float, most: float, name: str) -> float:
    """A finite number; switches (True is 1 in Python) and texts are none.

    Args:
        value: what was sent.
        least, most: the range, both ends included.
        name: what the page calls it.

    Returns:
        The number.

    Raises:
        BadInputError: it is none, or outside the range.
    """
    if isinstance(value, (int, float)) and not isinstance(value, bool) and least <= value <= most:  # no NaN is
        return float(value)
    raise BadInputError("bad_number", name=name, least=least, most=most)


def as_number(value: object) -> float | None:
    """The number that a link's text stands for; None where it is none, which the other checks refuse."""
    try:
        return float(value) if isinstance(value, (str, int, float)) else None
    except ValueError:
        return None


def integer(value: object, least: int, most: int, name: str) -> int:
    """A whole number; 24.0 is one, since JSON makes no difference, 24.5 is not.

    Args:
        value: what was sent.
        least, most: the range, both ends included.
        name: what the page calls it.

    Returns:
        The number.

    Raises:
        BadInputError: it is none, or outside the range.
    """
    if isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value):
        if value == int(value) and least <= value <= most:
            return int(value)
    raise BadInputError("bad_whole", name=name, least=least, most=most)


def class_name(value: object, label_names: Sequence[str] | None) -> str | None:
    """The name of a class, or None for "the seed's own" and for models that have no classes."""
    if value is None or value == OWN or value == "":
        return None
    if not isinstance(value, str) or value not in (label_names or ()):
        raise BadInputError("bad_label", allowed=", ".join((label_names or [])[:20]) or "–")
    return value


def concept(value: object, names: Sequence[str]) -> str | None:
    """The name of a concept, or None for none of them."""
    if value is None or value == NONE or value == "":
        return None
    if not isinstance(value, str) or value not in names:
        raise BadInputError("bad_concept", allowed=", ".join(names) or "–")
    return value


def choice(value: object, allowed: Sequence[str], name: str) -> str:
    """One of a few texts.

    Args:
        value: what was sent.
        allowed: the texts.
        name: what the page calls the choice.

    Returns:
        The text.

    Raises:
        BadInputError: it is none of them.
    """
    if not isinstance(value, str) or value not in allowed:
        raise BadInputError("bad_choice", name=name, allowed=", ".join(allowed))
    return value


def boolean(value: object, name: str) -> bool:
    """A tick box: True or False, not "no", which Python takes for true."""
    if not isinstance(value, bool):
        raise BadInputError("bad_switch", name=name)
    return value


def position(value: object, count: int) -> int:
    """The index of a clicked picture among `count`."""
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value < count:
        raise BadInputError("bad_position")
    return value
