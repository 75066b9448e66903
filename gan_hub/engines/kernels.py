"""The way to compute each convolution and linear map of a graph that is the fastest on this machine, measured one by one.

torch lays a convolution's weights out anew at each call, for whatever layout its kernel wants. oneDNN's operators that torch
ships for its compiler take weights that were laid out once, and apply an activation on the way; they need no compiler. Where
such an operator is missing or slower, torch's own is taken, its weights in the memory format of its features.

Shapes: N images, I → O feature maps, H × W.
"""

import time
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple, cast

import torch
from torch import fx

from gan_hub.engines.capture import Graph, arguments, aten

CHANNELS_LAST = torch.channels_last
REPEATS = 5  # of a measured kernel: the shortest counts
# An activation → its name and numbers in oneDNN's operators.
ACTIVATIONS: dict[object, tuple[str, int]] = {
    aten.relu.default: ("relu", 0),
    aten.relu_.default: ("relu", 0),
    aten.tanh.default: ("tanh", 0),
    aten.leaky_relu.default: ("leaky_relu", 1),
    aten.leaky_relu_.default: ("leaky_relu", 1),
}


class Step(NamedTuple):
    """One operator of a kernel: `target` of the result of the step before it and `args`."""

    target: Callable[..., torch.Tensor]
    args: tuple[Any, ...]

    def __call__(self, x: torch.Tensor) -> torch.Tensor:
        """The operator's result."""
        return self.target(x, *self.args)


Kernel = list[Step]


class Layer(NamedTuple):
    """A convolution or linear map of constant weights, and the activation after it."""

    target: object
    weight: torch.Tensor
    bias: torch.Tensor | None
    stride: list[int]
    padding: list[int]
    output_padding: list[int]
    dilation: list[int]
    groups: int
    activation: Step | None

    @property
    def transposed(self) -> bool:
        """Whether it is a transposed convolution."""
        return self.target is aten.conv_transpose2d.input


def with_fast_kernels(result: Graph, inputs: Sequence[torch.Tensor], dtype: torch.dtype) -> Callable[..., torch.Tensor]:
    """The graph as a function, each of its layers computed by the kernel that was fastest for `inputs`.

    Args:
        result: What `capture.folded` gave; it is changed.
        inputs: An example, of as many images as will usually be drawn at once.
        dtype: What layers compute in.

    Returns:
        A function of such inputs, for any number of images.
    """
    finals = {name: value.to(result.dtypes[name]) for name, value in result.constants.items()}
    chosen = _Measuring(result, finals, dtype)
    with torch.no_grad():
        chosen.run(*inputs)
    for node, kernel in chosen.kernels.items():
        _replace(result, node, kernel, finals)
    result.graph.eliminate_dead_code()
    return result.module(finals)


class _Measuring(fx.Interpreter):
    """Runs the graph once, and times each layer's kernels with the features that reach it."""

    def __init__(self, result: Graph, finals: dict[str, torch.Tensor], dtype: torch.dtype) -> None:
        super().__init__(cast(fx.GraphModule, result.module(finals)))
        self.result, self.finals, self.dtype = result, finals, dtype
        copies = cast(fx.GraphModule, self.module).graph.nodes
        self.nodes: dict[fx.Node, fx.Node] = dict(zip(copies, result.graph.nodes, strict=True))
        self.kernels: dict[fx.Node, Kernel] = {}

    def run_node(self, n: fx.Node) -> Any:
        """The node's own result; a layer's from its chosen kernel, with its activation, which then does nothing more."""
        node = self.nodes[n]
        layer = as_layer(self.result, node, self.finals)
        if layer is None:
            return super().run_node(n)
        x = self.fetch_args_kwargs_from_env(n)[0][0]
        kernels = [kernel for kernel in kernels_of(layer, x, self.dtype) if _agrees(kernel, layer, x, self.dtype)]
        if kernels:
            self.kernels[node] = min(kernels, key=lambda kernel: seconds(kernel, x))
            bare = self.kernels[node]
            return run(bare, x) if layer.activation is None else super().run_node(n)
        return super().run_node(n)


def run(kernel: Kernel, x: torch.Tensor) -> torch.Tensor:
    """What a kernel makes of x."""
    for step in kernel:
        x = step(x)
    return x


def seconds(kernel: Kernel, x: torch.Tensor) -> float:
    """The shortest of a few runs."""
    taken = []
    for _ in range(REPEATS):
        began = time.perf_counter()
        run(kernel, x)
        taken.append(time.perf_counter() - began)
    return min(taken)


