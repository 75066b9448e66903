"""Which of torch's operators a network runs, recorded in the thread that runs it, for any number of images.

torch's own ways to do so put their hooks into all modules of the process, and another thread may be drawing. Here the network
runs twice with different numbers of images: what is a multiple of the number in both runs is taken for that multiple. Features
are noted by their shapes alone, so that a run takes no more memory than drawing as many images.
"""

import operator
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import torch
from torch import nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_flatten, tree_leaves, tree_unflatten
from torch.utils.weak import WeakTensorKeyDictionary

BATCHES = 5, 7  # images of the two runs: no layer's size is a small multiple of both
# Of an image's features. With more, an image takes seconds, and the two runs draw twelve. StyleGAN3 (config T) at 256 pixels is
# refused after 5 seconds and with 1.7 GB at most, and draws plain: one image in 4 seconds of one thread and 680 MB.
MOST_BYTES = 1_000_000_000
aten = torch.ops.aten


class CaptureError(ValueError):
    """A network whose operators depend on what it is given."""


class Call(NamedTuple):
    """One operator that was run: what it was given and what came out, tensors by themselves."""

    target: Callable[..., Any]
    arguments: list[Any]  # args and kwargs, flat
    structure: Any
    results: list[Any]  # flat
    is_tuple: bool


class Batch(NamedTuple):
    """A whole number that is `times` the number of images."""

    times: int


class _Recorder(TorchDispatchMode):
    """Notes every operator that runs inside, and looks out for numbers that leave torch, and for too many of them."""

    def __init__(self, images: int) -> None:
        super().__init__()
        self.calls: list[Call] = []
        self.images, self.bytes = images, 0
        self.stand_ins = WeakTensorKeyDictionary()  # a feature → a tensor of its shape without numbers

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        if func is aten._local_scalar_dense.default:
            if args[0].is_floating_point() or args[0].dtype == torch.bool:
                raise CaptureError("it decides by the values of its features")
            return func(*args)  # a check of labels or maps
        result = func(*args, **kwargs)
        flat, structure = tree_flatten((args, kwargs))
        tensors = {id(value): value for value in flat if isinstance(value, torch.Tensor)}
        arguments = [self.noted(value) for value in flat]
        for tensor in tree_leaves(result):
            if isinstance(tensor, torch.Tensor) and id(tensor) not in tensors:  # else it was changed in place
                self._add(tensor, {each.untyped_storage().data_ptr() for each in tensors.values()})
        results = [self.noted(value) for value in tree_leaves(result)]
        self.calls.append(Call(func, arguments, structure, results, isinstance(result, (tuple, list))))
        return result

    def noted(self, value: Any) -> Any:
        """What stands for a value in the recording: for a feature one without numbers, else the value itself."""
        return self.stand_ins.get(value, value) if isinstance(value, torch.Tensor) else value

    def _add(self, tensor: torch.Tensor, places: set[int]) -> None:
        """Note a new feature; refuse a network with too many, where a view of what is at `places` counts for nothing."""
        self.stand_ins[tensor] = torch.empty_strided(tensor.shape, tensor.stride(), dtype=tensor.dtype, device="meta")
        storage = tensor.untyped_storage()
        self.bytes += 0 if storage.data_ptr() in places else storage.nbytes()
        if self.bytes > MOST_BYTES * self.images:
            raise CaptureError(f"its features take more than {MOST_BYTES / 1e6:g} MB an image")


class Recording(NamedTuple):
    """The operators of a network in their order, and its inputs and its result among their tensors.

    Weights and inputs are themselves; a feature is a tensor of the device "meta".
    """

    calls: list[Call]
    inputs: tuple[torch.Tensor, ...]
    result: torch.Tensor


def record(network: nn.Module | Callable[..., torch.Tensor], inputs: Sequence[Sequence[torch.Tensor]]) -> Recording:
    """Run a network for two numbers of images and compare.

    Args:
        network: a function of tensors whose first dimension is the batch.
        inputs: examples of BATCHES images.

    Returns:
        The second run, numbers that follow the batch as `Batch`.

    Raises:
        CaptureError: where the two runs differ in more than such numbers, and for features that would fill the memory.
    """
    first, second = (_run(network, tuple(batch)) for batch in inputs)
    if [call.target for call in first.calls] != [call.target for call in second.calls]:
        raise CaptureError("its operators depend on the number of images")
    calls = []
    for one, other in zip(first.calls, second.calls, strict=True):
        if len(one.arguments) != len(other.arguments):
            raise CaptureError("its operators depend on the number of images")
        together = [_common(*pair) for pair in zip(one.arguments, other.arguments, strict=True)]
        calls.append(other._replace(arguments=together))
    return second._replace(calls=calls)


def _run(network: Callable[..., torch.Tensor], inputs: tuple[torch.Tensor, ...]) -> Recording:
    with torch.no_grad(), _Recorder(len(inputs[0])) as recorder:
        result = network(*inputs)
    return Recording(recorder.calls, inputs, recorder.noted(result))


def _common(first: Any, second: Any) -> Any:
    """What an argument is for any number of images."""
    if isinstance(second, torch.Tensor) or first == second:
        return second
    whole = type(first) is int and type(second) is int
    if not whole or first % BATCHES[0] or second != first // BATCHES[0] * BATCHES[1]:
        raise CaptureError("its numbers depend on what it is given")
    return Batch(first // BATCHES[0])


def replayed(
    recording: Recording,
    evaluate: Callable[[Callable[..., Any], tuple[Any, ...], dict[str, Any], Call], Any],
    values: dict[int, Any],
    multiple: Callable[[int], Any],
) -> Any:
    """Go through a recording with other values in the place of its tensors.

    Args:
        recording: the operators.
        evaluate: gives the value of an operator's result, from operator, args, kwargs and what was recorded.
        values: those of inputs and weights, by the id of the tensor; what else is a tensor is its own value.
        multiple: the value of a multiple of the number of images.

    Returns:
        The value of the result.
    """
    for call in recording.calls:
        flat = [_value(argument, values, multiple) for argument in call.arguments]
        args, kwargs = tree_unflatten(flat, call.structure)
        value = evaluate(call.target, args, kwargs, call)
        if not call.is_tuple:
            values.update({id(result): value for result in call.results if isinstance(result, torch.Tensor)})
            continue
        for place, result in enumerate(call.results):
            if isinstance(result, torch.Tensor):
                single = call._replace(results=[result], is_tuple=False)
                values[id(result)] = evaluate(operator.getitem, (value, place), {}, single)
    return values[id(recording.result)]


def _value(argument: Any, values: dict[int, Any], multiple: Callable[[int], Any]) -> Any:
    if isinstance(argument, torch.Tensor):
        return values.get(id(argument), argument)
    return multiple(argument.times) if isinstance(argument, Batch) else argument
