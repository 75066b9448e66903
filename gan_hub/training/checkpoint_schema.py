"""The schema of a checkpoint's state.json, and the check that names the file and the field where it does not fit."""

import math
import types
import typing
from pathlib import Path
from typing import Any, NotRequired, TypedDict

from gan_hub.messages import short_repr
from gan_hub.model_folder.strict import LoadError
from gan_hub.training.config import TrainConfig
from gan_hub.training.recipes import with_current_names
from gan_hub.training.sections import FIELDS

LARGEST = 2**63 - 1


class ReportState(TypedDict):
    """A `metrics.Report`."""

    subject: str
    scores: dict[str, float]
    intervals: dict[str, tuple[float, float]]
    scales: dict[str, float]
    provenance: dict[str, object]


class BestState(TypedDict):
    """A `best_checkpoint.Best`; its weights are tensors."""

    images: int
    name: str
    score: float
    report: ReportState


class BestSoFarState(TypedDict):
    """A `best_checkpoint.BestSoFar`: images at the last score, and the best one."""

    scored: int
    best: BestState | None


# A `monitors.Monitors`. No class: the key "memorised" has been in files since 0.1.0, and is no name of today.
MonitorsState = TypedDict(  # noqa: UP013
    "MonitorsState",
    {
        "images_seen": int,
        "count": int,
        "pending": dict[str, tuple[float, float]],
        "pending_steps": int,
        "looks": list[dict[str, float]],
        "first": dict[str, float],
        "usual": dict[str, float],
        "memorised": list[float],
        "raised": dict[str, int],
        "absent": dict[str, int],
    },
)


class Watched(TypedDict):
    """State of log, monitors and scores."""

    monitors: MonitorsState
    line: dict[str, tuple[float, float]]
    changed: dict[str, float]
    latest: dict[str, float]
    score_due: bool
    best: BestSoFarState


class Elapsed(TypedDict):
    """Of the whole run: wall-clock and CPU time."""

    seconds: float
    cpu_seconds: float


class State(TypedDict):
    """The whole file. Numbers are finite; whole ones count something, so that none is negative."""

    step: int
    config: dict[str, object]
    data: str
    processes: int
    elapsed: Elapsed
    watched: Watched
    tensors: dict[str, list[str]]
    controls: dict[str, float]
    scaler_generator: dict[str, float]
    scaler_discriminator: NotRequired[dict[str, float]]  # of a game of two
    hardware: NotRequired[str]  # younger than the rest
    callbacks: NotRequired[dict[str, dict[str, object]]]  # states of those that were passed to `train`


def check_state(path: Path, state: dict) -> TrainConfig:
    """The configuration in the state of the checkpoint in folder `path`; raises LoadError for anything not declared here.

    Its step is the one in the folder's name, and one that a run of that configuration gets to.
    """
    sentence = validate(state, State)
    if sentence:
        raise LoadError(f"{path}/state.json: {sentence}")
    options = with_current_names(state["config"])
    unknown = sorted(options.keys() - FIELDS.keys())
    if unknown:
        raise LoadError(
            f"{path}/state.json: config has the option {short_repr(unknown[0])}, which this release does not know."
        )
    try:
        config = TrainConfig(**options)
    except ValueError as error:
        raise LoadError(f"{path}/state.json: config: {str(error)[:300]}") from error
    step, last = state["step"], config.total_steps
    if path.name != f"step-{step:09d}":
        raise LoadError(f"{path}/state.json: step is {step}, but the folder is that of another step.")
    if not 1 <= step <= last:
        raise LoadError(f"{path}/state.json: step is {step}, but its run has steps 1 to {last} only.")
    if state["processes"] < 1:
        raise LoadError(f"{path}/state.json: processes is 0; at least one wrote it.")
    return config


def validate(value: Any, kind: Any, name: str = "") -> str | None:
    """Check a JSON value against a type.

    Args:
        value: as JSON has it: dicts, lists, text, numbers, true, false, null.
        kind: a TypedDict, list[…], dict[str, …], tuple of equal types, `… | None`, or a plain type.
        name: the dotted path of the value, for the message.

    Returns:
        a sentence on the first thing that does not fit; None where all does.
    """
    if kind is object:
        return None
    if typing.is_typeddict(kind):
        return _not_this(value, dict, name) or _problem_of_fields(value, kind, name)
    origin, arguments = typing.get_origin(kind), typing.get_args(kind)
    if origin is types.UnionType:
        return None if value is None else validate(value, arguments[0], name)
    if origin is tuple:
        length = f"{name!r} is {short_repr(value)} in its state; it is a list of {len(arguments)} numbers."
        wrong = _not_this(value, list, name) or (length if len(value) != len(arguments) else None)
        return wrong or _first(validate(item, arguments[0], name) for item in value)
    if origin is list:
        return _not_this(value, list, name) or _first(validate(item, arguments[0], name) for item in value)
    if origin is dict:
        named = (
            ((f"{name}.{short_repr(key)[1:-1]}", item) for key, item in value.items()) if type(value) is dict else ()
        )
        return _not_this(value, dict, name) or _first(validate(item, arguments[1], where) for where, item in named)
    return _not_this(value, kind, name)


def _problem_of_fields(value: dict, kind: Any, name: str) -> str | None:
    """`validate` of an object with declared fields; others are allowed, as a newer release may have more."""
    for key, wanted in typing.get_type_hints(kind).items():
        where = f"{name}.{key}" if name else key
        if key in value:
            sentence = validate(value[key], wanted, where)
            if sentence:
                return sentence
        elif key in kind.__required_keys__:
            return f"{where!r} is missing from its state."
    return None


def _not_this(value: object, kind: type, name: str) -> str | None:
    """A sentence where a value is not of `kind`: dict, list, str, bool, int (a count) or float (finite)."""
    if kind is float:
        fits = (type(value) is float and math.isfinite(value)) or (type(value) is int and abs(value) <= LARGEST)
    elif kind is int:
        fits = type(value) is int and 0 <= value <= LARGEST
    else:
        fits = type(value) is kind
    wanted = {
        dict: "an object",
        list: "a list",
        str: "a text",
        bool: "true or false",
        int: "a count",
        float: "a number",
    }
    return None if fits else f"{name or 'it'!r} is {short_repr(value)} in its state; it is {wanted[kind]}."


def _first(sentences: typing.Iterable[str | None]) -> str | None:
    return next((sentence for sentence in sentences if sentence), None)
