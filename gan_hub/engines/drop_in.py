"""What takes a generator's place in drawing, and what notices that the generator has changed since.

Shapes: N images, C channels, H × W resolution, Z latent size, L rows of w, W size of w.
"""

import copy
from collections.abc import Callable, Mapping
from typing import Any, cast

import torch
from torch import nn

from gan_hub.engines.record import Engine
from gan_hub.models import GANModel
from gan_hub.models.mixins import StyleBased

Draw = Callable[..., torch.Tensor]


def isolated(network: GANModel) -> GANModel:
    """A copy of a network's modules with the same tensors.

    To capture a module torch puts stand-ins in the place of its tensors for a moment, and another thread may be drawing.
    """
    tensors = [*network.parameters(), *network.buffers()]
    return copy.deepcopy(network, {id(tensor): tensor for tensor in tensors})


class UnsupportedError(ValueError):
    """An engine that cannot be had here, in a few words that follow its name."""


class Function(nn.Module):
    """A method of a network as a network of its own, which can be captured."""

    def __init__(self, network: nn.Module, function: Callable[..., torch.Tensor]) -> None:
        super().__init__()
        self.network, self.function = network, function

    def forward(self, *inputs: torch.Tensor) -> torch.Tensor:
        """The result of the method."""
        return self.function(*inputs)


def parts_of(generator: GANModel) -> dict[str, nn.Module]:
    """The functions of a generator in eval mode that an engine computes, by name.

    A style-based one is two, "mapping" and "synthesis", so that w can be truncated, moved and mixed between them; any other is
    one, "forward".

    Raises:
        UnsupportedError: for a style-based one that draws in another way than these two in turn.
    """
    if not isinstance(generator, StyleBased):
        return {"forward": generator}
    cls = type(generator)
    if cls.map is not StyleBased.map or cls.forward is not StyleBased.forward:
        raise UnsupportedError(f"does not know how {cls.__name__} draws, which has a map or forward of its own")
    return {
        "mapping": Function(generator, lambda z, labels=None: generator.mapping(z, labels)),
        "synthesis": Function(generator, generator.synthesize),
    }


class DropIn:
    """A generator's `forward`, and its `map` and `synthesize` where it has them, computed by an engine.

    A style-based generator's truncation stays the generator's own arithmetic: `StyleBased.map` runs on this object.
    """

    def __init__(self, generator: GANModel, functions: Mapping[str, Draw]) -> None:
        self.functions = functions
        self.check_labels = generator.check_labels
        if isinstance(generator, StyleBased):
            self.rows, self.w_avg, self.mapping = generator.rows, generator.w_avg, self._mapped

    def _mapped(self, z: torch.Tensor, labels: torch.Tensor | None) -> torch.Tensor:
        """z (N, Z), labels (N,) or None → w (N, W)."""
        return self.functions["mapping"](*_inputs(z, labels))

    def map(self, z: torch.Tensor, labels: torch.Tensor | None = None, truncation: float = 1.0) -> torch.Tensor:
        """Map z to w, as `StyleBased.map`.

        Args:
            z: latents (N, Z).
            labels: classes (N,), None in a network without.
            truncation: from 1, not at all, to 0, the mean w of training.

        Returns:
            w (N, L, W).
        """
        return StyleBased.map(cast(StyleBased, self), z, labels, truncation)

    def synthesize(self, ws: torch.Tensor) -> torch.Tensor:
        """w (N, L, W) → images (N, C, H, W), not bounded."""
        return self.functions["synthesis"](ws)

    def __call__(self, z: torch.Tensor, labels: torch.Tensor | None = None) -> torch.Tensor:
        """z (N, Z), labels (N,) or a map (N, H, W) or None → images (N, C, H, W) in [-1, 1]."""
        if "forward" in self.functions:
            self.check_labels(labels)
            return self.functions["forward"](*_inputs(z, labels))
        return self.synthesize(self.map(z, labels)).clamp(-1, 1)


def _inputs(z: torch.Tensor, condition: torch.Tensor | None) -> tuple[torch.Tensor, ...]:
    """What a function takes: z, and classes or maps where there are any, as int64, the dtype of the probes."""
    return (z,) if condition is None else (z, condition.long())


class Watch:
    """Notices that a network is not what it was: other tensors, other numbers in them, other layers or hooks, another level.

    Every change in place that torch counts is noticed; one through `.data` or through another library's view of the memory is
    not, nor is a layer's attribute that is no tensor.
    """

    def __init__(self, network: nn.Module) -> None:
        modules = list(network.modules())
        self.network = network
        self.tensors = [(place, name) for one in modules for place in (one._parameters, one._buffers) for name in place]
        self.hooks = [hooks for one in modules for hooks in (one._forward_pre_hooks, one._forward_hooks)]
        self.children = [one._modules for one in modules if one._modules]
        self.seen = self._now()

    def _now(self) -> list[Any]:
        tensors = [place.get(name) for place, name in self.tensors]
        versions = [
            None if one is None else (id(one), one.data_ptr(), 0 if one.is_inference() else one._version)
            for one in tensors
        ]
        children = [[*map(id, one.values())] for one in self.children]
        hooks, patched = [[*hooks] for hooks in self.hooks if hooks], self.network.__dict__.get("forward")
        return [versions, children, hooks, patched, getattr(self.network, "level", None)]

    def is_unchanged(self) -> bool:
        """Whether the network still is what it was when this object was made."""
        return self._now() == self.seen


class Running:
    """An engine at work for one generator; a copy of a pipeline starts without it."""

    def __init__(self, generator: nn.Module, watched: GANModel, network: DropIn, record: Engine) -> None:
        self.generator, self.network, self.record, self.watch = generator, network, record, Watch(watched)

    def serves(self, generator: nn.Module) -> bool:
        """Whether it draws what this generator would: the one that it was made of, unchanged."""
        return generator is self.generator and self.watch.is_unchanged()

    def __reduce__(self) -> tuple[type[None], tuple[()]]:
        return type(None), ()
