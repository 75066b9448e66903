"""A network as a graph of torch's operators, all that depends on its weights alone computed beforehand, in float64.

Spectral norms, equalised learning rates, batch normalisation with its running statistics, demodulation of fixed weights: in
eval mode these are arithmetic on constants. What is left are the operators that see a latent.
"""

import math
import operator
import sys
from collections.abc import Callable
from typing import Any, cast

import torch
from torch import fx, nn
from torch.utils._pytree import tree_leaves, tree_map

from gan_hub.engines.operators import Call, CaptureError, Recording, replayed

aten = torch.ops.aten
LINEAR = {aten.linear.default: (1, 2), aten.conv2d.default: (1, 2), aten.conv_transpose2d.input: (1, 2)}
IDLE = {aten.detach.default, aten.alias.default}
VIEWS = {aten.view.default, aten._unsafe_view.default}


class Graph:
    """Operators that see the inputs, and the constants they use.

    Constants are float64 where they are floating; `dtypes` has what the network computes with. Nodes of `graph` that are
    constants are of the kind "get_attr".
    """

    def __init__(self) -> None:
        self.graph = fx.Graph()
        self.constants: dict[str, torch.Tensor] = {}
        self.dtypes: dict[str, torch.dtype] = {}

    def constant(self, value: torch.Tensor, dtype: torch.dtype) -> fx.Node:
        """A node for `value`, to be used as `dtype`; it is put where the graph's insertion point is."""
        name = f"c{len(self.constants)}"
        self.constants[name], self.dtypes[name] = value, dtype
        return self.graph.create_node("get_attr", name)

    def value(self, node: object) -> torch.Tensor | None:
        """The constant behind a node; None for anything else."""
        return self.constants[str(node.target)] if isinstance(node, fx.Node) and node.op == "get_attr" else None

    def module(self, constants: dict[str, torch.Tensor]) -> Callable[..., torch.Tensor]:
        """The graph as a function; `constants` takes the place of its own."""
        root, copied = nn.Module(), fx.Graph()
        for name in {str(node.target) for node in self.graph.nodes if node.op == "get_attr"}:
            setattr(root, name, constants[name])
        copied.output(copied.graph_copy(self.graph, {}))  # a module takes hold of its graph
        for node in copied.nodes:
            node.meta = {}  # features of the recording, which need not stay in memory
        return fx.GraphModule(root, copied)


def folded(recording: Recording) -> Graph:
    """The operators of a recording that see its inputs; all others are computed in float64.

    Raises CaptureError for a network that writes into its weights.
    """
    result = Graph()
    values: dict[int, Any] = {}
    for number, tensor in enumerate(recording.inputs):
        values[id(tensor)] = result.graph.placeholder(f"x{number}")
        values[id(tensor)].meta = {"val": tensor}
    batch = result.graph.call_function(aten.sym_size.int, (values[id(recording.inputs[0])], 0))
    exact: dict[int, torch.Tensor] = {}  # by the id of a weight

    def multiple(times: int) -> fx.Node:
        return batch if times == 1 else result.graph.call_function(operator.mul, (batch, times))

    def evaluate(target: Callable[..., Any], args: Any, kwargs: Any, call: Call) -> Any:
        args, kwargs = tree_map(lambda value: _exact(value, exact, own), (args, kwargs))
        mutable = isinstance(target, torch._ops.OpOverload) and target._schema.is_mutable
        if not _has_node((args, kwargs)):
            args, kwargs = _with_dtypes((args, kwargs))
            with torch.no_grad():
                value = target(*args, **kwargs)
            for one, recorded in zip(tree_leaves(value), call.results, strict=True):
                own[id(one)] = one, recorded.dtype if isinstance(recorded, torch.Tensor) else None
            return value
        if mutable and isinstance(args[0], torch.Tensor):
            raise CaptureError("it writes into a constant")
        args, kwargs = tree_map(lambda value: _as_node(result, value, own), (args, kwargs))
        node = result.graph.call_function(target, args, kwargs)
        node.meta = {"val": call.results[0] if not call.is_tuple else None}
        return node

    own: dict[int, tuple[torch.Tensor, torch.dtype | None]] = {}  # constants and their dtypes in the network, by id
    images = replayed(recording, evaluate, values, multiple)
    if not isinstance(images, fx.Node):
        raise CaptureError("its images do not depend on its latents")
    result.graph.output(images)
    for simplify in (
        _standard_layers,
        _without_idle,
        _products_as_linear,
        _batch_norms_as_affine,
        _into_weights,
        _sums_of_products,
    ):
        simplify(result)
        result.graph.eliminate_dead_code()
    return result


