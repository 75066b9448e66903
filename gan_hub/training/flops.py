"""What a run costs in arithmetic: the operations of its steps, counted; what that is on another device is division."""

import math
from dataclasses import replace

import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import conv_flop_count, flop_registry

from gan_hub.data import ImageSet
from gan_hub.training.batches import Batches
from gan_hub.training.config import TrainConfig
from gan_hub.training.steps import train_step
from gan_hub.training.train_state import TrainState

COUNTED_BATCH = 8  # images of a counted step: enough for whatever looks at a few of them together
GPU_FLOPS = (
    10e12  # a second, assumed of a consumer GPU, on networks that keep it busy: a fraction of what its maker states
)


class Operations(TorchDispatchMode):
    """Inside, every multiplication and every addition of matrix products and convolutions is counted, in `count`.

    torch's own FlopCounterMode fails at a gradient of a gradient, which penalties need. Its formulas are these but for the
    weights' gradient of a convolution in groups, which it counts once too often for each group.
    """

    def __init__(self):
        super().__init__()
        self.count = 0

    def __torch_dispatch__(self, operator, types, args=(), kwargs=None):
        result = operator(*args, **(kwargs or {}))
        formula = flop_registry.get(operator._overloadpacket)
        if operator is torch.ops.aten.convolution_backward.default:
            self.count += _of_gradients(*args)
        elif formula is not None:
            self.count += formula(*args, **(kwargs or {}), out_val=result)
        return result


def _of_gradients(gradient, x, weight, _bias, _stride, _padding, _dilation, transposed, _more, _groups, wanted) -> int:
    """Operations of a convolution's gradients: each that is wanted, image's or weights', has those of the convolution."""
    return conv_flop_count(x.shape, weight.shape, gradient.shape, transposed) * sum(wanted[:2])


class OneProcess:
    """What players and batches ask of an accelerator, where there is one process, on the CPU, in float32."""

    device, num_processes, process_index = torch.device("cpu"), 1, 0

    def prepare(self, network: torch.nn.Module) -> torch.nn.Module:
        return network

    def unwrap_model(self, network: torch.nn.Module) -> torch.nn.Module:
        return network

    def gather(self, share: torch.Tensor) -> torch.Tensor:
        return share

    def reduce(self, value: torch.Tensor, reduction: str) -> torch.Tensor:
        return value


def flops_per_image(config: TrainConfig, classes: int, images: ImageSet) -> float:
    """Multiplications and additions that training on one image takes, both players and their gradients, penalties included.

    Of matrix products and convolutions, counted on steps with fresh networks and a few of `images`; steps with and
    without a penalty count as often as they come. A network that grows is counted at its full size.
    """
    batch = config.batch_size if config.loss == "mmd" else min(config.batch_size, COUNTED_BATCH)
    own = {"grow_kimg": 0.0, "batch_size": batch, "precision": "fp32", "compile": False, "device": "cpu"}
    with torch.random.fork_rng(devices=[]):
        small, alone = replace(config, **own), OneProcess()
        players = TrainState(small, classes, alone)
        batches = Batches(images, small, players.latent_size, alone)
        return _mean_over_steps(players, small, batches) / batch


def _mean_over_steps(players: TrainState, config: TrainConfig, batches: Batches) -> float:
    """Operations of a step, each kind of step played once."""
    kinds, total = kinds_of_steps(config), 0.0
    for same in kinds:
        with Operations() as operations:
            train_step(players, config, batches, same[0])
        total += operations.count * len(same)
    return total / sum(map(len, kinds))


def kinds_of_steps(config: TrainConfig) -> list[list[int]]:
    """The numbers of the steps that do the same, as the penalties come and go, over as many as it takes until all is anew."""
    intervals = [config.penalty_interval] if config.penalties else []
    intervals += [config.path_length_interval] if config.path_length_weight else []
    kinds: dict[tuple[bool, ...], list[int]] = {}
    for step in range(math.lcm(*intervals)):
        kinds.setdefault(tuple(step % interval == 0 for interval in intervals), []).append(step)
    return list(kinds.values())


def in_words(flops: float) -> str:
    """A run's operations, and how long they take at GPU_FLOPS a second: an estimate, which says so."""
    unit, size = ("PFLOP", 1e15) if flops >= 1e15 else ("TFLOP", 1e12)
    seconds = flops / GPU_FLOPS
    time = f"{seconds / 60:.0f} minutes" if seconds >= 120 else f"{seconds:.2g} seconds"
    return (
        f"The arithmetic of all its steps is {flops / size:.3g} {unit}, counted over matrix products and convolutions. One "
        f"consumer GPU that sustains {GPU_FLOPS / 1e12:.0f} TFLOP a second would need at least {time} for it: an estimate and no "
        "measurement, of a GPU that never waits, as it does for networks and batches as small as these."
    )
