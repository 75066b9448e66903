"""Operations of a run's steps, counted on a few small ones, and an estimate of the time they take on a consumer GPU."""

import math
from dataclasses import replace
from typing import Any, cast

import torch
from accelerate import Accelerator
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import conv_flop_count, flop_registry

from gan_hub.data import ImageSet
from gan_hub.training.batches import Batches
from gan_hub.training.config import TrainConfig
from gan_hub.training.steps import train_step
from gan_hub.training.train_state import TrainState

COUNTED_BATCH = 8  # images of a counted step: enough for minibatch stddev and other statistics of a batch
GPU_FLOPS = 10e12  # a second, assumed for a consumer GPU on networks that keep it busy: a fraction of its data sheet's


class Operations(TorchDispatchMode):
    """Counts the multiplications and additions of matrix products and convolutions, in `count`, while it is entered.

    torch's own FlopCounterMode fails at a gradient of a gradient, which penalties need. Its formulas are used except for
    the weights' gradient of a grouped convolution, which it counts once for each group.
    """

    def __init__(self) -> None:
        super().__init__()
        self.count = 0

    def __torch_dispatch__(self, operator: Any, types: Any, args: tuple = (), kwargs: dict | None = None) -> Any:
        """Run an operator of torch, and add its operations to `count`."""
        result = operator(*args, **(kwargs or {}))
        formula = flop_registry.get(operator._overloadpacket)
        if operator is torch.ops.aten.convolution_backward.default:
            self.count += _operations_of_gradients(*args)
        elif formula is not None:
            self.count += formula(*args, **(kwargs or {}), out_val=result)
        return result


def _operations_of_gradients(gradient: torch.Tensor, x: torch.Tensor, weight: torch.Tensor, *rest: Any) -> int:
    """Operations of a convolution's gradients: those of images cost what the convolution does, and so do those of weights.

    `rest` are the other arguments of aten.convolution_backward: bias_sizes, stride, padding, dilation, transposed,
    output_padding, groups, output_mask.
    """
    _, _, _, _, transposed, _, _, output_mask = rest
    return conv_flop_count(list(x.shape), list(weight.shape), list(gradient.shape), transposed) * sum(output_mask[:2])


class OneProcess:
    """Stands in for an accelerator with one process, on the CPU, in float32."""

    device, num_processes, process_index = torch.device("cpu"), 1, 0

    def prepare(self, network: torch.nn.Module) -> torch.nn.Module:
        """The network as it is."""
        return network

    def unwrap_model(self, network: torch.nn.Module) -> torch.nn.Module:
        """The network as it is."""
        return network

    def gather(self, share: torch.Tensor) -> torch.Tensor:
        """The whole of one process, as it is."""
        return share

    def reduce(self, value: torch.Tensor, reduction: str) -> torch.Tensor:
        """The value of one process, as it is."""
        return value


def flops_per_image(config: TrainConfig, classes: int, images: ImageSet) -> float:
    """Multiplications and additions for training on one image: both networks, their gradients and penalties.

    Those of matrix products and convolutions, on steps with fresh networks. Steps with and without a penalty are weighted
    by how often they come. A network that grows is counted at its full size.

    Args:
        config: the run.
        classes: number of classes of the images, or of the pixels of their maps.
        images: the training images; a few of them are used.

    Returns:
        the operations of one image.
    """
    batch = config.batch_size if config.loss == "mmd" else min(config.batch_size, COUNTED_BATCH)
    own = {"grow_kimg": 0.0, "batch_size": batch, "precision": "fp32", "compile": False, "device": "cpu"}
    with torch.random.fork_rng(devices=[]):
        small, alone = replace(config, **own), cast(Accelerator, OneProcess())
        state = TrainState(small, classes, alone)
        batches = Batches(images, small, state.latent_size, alone)
        return _mean_over_steps(state, small, batches) / batch


def _mean_over_steps(state: TrainState, config: TrainConfig, batches: Batches) -> float:
    """Operations of a step, each kind of step run once."""
    kinds, total = step_kinds(config), 0.0
    for same in kinds:
        with Operations() as operations:
            train_step(state, config, batches, same[0])
        total += operations.count * len(same)
    return total / sum(map(len, kinds))


def step_kinds(config: TrainConfig) -> list[list[int]]:
    """Step numbers of one period of the penalties, grouped by which penalties those steps have."""
    intervals = [config.penalty_interval] if config.penalties else []
    intervals += [config.path_length_interval] if config.path_length_weight else []
    kinds: dict[tuple[bool, ...], list[int]] = {}
    for step in range(math.lcm(*intervals)):
        kinds.setdefault(tuple(step % interval == 0 for interval in intervals), []).append(step)
    return list(kinds.values())


def describe_cost(flops: float) -> str:
    """A sentence on a run's operations, and on how long they take at GPU_FLOPS a second."""
    unit, size = ("PFLOP", 1e15) if flops >= 1e15 else ("TFLOP", 1e12)
    seconds = flops / GPU_FLOPS
    time = f"{seconds / 60:.0f} minutes" if seconds >= 120 else f"{seconds:.2g} seconds"
    return (
        f"The arithmetic of all its steps is {flops / size:.3g} {unit}, counted over matrix products and convolutions. One "
        f"consumer GPU that sustains {GPU_FLOPS / 1e12:.0f} TFLOP a second would need at least {time} for it: an estimate and no "
        "measurement. Networks and batches as small as these keep a GPU waiting, so that it takes longer."
    )
