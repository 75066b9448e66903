"""Answers that many visitors ask for: the first pictures of a model are drawn once, not once a visitor.

A visitor who opens the page or changes the model, and leaves the form as it is, asks in each tab what the others ask. The same
seeds give the same pictures, so the answer is the same.
"""

import functools
import time
from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path
from typing import Any, ParamSpec, TypeVar, cast

import gradio as gr

from gan_hub.demo import image_files, models
from gan_hub.demo.texts import language

Params = ParamSpec("Params")
Answer = TypeVar("Answer")

MOST = 64  # answers that are kept, up to some 600 kB each beside their files
LIFETIME = 1200  # seconds; the files of an answer are deleted after an hour, and a visitor shall have them for a while


class Answers:
    """The newest answers, each with the time when it was made."""

    def __init__(self) -> None:
        self.kept: OrderedDict[tuple, tuple[float, Any]] = OrderedDict()

    def find(self, key: tuple) -> Any:
        """A copy of the answer, or None where there is none, it is too old, or one of its files is gone."""
        made, answer = self.kept.get(key, (0.0, None))
        if answer is None or time.monotonic() - made > LIFETIME or not all(map(Path.is_file, _files(answer))):
            self.kept.pop(key, None)
            return None
        return _copied(answer)

    def keep(self, key: tuple, answer: Any) -> None:
        """Keep a copy of an answer in place of the oldest."""
        self.kept[key] = time.monotonic(), _copied(answer)
        while len(self.kept) > MOST:
            self.kept.popitem(last=False)


ANSWERS = Answers()


def remembered(handler: Callable[Params, Answer]) -> Callable[Params, Answer]:
    """A handler whose answers are kept by what was asked, of which model, and in which language.

    Args:
        handler: called with a model's name first; the same arguments must give the same answer, which names files by their
            whole path. With an argument that is no text, number or truth value it answers anew.

    Returns:
        The handler, to be called in its place.
    """

    @functools.wraps(handler)
    def answer(*args: Params.args, **kwargs: Params.kwargs) -> Answer:
        values = [*args, *kwargs.values()]
        request = next((value for value in values if isinstance(value, gr.Request)), None)
        arguments = [value for value in values if value is not request]
        source = models.offered_models().get(arguments[0]) if arguments and isinstance(arguments[0], str) else None
        if source is None or not all(isinstance(value, (str, int, float, type(None))) for value in arguments):
            return handler(*args, **kwargs)
        # 1, 1.0 and True are equal, and a handler may tell them apart.
        key = (handler, source, language(request), tuple(kwargs), *((type(value), value) for value in arguments))
        known = ANSWERS.find(key)
        if known is not None:
            return cast(Answer, known)
        made = handler(*args, **kwargs)
        ANSWERS.keep(key, made)
        return made

    return answer


def _copied(answer: Any) -> Any:
    """The answer with lists and dictionaries of its own; what is in them is never changed."""
    if isinstance(answer, dict):
        return {key: _copied(value) for key, value in answer.items()}
    return type(answer)(map(_copied, answer)) if isinstance(answer, (list, tuple)) else answer


def _files(answer: Any) -> list[Path]:
    """The files that an answer names, however deep inside."""
    if isinstance(answer, dict):
        answer = list(answer.values())
    if isinstance(answer, (list, tuple)):
        return [path for part in answer for path in _files(part)]
    return [Path(answer)] if isinstance(answer, str) and answer.startswith(str(image_files.cache_folder())) else []
