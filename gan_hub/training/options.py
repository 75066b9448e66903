"""What an option of a run is: a field of TrainConfig that says itself what it is for, what it may be and what it is about."""

import dataclasses
import typing
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Group:
    """Options that `--help` shows together. What they are about, where `about` is None, each of them must say itself."""

    title: str
    about: str | None = "run"


def option(
    group: Group, default, help: str, *, choices=None, low=None, high=None, about=None, of="", free=False, may_change=False,
    chooses=False, needs_two=False, stretch=False,
):  # fmt: skip
    """A field with its reason or unit, the values allowed, and the smallest and largest one allowed.

    `about`: "run", what is trained and how; "data", what the recipe says or has of its own images, and "model", of the
    model it made of them: neither is repeated by a run on other images. By default that of the group; a function of
    the value where it depends on that. `of`: another option, of whose value it speaks, and with which it goes.
    `free`: it changes no weight, so that a run's continuation may have another value; `may_change`: a continuation may
    have another value as well, which changes the weights from there on. `chooses`: it is free and yet decides, by the
    scores, which weights become the model. `needs_two`: it means nothing without a discriminator. `stretch`: a part of
    the run's length, which shrinks with it.
    """
    if about is None and group.about is None:
        raise TypeError(f"an option of the group {group.title!r} says what it is about.")
    value = {"default_factory": dict} if default == {} else {"default": default}
    metadata = {
        "group": group, "help": help, "choices": choices, "low": low, "high": high, "about": about or group.about, "of": of,
        "free": free, "may_change": may_change, "chooses": chooses, "needs_two": needs_two, "stretch": stretch,
    }  # fmt: skip
    return field(**value, metadata=metadata)


def types_of(wanted) -> tuple[type, ...]:
    """The types an option's annotation allows."""
    return typing.get_args(wanted) or (wanted,)


def type_name(wanted) -> str:
    """Them in words: int or list."""
    return " or ".join(kind.__name__ for kind in types_of(wanted))


def default_of(spec: dataclasses.Field) -> object:
    return spec.default if spec.default is not dataclasses.MISSING else spec.default_factory()