def _agrees(kernel: Kernel, layer: Layer, x: torch.Tensor, dtype: torch.dtype) -> bool:
    """Whether a kernel runs on this machine and gives what torch's own operator gives; a first run allocates as well."""
    try:
        y, expected = run(kernel, x), run(torch_kernel(layer, x, torch.float32), x)
    except (RuntimeError, NotImplementedError, AttributeError, TypeError):
        return False
    error = (y.float() - expected).abs().max() if y.numel() else torch.zeros((), device=y.device)
    return y.shape == expected.shape and bool(error <= _tolerance(dtype) * (1 + expected.abs().max()))


def _tolerance(dtype: torch.dtype) -> float:
    return 1e-3 if dtype == torch.float32 else 0.1


# ------------------------------------------------------------------------------------------------- layers


def as_layer(result: Graph, node: fx.Node, finals: dict[str, torch.Tensor]) -> Layer | None:
    """The layer that a node is.

    Args:
        result: the graph.
        node: of the graph.
        finals: its constants, in the dtypes that they are used in.

    Returns:
        The layer; None for anything else, and for weights that depend on the input.
    """
    defaults = {
        aten.linear.default: (),
        aten.conv2d.default: ([1, 1], [0, 0], [1, 1], 1),
        aten.conv_transpose2d.input: ([1, 1], [0, 0], [0, 0], 1, [1, 1]),
    }.get(cast(Any, node.target))
    if defaults is None or node.kwargs or result.value(arguments(node)[1]) is None:
        return None
    bias = arguments(node)[2] if len(arguments(node)) > 2 else None
    if bias is not None and result.value(bias) is None:
        return None
    weight = finals[str(cast(fx.Node, arguments(node)[1]).target)]
    summand = None if bias is None else finals[str(cast(fx.Node, bias).target)]
    options = (*arguments(node)[3:], *defaults[len(arguments(node)[3:]) :])
    stride, padding, output_padding, dilation, groups = [1, 1], [0, 0], [0, 0], [1, 1], 1
    if node.target is aten.conv2d.default:
        stride, padding, dilation, groups = options
    elif node.target is aten.conv_transpose2d.input:
        stride, padding, output_padding, groups, dilation = options
    stride, padding, output_padding, dilation = map(_pair, (stride, padding, output_padding, dilation))
    return Layer(node.target, weight, summand, stride, padding, output_padding, dilation, groups, _activation(node))


def _pair(value: Any) -> list[int]:
    numbers = [value] if isinstance(value, int) else list(value)
    return numbers * 2 if len(numbers) == 1 else numbers


def _activation(node: fx.Node) -> Step | None:
    """The activation that is a layer's only use."""
    if len(node.users) != 1:
        return None
    (user,) = node.users
    if user.target not in ACTIVATIONS or user.kwargs:
        return None
    _, numbers = ACTIVATIONS[user.target]
    return Step(cast(Any, user.target), tuple((*arguments(user)[1:], 0.01)[:numbers]))


# ------------------------------------------------------------------------------------------------- kernels


def kernels_of(layer: Layer, x: torch.Tensor, dtype: torch.dtype) -> list[Kernel]:
    """All ways to compute a layer of x that torch offers here; the result is in the dtype of x.

    Args:
        layer: the layer.
        x: an example of its features.
        dtype: what it computes in.

    Returns:
        The kernels, torch's own first.
    """
    kernels = [torch_kernel(layer, x, dtype)]
    for make in (packed_convolution, packed_linear):
        try:
            kernels += make(layer, x, dtype)
        except (RuntimeError, NotImplementedError, AttributeError, TypeError):
            continue  # a build of torch without oneDNN, or with other operators
    return kernels if dtype == x.dtype else [[*kernel, Step(_to, (x.dtype,))] for kernel in kernels]


def torch_kernel(layer: Layer, x: torch.Tensor, dtype: torch.dtype) -> Kernel:
    """torch's own operator, weights in the memory format of the features.

    Args:
        layer: the layer.
        x: an example of its features.
        dtype: what it computes in.

    Returns:
        The kernel.
    """
    steps, activation = _prepared(x, dtype, layer), [] if layer.activation is None else [layer.activation]
    weight, bias = _cast(layer.weight, dtype), _cast(layer.bias, dtype)
    if layer.target is aten.linear.default:
        if bias is not None and x.dim() == 2:
            return [*steps, Step(_addmm, (weight.t().contiguous(), bias)), *activation]
        return [*steps, Step(aten.linear.default, (weight, bias)), *activation]
    weight = weight.contiguous(memory_format=CHANNELS_LAST)
    if layer.transposed:
        options = layer.stride, layer.padding, layer.output_padding, layer.groups, layer.dilation
    else:
        options = layer.stride, layer.padding, layer.dilation, layer.groups
    return [*steps, Step(cast(Any, layer.target), (weight, bias, *options)), *activation]