def arguments(node: fx.Node) -> tuple[Any, ...]:
    """A node's arguments, of which torch's own annotation says that they are anything."""
    return cast(tuple[Any, ...], node.args)


def _has_node(value: object) -> bool:
    if isinstance(value, dict):
        return any(map(_has_node, value.values()))
    return any(map(_has_node, value)) if isinstance(value, (tuple, list)) else isinstance(value, fx.Node)


def _with_dtypes(value: Any) -> Any:
    """Arguments with float64 in place of each floating dtype: a cast would round what is exact."""
    if isinstance(value, dict):
        return {key: _with_dtypes(item) for key, item in value.items()}
    if isinstance(value, (tuple, list)):
        return [_with_dtypes(item) for item in value] if isinstance(value, list) else tuple(map(_with_dtypes, value))
    return torch.float64 if isinstance(value, torch.dtype) and value.is_floating_point else value


def _exact(value: Any, exact: dict[int, torch.Tensor], own: dict[int, tuple[torch.Tensor, torch.dtype | None]]) -> Any:
    """A weight's copy, in float64 where it is floating; anything else, and what was computed of such copies, as it is."""
    if not isinstance(value, torch.Tensor) or id(value) in own:
        return value
    if id(value) not in exact:
        dtype = torch.float64 if value.is_floating_point() else value.dtype
        copied = exact[id(value)] = value.detach().to(dtype, copy=True)
        own[id(copied)] = copied, value.dtype
    return exact[id(value)]


def _as_node(result: Graph, value: Any, own: dict[int, tuple[torch.Tensor, torch.dtype | None]]) -> Any:
    """What stands in the graph for a constant; anything else as it is."""
    if not isinstance(value, torch.Tensor):
        return value
    dtype = own[id(value)][1] or value.dtype
    made = result.constant(value, dtype)
    made.meta = {"val": value.to(dtype)}
    return made


# ------------------------------------------------------------------------------------------- simplifications


def _standard_layers(result: Graph) -> None:
    """Write convolutions in the form in which layers call them, and views so that features may lie in any memory format."""
    for node in list(result.graph.nodes):
        if node.target in VIEWS:
            node.target = aten.reshape.default
        if node.target is not aten.convolution.default:
            continue
        x, weight, bias, stride, padding, dilation, transposed, output_padding, groups = arguments(node)
        with result.graph.inserting_before(node):
            if transposed:
                options = stride, padding, output_padding, groups, dilation
                made = result.graph.call_function(aten.conv_transpose2d.input, (x, weight, bias, *options))
            else:
                options = stride, padding, dilation, groups
                made = result.graph.call_function(aten.conv2d.default, (x, weight, bias, *options))
        if len(stride) == 2:
            made.meta = dict(node.meta)
            node.replace_all_uses_with(made)
            result.graph.erase_node(node)


def _without_idle(result: Graph) -> None:
    """Drop slices of all of a tensor, and what only matters to gradients."""
    for node in list(result.graph.nodes):
        whole = node.target is aten.slice.Tensor and arguments(node)[2:] == (0, sys.maxsize)
        if whole or node.target in IDLE:
            node.replace_all_uses_with(arguments(node)[0])
            result.graph.erase_node(node)


