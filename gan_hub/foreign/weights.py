"""The tensors of a foreign network by name: each is used once, or the converter says what it left."""

import re
from collections.abc import Callable, Mapping
from typing import Any

import torch

from gan_hub.foreign.read import ForeignObject
from gan_hub.messages import short_repr
from gan_hub.model_folder.strict import LoadError

PARTS = ("_parameters", "_buffers")  # of a torch module's state


class Weights:
    """Tensors by name, and which of them were used.

    Example:
        >>> import torch
        >>> from gan_hub.foreign.weights import Weights
        >>> weights = Weights({"fc.weight": torch.zeros(2, 3), "steps": torch.tensor(1)}, "G")
        >>> weights.take("fc.weight").shape, weights.left
        (torch.Size([2, 3]), ['steps'])
    """

    def __init__(self, tensors: Mapping[str, torch.Tensor], title: str) -> None:
        """Keep `tensors` of a network that messages call `title`."""
        self.tensors, self.title = dict(tensors), title
        self.used: set[str] = set()

    def __contains__(self, name: str) -> bool:
        return name in self.tensors

    def shape(self, name: str) -> torch.Size:
        """The shape of a tensor, which is not used by that; raises LoadError where it is missing."""
        if name not in self.tensors:
            raise LoadError(f"{self.title}: no tensor {name!r} in it, which this kind of network has.")
        return self.tensors[name].shape

    def take(self, name: str) -> torch.Tensor:
        """A tensor, in float32 where it holds fractions; raises LoadError where it is missing."""
        self.shape(name)
        self.used.add(name)
        tensor = self.tensors[name]
        return tensor.float() if tensor.is_floating_point() else tensor

    def ignore(self, pattern: str) -> int:
        """Use up all tensors whose whole name matches, which carry nothing over; returns how many."""
        names = [name for name in self.left if re.fullmatch(pattern, name)]
        self.used.update(names)
        return len(names)

    @property
    def left(self) -> list[str]:
        """The names of tensors that were not used."""
        return sorted(self.tensors.keys() - self.used)

    def refuse_left(self) -> None:
        """Raise LoadError where a tensor was not used: the network does something that its copy would not."""
        if self.left:
            more = f" and {len(self.left) - 1} more" if len(self.left) > 1 else ""
            raise LoadError(
                f"{self.title}: {short_repr(self.left[0])}{more} belongs to no part of the network that can be built here."
            )


def fill(network: torch.nn.Module, state: Mapping[str, torch.Tensor], title: str) -> None:
    """Load tensors into a network.

    Args:
        network: of this library.
        state: its tensors by its own names.
        title: what messages call the foreign network.

    Raises:
        LoadError: for names or shapes that are not the network's.
    """
    expected = network.state_dict()
    wrong = sorted(expected.keys() ^ state.keys())
    if wrong:
        raise LoadError(f"{title}: its parts do not fit ({wrong[0]}).")
    for name, tensor in state.items():
        if tensor.shape != expected[name].shape:
            raise LoadError(
                f"{title}: {name} has the shape {list(tensor.shape)}, where its sizes ask for {list(expected[name].shape)}."
            )
    network.load_state_dict(state)
    network.eval()


def plain_names(state: Mapping[Any, Any]) -> dict[str, torch.Tensor]:
    """The tensors of a state dict, without the `module.` that several GPUs put in front of all of it."""
    tensors = {str(name): value for name, value in state.items() if isinstance(value, torch.Tensor)}
    return {re.sub(r"^module\.", "", name): tensor for name, tensor in tensors.items()}


def without_spectral_norm(
    tensors: Mapping[str, torch.Tensor], is_transposed: Callable[[str], bool] = lambda name: False
) -> tuple[dict[str, torch.Tensor], int]:
    """Divide weights by their spectral norms, as torch's `spectral_norm` does at each use in eval mode: σ = uᵀ W v.

    Args:
        tensors: of a network, with weights of either of torch's two namings.
        is_transposed: whether the weight of a name is a transposed convolution's, whose outputs are its second dimension.

    Returns: the tensors with plain weights, and how many there were to divide.
    """
    plain, norms = dict(tensors), 0
    for name in tensors:
        old, new = name.removesuffix("_orig"), re.sub(r"parametrizations\.(\w+)\.original$", r"\1", name)
        if old != name:
            target, vectors = old, (f"{old}_u", f"{old}_v")
        elif new != name:
            target, vectors = new, tuple(f"{name.removesuffix('original')}0._{each}" for each in "uv")
        else:
            continue
        if not all(vector in tensors for vector in vectors):
            continue
        weight = plain.pop(name).float()
        u, v = (plain.pop(vector).float() for vector in vectors)
        matrix = (weight.transpose(0, 1) if is_transposed(target) else weight).flatten(1)
        if matrix.shape != (len(u), len(v)):
            raise LoadError(f"{name} has the shape {list(weight.shape)}, which its spectral norm does not fit.")
        plain[target], norms = weight / torch.dot(u, matrix @ v), norms + 1
    order = [re.sub(r"parametrizations\.(\w+)\.original$", r"\1", name.removesuffix("_orig")) for name in tensors]
    return {name: plain[name] for name in order if name in plain}, norms


# ------------------------------------------------------------------------------------------- modules as inert objects


def is_module(value: object) -> bool:
    """Whether a value is a torch module that was rebuilt as data."""
    return isinstance(value, ForeignObject) and isinstance(value.state, dict) and "_modules" in value.state


def tensors_of(module: ForeignObject, prefix: str = "") -> dict[str, torch.Tensor]:
    """All tensors of a module by dotted name, as its state dict would have them."""
    tensors: dict[str, torch.Tensor] = {}
    for part in PARTS:
        held = module.attributes.get(part)
        for name, value in held.items() if isinstance(held, dict) else ():
            if isinstance(value, torch.Tensor):
                tensors[f"{prefix}{name}"] = value
    for name, child in _children(module).items():
        tensors |= tensors_of(child, f"{prefix}{name}.")
    return tensors


def attribute(module: ForeignObject, path: str, default: Any = None) -> Any:
    """An attribute of a module inside of a module.

    Args:
        module: the outer one.
        path: the names of the modules on the way and of the attribute, with dots between them.
        default: what is returned where any part is missing.

    Returns: the attribute's value.
    """
    *modules, name = path.split(".")
    for each in modules:
        child = _children(module).get(each)
        if child is None:
            return default
        module = child
    return module.attributes.get(name, default)


def _children(module: ForeignObject) -> dict[str, ForeignObject]:
    children = module.attributes.get("_modules")
    if not isinstance(children, dict):
        return {}
    return {str(name): child for name, child in children.items() if is_module(child)}