def _addmm(x: torch.Tensor, matrix: torch.Tensor, bias: torch.Tensor) -> torch.Tensor:
    return torch.addmm(bias, x, matrix)


def packed_convolution(layer: Layer, x: torch.Tensor, dtype: torch.dtype) -> list[Kernel]:
    """oneDNN's convolution of weights that were laid out once, with the activation.

    Args:
        layer: the layer.
        x: an example of its features.
        dtype: what it computes in.

    Returns:
        The kernel, or none for another layer.
    """
    if layer.target is aten.linear.default or dtype not in (torch.float32, torch.bfloat16):
        return []
    name, numbers = _fused(layer)
    weight, bias, size = _cast(layer.weight, dtype).contiguous(), _cast(layer.bias, dtype), list(x.shape)
    common = layer.padding, layer.stride, layer.dilation, layer.groups
    end = layer.groups, name, numbers, ""
    if layer.transposed:
        packed = torch.ops.mkldnn._reorder_convolution_transpose_weight(
            weight, layer.padding, layer.output_padding, layer.stride, layer.dilation, layer.groups, size
        )
        target = torch.ops.mkldnn._convolution_transpose_pointwise.default
        options = layer.padding, layer.output_padding, layer.stride, layer.dilation, *end
    else:
        packed = torch.ops.mkldnn._reorder_convolution_weight(weight, *common, size)
        target = torch.ops.mkldnn._convolution_pointwise.default
        options = layer.padding, layer.stride, layer.dilation, *end
    return [[*_prepared(x, dtype, layer), Step(target, (packed, bias, *options))]]


def packed_linear(layer: Layer, x: torch.Tensor, dtype: torch.dtype) -> list[Kernel]:
    """oneDNN's linear map of weights that were laid out once, with the activation.

    Args:
        layer: the layer.
        x: an example of its features.
        dtype: what it computes in.

    Returns:
        The kernel, or none for another layer.
    """
    if layer.target is not aten.linear.default or dtype not in (torch.float32, torch.bfloat16):
        return []
    weight, bias = _cast(layer.weight, dtype).contiguous(), _cast(layer.bias, dtype)
    packed = torch.ops.mkldnn._reorder_linear_weight(weight, x.shape[0])
    step = Step(torch.ops.mkldnn._linear_pointwise.default, (packed, bias, *_fused(layer), ""))
    return [[*_prepared(x, dtype, layer), step]]


def _fused(layer: Layer) -> tuple[str, list[Any]]:
    """A layer's activation as oneDNN's operators take it."""
    if layer.activation is None:
        return "none", []
    return ACTIVATIONS[layer.activation.target][0], list(layer.activation.args)


def _prepared(x: torch.Tensor, dtype: torch.dtype, layer: Layer) -> Kernel:
    """Bring features into the dtype and the memory format of the kernel."""
    steps = [] if x.dtype == dtype else [Step(_to, (dtype,))]
    if layer.target is not aten.linear.default and not x.is_contiguous(memory_format=CHANNELS_LAST):
        steps.append(Step(_channels_last, ()))
    return steps


def _to(x: torch.Tensor, dtype: torch.dtype) -> torch.Tensor:
    return x.to(dtype)


def _channels_last(x: torch.Tensor) -> torch.Tensor:
    return x.contiguous(memory_format=CHANNELS_LAST)


def _cast(value: Any, dtype: torch.dtype) -> Any:
    return None if value is None else value.to(dtype)


def _replace(result: Graph, node: fx.Node, kernel: Kernel, finals: dict[str, torch.Tensor]) -> None:
    """Put a kernel in the place of a layer and its activation."""
    end = next(iter(node.users)) if _activation(node) is not None else node
    made = cast(fx.Node, arguments(node)[0])
    with result.graph.inserting_before(node):
        if made.target is _to and kernel[0].target is _to:
            made, kernel = arguments(made)[0], kernel[1:]  # from bfloat16 to float32 and back
        for step in kernel:
            args = tuple(_constant(result, finals, value) for value in step.args)
            made = result.graph.call_function(step.target, (made, *args))
    made.meta = dict(end.meta)
    end.replace_all_uses_with(made)
    for replaced in dict.fromkeys((end, node)):  # an activation in place is never taken for dead
        result.graph.erase_node(replaced)


def _constant(result: Graph, finals: dict[str, torch.Tensor], value: Any) -> Any:
    """An argument of a step as it stands in the graph."""
    if not isinstance(value, torch.Tensor):
        return value
    made = result.constant(value, value.dtype)
    finals[str(made.target)] = value
    return made