def _products_as_linear(result: Graph) -> None:
    """Write x @ W and b + x @ W with constant W, b as linear maps."""
    for node in list(result.graph.nodes):
        if node.target in (aten.mm.default, aten.matmul.default):
            (x, matrix), bias, options = arguments(node), None, {}
        elif node.target is aten.addmm.default:
            (bias, x, matrix), options = arguments(node), dict(node.kwargs)
        else:
            continue
        weight, summand = result.value(matrix), result.value(bias)
        if weight is None or weight.dim() != 2 or not isinstance(x, fx.Node) or options.keys() - {"alpha", "beta"}:
            continue
        if bias is not None and (summand is None or summand.dim() != 1):
            continue
        parts = [weight.t() * options.get("alpha", 1)]
        parts += [] if summand is None else [(summand * options.get("beta", 1)).expand(weight.shape[1])]
        with result.graph.inserting_before(node):
            constants = [result.constant(part, node.meta["val"].dtype) for part in parts]
            made = result.graph.call_function(aten.linear.default, (x, *constants))
        made.meta = dict(node.meta)
        node.replace_all_uses_with(made)
        result.graph.erase_node(node)


def _dtype(node: fx.Node) -> torch.dtype | None:
    value = node.meta.get("val")
    return value.dtype if isinstance(value, torch.Tensor) else None


def _batch_norms_as_affine(result: Graph) -> None:
    """Write normalisation by running statistics as a product and a sum, (F, 1, 1) each."""
    for node in list(result.graph.nodes):
        if node.target is not aten.native_batch_norm.default or arguments(node)[5]:
            continue
        x, weight, bias, mean, variance, _, _, epsilon = arguments(node)
        first = next((user for user in node.users if user.target is operator.getitem and arguments(user)[1] == 0), None)
        if first is None or any(user.users for user in node.users if user is not first):
            continue
        mean, variance = result.value(mean), result.value(variance)
        if (
            mean is None
            or variance is None
            or any(part is not None and result.value(part) is None for part in (weight, bias))
        ):
            continue
        scale = (variance + epsilon).rsqrt() * (1.0 if weight is None else cast(torch.Tensor, result.value(weight)))
        shift = (0.0 if bias is None else cast(torch.Tensor, result.value(bias))) - mean * scale
        spread = (-1,) + (1,) * (first.meta["val"].dim() - 2)
        with result.graph.inserting_before(first):
            for operation, constant in ((aten.mul.Tensor, scale), (aten.add.Tensor, shift)):
                x = result.graph.call_function(
                    operation, (x, result.constant(constant.view(spread), first.meta["val"].dtype))
                )
                x.meta = dict(first.meta)
        first.replace_all_uses_with(x)


def _into_weights(result: Graph) -> None:
    """Let convolutions and linear maps do what follows them, where that is a constant a feature: a product or a sum."""
    for node in list(result.graph.nodes):
        change = _affine(result, node)
        if change is None:
            continue
        source, scale, shift = change
        reshape = source if source.target is aten.reshape.default else None
        layer = source if reshape is None else arguments(source)[0]
        if reshape is not None:
            shape = reshape.meta["val"].shape[1:]
            scale, shift = (
                torch.as_tensor(part, dtype=torch.float64, device="cpu").expand(shape).flatten()
                for part in (scale, shift)
            )
        else:
            features = layer.meta["val"].shape[1]
            scale, shift = (
                torch.as_tensor(part, dtype=torch.float64, device="cpu")
                .expand(features, *[1] * (layer.meta["val"].dim() - 2))
                .flatten()
                for part in (scale, shift)
            )
        _scaled(result, layer, scale, shift)
        node.replace_all_uses_with(source)
        result.graph.erase_node(node)


