"""Values from outside quoted safely in messages, and "did you mean" for mistyped names."""

import difflib
import reprlib
from collections.abc import Iterable

_ABRIDGED = reprlib.Repr()
_ABRIDGED.maxlevel, _ABRIDGED.maxother, _ABRIDGED.maxstring, _ABRIDGED.maxlong = 3, 200, 200, 200
_ABRIDGED.maxlist = _ABRIDGED.maxtuple = _ABRIDGED.maxdict = _ABRIDGED.maxset = 20


def short_repr(value: object, limit: int = 60) -> str:
    """The `repr` of a value from outside, cut to `limit` characters: a hostile one neither floods a message nor takes long."""
    try:
        text = repr(value[: limit + 1]) if isinstance(value, (str, bytes)) else _ABRIDGED.repr(value)
    except ValueError:  # an int of more digits than Python spells
        text = f"a value of type {type(value).__name__}"
    return text if len(text) <= limit else text[:limit] + "…"


def did_you_mean(wrong: str, names: Iterable[str]) -> str:
    """The end of a sentence that refuses a name, "; did you mean NAME?", or "" where no known name is like it."""
    matches = difflib.get_close_matches(wrong, list(names), 1)
    return f"; did you mean {matches[0]}?" if matches else ""
