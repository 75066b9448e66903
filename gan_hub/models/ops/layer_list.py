"""Declared lists of layers: which kinds there are, what each may say, and how the shape of an image goes through them.

A list is plain data, as a config holds it: `[{"kind": "linear", "out": 128}, {"kind": "relu"}, …]`. Nothing in it is
evaluated; all numbers are bounded, and the sizes that follow from them, before any tensor is made.

Shapes are those of one image: (F,) numbers, or (F, H, W) feature maps.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from torch import nn

from gan_hub.messages import short_repr

Shape = tuple[int, ...]
MAX_LAYERS = 200
MAX_FEATURES, MAX_SIDE = 8192, 1024
MAX_NUMBERS = 2**26  # of one layer's output for one image
MAX_WEIGHTS = 2**29  # of one layer
MAX_RESHAPED = 2**24


@dataclass(frozen=True)
class Number:
    """A number from `low` to `high`, whole or not."""

    low: float
    high: float

    def allows(self, value: object) -> bool:
        """Whether the rule allows a value."""
        return type(value) in (int, float) and self.low <= value <= self.high  # pyright: ignore[reportOperatorIssue]

    def __str__(self) -> str:
        return f"a number from {self.low:g} to {self.high:g}"


@dataclass(frozen=True)
class Whole(Number):
    """A whole number from `low` to `high`."""

    def allows(self, value: object) -> bool:
        """Whether the rule allows a value."""
        return type(value) is int and self.low <= value <= self.high

    def __str__(self) -> str:
        return f"a whole number from {self.low:g} to {self.high:g}"


class OneOf:
    """One of the listed values, of exactly their type."""

    def __init__(self, *values: bool | str) -> None:
        self.values = values

    def allows(self, value: object) -> bool:
        """Whether the rule allows a value."""
        return any(type(value) is type(each) and value == each for each in self.values)

    def __str__(self) -> str:
        return "one of " + ", ".join(map(repr, self.values))


class Sizes:
    """A list of three whole numbers: feature maps, height, width."""

    def allows(self, value: object) -> bool:
        """Whether the rule allows a value."""
        if type(value) is not list or len(value) != 3:
            return False
        return all(
            Whole(1, high).allows(each) for each, high in zip(value, (MAX_FEATURES, MAX_SIDE, MAX_SIDE), strict=True)
        )

    def __str__(self) -> str:
        return f"a list [features, height, width], up to [{MAX_FEATURES}, {MAX_SIDE}, {MAX_SIDE}]"


LayerRule = Number | OneOf | Sizes


class Kind(NamedTuple):
    """A kind of layer.

    Example:
        >>> from gan_hub.models.ops.layer_list import KINDS
        >>> KINDS["relu"].shape({}, (8,))
        (8,)
    """

    rules: Mapping[str, LayerRule]  # of what it says
    defaults: dict[str, Any]  # of what it may leave out
    shape: Callable[[dict[str, Any], Shape], Shape]  # (what it says, shape before) → shape after; ValueError for others
    module: Callable[[dict[str, Any], Shape], nn.Module]  # (what it says, shape before) → the layer


# ------------------------------------------------------------------------------------------------ shapes


def _maps(before: Shape) -> Shape:
    if len(before) != 3:
        raise ValueError(f"it takes feature maps, but gets {before[0]} numbers; a reshape goes before it")
    return before


def _numbers(says: dict[str, Any], before: Shape) -> Shape:
    if len(before) != 1:
        raise ValueError("it takes numbers, but gets feature maps; a flatten goes before it")
    return (says["out"],)


def _side(length: int) -> int:
    if not 1 <= length <= MAX_SIDE:
        raise ValueError(f"it leaves a side of {length}; allowed: 1 to {MAX_SIDE}")
    return length


def _convolved(says: dict[str, Any], before: Shape) -> Shape:
    kernel, stride, padding = says["kernel"], says["stride"], says["padding"]
    if min(_maps(before)[1:]) + 2 * padding < kernel:
        raise ValueError(f"its kernel of {kernel} is larger than the side of {min(before[1:])} and its padding")
    return (says["out"], *(_side((side + 2 * padding - kernel) // stride + 1) for side in before[1:]))


def _transposed(says: dict[str, Any], before: Shape) -> Shape:
    kernel, stride, padding, more = (says[name] for name in ("kernel", "stride", "padding", "output_padding"))
    if more >= stride:
        raise ValueError(f"its output_padding of {more} is not smaller than its stride of {stride}")
    return (says["out"], *(_side((side - 1) * stride - 2 * padding + kernel + more) for side in _maps(before)[1:]))


def _resized(says: dict[str, Any], before: Shape) -> Shape:
    return (before[0], *(_side(side * says["factor"]) for side in _maps(before)[1:]))


def _reshaped(says: dict[str, Any], before: Shape) -> Shape:
    after = tuple(says["to"])
    if math.prod(after) != math.prod(before):
        raise ValueError(f"it makes {list(after)} of {list(before)}, which are not as many numbers")
    return after


def _same(says: dict[str, Any], before: Shape) -> Shape:
    return before


# ------------------------------------------------------------------------------------------------ modules


def _norm(says: dict[str, Any], before: Shape) -> nn.Module:
    kind = nn.BatchNorm2d if len(before) == 3 else nn.BatchNorm1d
    return kind(before[0], eps=says["eps"])


def _convolution(kind: type[nn.Conv2d] | type[nn.ConvTranspose2d]) -> Callable[[dict[str, Any], Shape], nn.Module]:
    def module(says: dict[str, Any], before: Shape) -> nn.Module:
        options = {name: says[name] for name in ("stride", "padding", "bias")}
        if kind is nn.ConvTranspose2d:
            options["output_padding"] = says["output_padding"]
        return kind(before[0], says["out"], says["kernel"], **options)

    return module


def _activation(make: Callable[..., nn.Module], **rules: LayerRule) -> Kind:
    return Kind(rules, {}, _same, lambda says, _: make(*says.values()))


SLOPE, EPS, SWITCH = Number(0, 1), Number(1e-9, 1), OneOf(False, True)
FEATURES, KERNEL, STRIDE, PADDING = Whole(1, MAX_FEATURES), Whole(1, 64), Whole(1, 8), Whole(0, 32)
CONVOLUTION = {"out": FEATURES, "kernel": KERNEL, "stride": STRIDE, "padding": PADDING, "bias": SWITCH}
KINDS = {
    "linear": Kind(
        {"out": Whole(1, MAX_RESHAPED), "bias": SWITCH},
        {"bias": True},
        _numbers,
        lambda says, before: nn.Linear(before[0], says["out"], bias=says["bias"]),
    ),
    "conv": Kind(CONVOLUTION, {"stride": 1, "padding": 0, "bias": True}, _convolved, _convolution(nn.Conv2d)),
    "conv_transpose": Kind(
        CONVOLUTION | {"output_padding": Whole(0, 7)},
        {"stride": 1, "padding": 0, "output_padding": 0, "bias": True},
        _transposed,
        _convolution(nn.ConvTranspose2d),
    ),
    "batch_norm": Kind({"eps": EPS}, {"eps": 1e-5}, _same, _norm),
    "instance_norm": Kind(
        {"eps": EPS, "affine": SWITCH},
        {"eps": 1e-5, "affine": False},
        lambda says, before: _maps(before),
        lambda says, before: nn.InstanceNorm2d(before[0], eps=says["eps"], affine=says["affine"]),
    ),
    "relu": _activation(nn.ReLU),
    "leaky_relu": _activation(nn.LeakyReLU, slope=SLOPE),
    "elu": _activation(nn.ELU),
    "selu": _activation(nn.SELU),
    "gelu": _activation(nn.GELU),
    "silu": _activation(nn.SiLU),
    "tanh": _activation(nn.Tanh),
    "sigmoid": _activation(nn.Sigmoid),
    "upsample": Kind(
        {"factor": Whole(2, 8), "mode": OneOf("nearest", "bilinear")},
        {"mode": "nearest"},
        _resized,
        lambda says, _: nn.Upsample(scale_factor=says["factor"], mode=says["mode"]),
    ),
    "reshape": Kind({"to": Sizes()}, {}, _reshaped, lambda says, _: nn.Unflatten(1, tuple(says["to"]))),
    "flatten": Kind({}, {}, lambda _, before: (math.prod(before),), lambda _, before: nn.Flatten()),
}


# ------------------------------------------------------------------------------------------------ lists


class LayerList:
    """The rule of a config for a list of layers: known kinds, known words, bounded numbers."""

    def allows(self, value: object) -> bool:
        """Whether the rule allows a value."""
        return fault_of_words(value) is None

    def __str__(self) -> str:
        return f"a list of up to {MAX_LAYERS} layers, each of a kind ({', '.join(KINDS)}) and with what belongs to it"


def fault_of_words(layers: object) -> str | None:
    """What is wrong with a list, apart from its shapes, as a sentence without a full stop; None for nothing."""
    if type(layers) is not list or not 1 <= len(layers) <= MAX_LAYERS:
        return f"layers are a list of 1 to {MAX_LAYERS}"
    for number, layer in enumerate(layers):
        if not isinstance(layer, dict) or layer.get("kind") not in tuple(KINDS):
            return f"layer {number} is {short_repr(layer)}; allowed: a kind of {', '.join(KINDS)}"
        kind = KINDS[layer["kind"]]
        for name, value in layer.items():
            if name != "kind" and name not in kind.rules:
                return f"layer {number} ({layer['kind']}) says {short_repr(name)}; allowed: {', '.join(kind.rules) or 'nothing'}"
            if name != "kind" and not kind.rules[name].allows(value):
                return f"layer {number} ({layer['kind']}) has {name} {short_repr(value)}; allowed: {kind.rules[name]}"
        missing = [name for name in kind.rules if name not in layer and name not in kind.defaults]
        if missing:
            return f"layer {number} ({layer['kind']}) does not say {missing[0]}; it is {kind.rules[missing[0]]}"
    return None


def complete(layer: dict[str, Any]) -> dict[str, Any]:
    """What a layer says and what it leaves out, without its kind, in the order of its kind."""
    kind = KINDS[layer["kind"]]
    return {name: layer.get(name, kind.defaults.get(name)) for name in kind.rules}


def shapes_of(layers: Sequence[dict[str, Any]], latent_size: int) -> list[Shape]:
    """The shape before each layer, and that after the last.

    Args:
        layers: A list without a `fault_of_words`.
        latent_size: Z.

    Returns:
        One shape more than there are layers, the first of which is (Z,).

    Raises:
        ValueError: for layers that do not take what the one before gives, and for sizes that are too large.
    """
    shapes: list[Shape] = [(latent_size,)]
    for number, layer in enumerate(layers):
        says, before = complete(layer), shapes[-1]
        try:
            after = KINDS[layer["kind"]].shape(says, before)
            weights = before[0] * says["out"] * says.get("kernel", 1) ** 2 if "out" in says else 0
            if math.prod(after) > MAX_NUMBERS or weights > MAX_WEIGHTS:
                raise ValueError(
                    f"it makes {math.prod(after):,} numbers by {weights:,} weights; allowed: {MAX_NUMBERS:,} and {MAX_WEIGHTS:,}"
                )
        except ValueError as error:
            raise ValueError(f"layer {number} ({layer['kind']}): {error}.") from None
        shapes.append(after)
    return shapes