def _affine(result: Graph, node: fx.Node) -> tuple[fx.Node, Any, Any] | None:
    """(what is scaled or moved, factor, summand) where a node is x · c or x + c of a layer with constant weights."""
    factors, sums = {aten.mul.Tensor, aten.mul_.Tensor}, {aten.add.Tensor, aten.add_.Tensor}
    if node.target not in factors | sums or node.kwargs or len(arguments(node)) != 2:
        return None
    for source, constant in (arguments(node), arguments(node)[::-1]):
        value = constant if isinstance(constant, (int, float)) else result.value(constant)
        if not isinstance(source, fx.Node) or value is None or not _is_layer(result, source):
            continue
        if isinstance(value, torch.Tensor) and not _is_per_feature(value, source.meta["val"].dim()):
            continue
        return (source, value, 0.0) if node.target in factors else (source, 1.0, value)
    return None


def _is_per_feature(value: torch.Tensor, dimensions: int) -> bool:
    """Whether a constant (…, F, 1, 1) has a number a feature, or one for all."""
    shape = (1,) * (dimensions - value.dim()) + tuple(value.shape)
    return len(shape) == dimensions and all(size == 1 for place, size in enumerate(shape) if place != 1)


def _is_layer(result: Graph, node: fx.Node) -> bool:
    """Whether a node is a convolution or a linear map of constant weights whose result has one use."""
    if len(node.users) != 1:
        return False
    if node.target is aten.reshape.default:
        inner = arguments(node)[0]
        flat = isinstance(inner, fx.Node) and inner.target is aten.linear.default and inner.meta["val"].dim() == 2
        image = (
            node.meta["val"].dim() == 4 and flat and math.prod(node.meta["val"].shape[1:]) == inner.meta["val"].shape[1]
        )
        return bool(image) and _is_layer(result, cast(fx.Node, inner))
    if node.target not in LINEAR or node.kwargs:
        return False
    bias = arguments(node)[2] if len(arguments(node)) > 2 else None
    return result.value(arguments(node)[1]) is not None and (bias is None or result.value(bias) is not None)


def _scaled(result: Graph, layer: fx.Node, scale: torch.Tensor, shift: torch.Tensor) -> None:
    """Change weight and bias so that each output feature is multiplied by `scale` and moved by `shift`, (F,) each."""
    weight = cast(torch.Tensor, result.value(arguments(layer)[1]))
    bias = result.value(arguments(layer)[2]) if len(arguments(layer)) > 2 else None
    transposed = layer.target is aten.conv_transpose2d.input
    groups = cast(int, arguments(layer)[6]) if transposed and len(arguments(layer)) > 6 else 1
    if transposed:  # (I, O / groups, k, k)
        inputs, outputs, *kernel = weight.shape
        weight = (weight.view(groups, -1, outputs, *kernel) * scale.view(groups, 1, outputs, 1, 1)).reshape(
            weight.shape
        )
    else:
        weight = weight * scale.view(-1, *[1] * (weight.dim() - 1))
    bias = shift if bias is None else bias * scale + shift
    dtype = result.dtypes[str(cast(fx.Node, arguments(layer)[1]).target)]
    with result.graph.inserting_before(layer):
        constants = result.constant(weight, dtype), result.constant(bias, dtype)
    layer.args = (arguments(layer)[0], *constants, *arguments(layer)[3:])


def _sums_of_products(result: Graph) -> None:
    """Write a · b + c as one operator, which reads and writes an image's features once."""
    for node in list(result.graph.nodes):
        if node.target is not aten.add.Tensor or node.kwargs or len(arguments(node)) != 2:
            continue
        for product, summand in (arguments(node), arguments(node)[::-1]):
            if not isinstance(product, fx.Node) or not isinstance(summand, fx.Node) or len(product.users) != 1:
                continue
            factors = arguments(product)
            tensors = (*factors, summand)
            same = (
                product.target is aten.mul.Tensor
                and len({_dtype(one) for one in tensors if isinstance(one, fx.Node)}) == 1
            )
            if not same or not all(isinstance(one, fx.Node) for one in tensors):
                continue
            with result.graph.inserting_before(node):
                made = result.graph.call_function(aten.addcmul.default, (summand, *factors))
            made.meta = dict(node.meta)
            node.replace_all_uses_with(made)
            for replaced in (node, product):
                result.graph.erase_node(replaced)
            break
