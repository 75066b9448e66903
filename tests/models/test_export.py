"""Networks as graphs: what torch.compile captures and what an ONNX file computes are the network's own numbers.

An ONNX file holds one network in eval mode: z or images, and labels or maps where it takes them, for any batch.
"""

import pytest
import torch

from gan_hub.models import CLASSES, GANModel
from gan_hub.models.config_schema import rules
from tests.models.test_registry import GENERATORS, build, inputs, moved

# Class name → a word of the exporter's about what it cannot express. Asserted: who is named here must fail.
NOT_EXPORTED: dict[str, str] = {}

SMALL = {
    "base_channels": 2,
    "mapping_layers": 1,
    "blocks": 1,
    "layers": 2,
    "scales": 2,
}  # tracing time goes with the layers

each_class = pytest.mark.parametrize("cls", CLASSES.values(), ids=CLASSES)


def network(cls: type[GANModel]) -> GANModel:
    """Small, in eval mode, with classes where it can have them: then it does all that it does without them."""
    allowed = rules(cls.__init__.__wrapped__)
    resolution = next(side for side in (8, 28, 32) if allowed["resolution"].allows(side))
    num_classes = 3 if allowed["num_classes"].allows(3) else 0
    return moved(build(cls, num_classes, **{**SMALL, "resolution": resolution})).eval()


def arguments(model: GANModel, count: int) -> tuple[torch.Tensor, ...]:
    z, images, condition = inputs(model, count)
    given = z if type(model).__name__ in GENERATORS else images
    return (given,) if condition is None else (given, condition)


@each_class
def test_a_compiled_network_is_one_graph_with_the_same_numbers(cls):
    model = network(cls)
    torch.compiler.reset()
    compiled = torch.compile(model, backend="eager", fullgraph=True)
    with torch.no_grad():
        for count in (2, 3):
            given = arguments(model, count)
            torch.testing.assert_close(compiled(*given), model(*given), rtol=0, atol=1e-5)


@each_class
def test_an_onnx_file_computes_the_same_numbers_for_any_batch(cls):
    import onnxruntime  # half a second, which only this test pays

    if cls.__name__ in NOT_EXPORTED:
        with pytest.raises(Exception, match=NOT_EXPORTED[cls.__name__]):
            onnx_file(network(cls))
        return
    model = network(cls)
    session = onnxruntime.InferenceSession(onnx_file(model), providers=["CPUExecutionProvider"])
    names = [given.name for given in session.get_inputs()]
    for count in (1, 3):
        given = arguments(model, count)
        with torch.no_grad():
            ours = model(*given)
        (theirs,) = session.run(None, {name: tensor.numpy() for name, tensor in zip(names, given, strict=True)})
        torch.testing.assert_close(
            torch.from_numpy(theirs), ours, rtol=0, atol=1e-4 * max(1.0, ours.abs().max().item())
        )


def onnx_file(model: GANModel) -> bytes:
    """Traced with two images, the batch left open."""
    given, batch = arguments(model, 2), torch.export.Dim("batch")
    program = torch.onnx.export(
        model, given, dynamo=True, dynamic_shapes=tuple({0: batch} for _ in given), optimize=False, verbose=False
    )
    return program.model_proto.SerializeToString()
