"""The ONNX graphs of a model, and how far what they compute is from the model, in ONNX Runtime.

Shapes: N images, C channels, H × W resolution, Z latent size, L rows of w, W size of w.
"""

import copy
from collections.abc import Mapping
from typing import TYPE_CHECKING, cast

import torch

from gan_hub.engines.build import Parts
from gan_hub.engines.drop_in import DropIn, parts_of
from gan_hub.engines.onnx_graph import graph_bytes, onnx_bytes
from gan_hub.engines.onnx_runtime import Session, missing_packages
from gan_hub.engines.probes import HALF_RANGE, Probes, drawn, largest_differences, probes_of
from gan_hub.models import GANModel
from gan_hub.models.mixins import SegmentationConditional
from gan_hub.pipeline import GANPipeline

if TYPE_CHECKING:
    import onnx

LIMIT = 1e-4  # of images in [-1, 1], and of logits, those above 1 relatively
MEASURE_SECONDS = 20.0  # after which no more than the fewest seeds are compared
BATCH = 3  # images that are also compared together
GENERATOR, DISCRIMINATOR = "generator", "discriminator"


def make_graphs(pipe: GANPipeline, discriminator: bool = False) -> tuple[dict[str, bytes], dict[str, float]]:
    """The graphs of a model's networks, each compared with its network.

    Args:
        pipe: the model; nothing of it is changed.
        discriminator: whether its discriminator is wanted, too.

    Returns:
        The graphs by the names of their files without .onnx; and by "generator" and "discriminator", how far an image and a
        logit are from the model's at most.

    Raises:
        ValueError: where a package is missing, for a network that cannot be exported, and for one whose graph computes
            something else.
    """
    missing = missing_packages()
    if missing:
        raise ValueError(f"ONNX files need {', '.join(missing)}: pip install 'gan_hub[fast]'.")
    if discriminator and pipe.discriminator is None:
        raise ValueError("this model was published, or loaded, without a discriminator; leave discriminator=True out.")
    generator = _exact(pipe.unwrapped_generator)
    probes = probes_of(generator, pipe.segmentations, torch.device("cpu"))
    parts = Parts(generator, probes, 1)
    made = {name: onnx_bytes(parts, name) for name in parts_of(generator)}
    differences = {GENERATOR: _image_difference(generator, made, probes)}
    graphs = {GENERATOR if name == "forward" else name: graph for name, graph in made.items()}
    opponent = pipe.unwrapped_discriminator
    if discriminator and opponent is not None:
        judge, batch = _exact(opponent), _judged(generator, probes)
        condition = "maps" if isinstance(judge, SegmentationConditional) else "labels"
        two = tuple(tensor[:2] for tensor in batch)
        graphs[DISCRIMINATOR] = graph_bytes(judge, two, ["images", condition], "logits", type(judge).__name__)
        differences[DISCRIMINATOR] = _logit_difference(judge, graphs[DISCRIMINATOR], batch)
    for network, difference in differences.items():
        if not difference <= LIMIT:
            raise ValueError(
                f"the {network}'s graph computes something else than the {network}: {difference:.1e} apart, and at most "
                f"{LIMIT:g} is allowed; nothing was written."
            )
    return graphs, differences


def annotated(graph: bytes, metadata: Mapping[str, str]) -> tuple[bytes, int]:
    """A graph with metadata, and without the exporter's traces, which tell of this machine's files and are half of some graphs.

    Args:
        graph: the file's bytes.
        metadata: what its metadata_props are to hold.

    Returns:
        The file's bytes, and the version of its operators (opset).
    """
    import onnx

    model = onnx.load_from_string(graph)
    for entry in (*model.graph.node, *model.graph.value_info, *model.graph.initializer, *model.graph.input):
        _without_traces(entry)
    for entry in (model.graph, *model.graph.output):
        _without_traces(entry)
    onnx.helper.set_model_props(model, dict(metadata))
    return model.SerializeToString(), next(each.version for each in model.opset_import if not each.domain)


def _without_traces(entry: "onnx.NodeProto | onnx.ValueInfoProto | onnx.TensorProto | onnx.GraphProto") -> None:
    del entry.metadata_props[:]
    entry.doc_string = ""


def _exact(network: GANModel) -> GANModel:
    """A copy in eval mode, in float32 on the CPU."""
    return copy.deepcopy(network).to("cpu", torch.float32).eval()


@torch.no_grad()
def _image_difference(generator: GANModel, graphs: Mapping[str, bytes], probes: Probes) -> float:
    """The largest difference of images of some seeds: alone, in a batch and truncated."""
    replaced = DropIn(generator, {name: Session(graph) for name, graph in graphs.items()})
    worst, failed = largest_differences(generator, {"onnx": replaced}, probes, BATCH, MEASURE_SECONDS)
    if failed:
        raise ValueError(
            f"{type(generator).__name__}: its graph {failed['onnx']} in ONNX Runtime; nothing was written."
        )
    return worst["onnx"] / HALF_RANGE


@torch.no_grad()
def _judged(generator: GANModel, probes: Probes) -> tuple[torch.Tensor, ...]:
    """What a discriminator is compared on: images of the generator's, and their classes or maps."""
    batch = probes.batch(BATCH)
    return (drawn(generator, batch, 1.0, by_style=False), *batch[1:])


@torch.no_grad()
def _logit_difference(judge: GANModel, graph: bytes, batch: tuple[torch.Tensor, ...]) -> float:
    """The largest difference of logits, those above 1 relatively; of images alone and together."""
    session, worst = Session(graph), 0.0
    for rows in (slice(0, 1), slice(0, BATCH)):
        inputs = tuple(tensor[rows] for tensor in batch)
        logits = cast(torch.Tensor, judge(*inputs))
        difference = (session(*inputs) - logits).abs() / logits.abs().clamp_min(1)
        worst = max(worst, float(difference.max()))
    return worst
