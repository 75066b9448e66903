"""How fast a GPU samples and trains with every architecture, and how near that is to what the GPU can do.

python benchmarks/gpu_step.py [RECIPE …] [--precision bf16 fp32] [--kernels 5] [--compile] [--device cpu --toy]

Without recipes, one of each architecture. Three tables a precision. *Peaks*: one large matrix product, and one large copy, on
this device. *A training step*: the whole step of a run, from images in memory to the running average, on made-up images; the
operations of its matrix products and convolutions, and the bytes that its operators read and write, are counted while it runs.
The bound is the longer of operations over peak and bytes over peak, which no step of these operators can beat unless its cache
helps; beside it, how often the step waited for the device, and the share of the step in which the device waited for Python.
*Sampling*: batches of 1, 8 and 64, and the engine "cuda-graphs" where it is installed. Where a cell has no number, it says why.

`--device cpu --toy` runs the same in a minute without a GPU, on batches of four, to try it out; its numbers mean nothing.
"""

import argparse
import tempfile
import time
import warnings
from collections.abc import Callable
from dataclasses import replace
from typing import Any, cast

import numpy as np
import torch
from accelerate import Accelerator
from accelerate.state import AcceleratorState
from torch.utils._pytree import tree_leaves

from gan_hub.data import ImageSet
from gan_hub.images import height_width
from gan_hub.models.mixins import SegmentationConditional
from gan_hub.pipeline import GANPipeline
from gan_hub.training.accelerator import make_accelerator
from gan_hub.training.batches import Batches
from gan_hub.training.config import TrainConfig
from gan_hub.training.diagnostics import hardware
from gan_hub.training.flops import Operations, step_kinds
from gan_hub.training.precision import InPrecision
from gan_hub.training.recipes import read_recipe
from gan_hub.training.steps import train_step
from gan_hub.training.train_state import TrainState

PRECISIONS = {
    "bf16": {"precision": "bf16"},
    "fp32": {"precision": "fp32", "tf32": False},
    "tf32": {"precision": "fp32", "tf32": True},
    "fp16": {"precision": "fp16"},
}
DTYPES = {"bf16": torch.bfloat16, "fp16": torch.float16}
# One recipe of each architecture; FastGAN has none, and is taken with its defaults.
EACH = (
    "mlp-mnist gmmn-mnist dcgan-64 began-fashion-mnist progan-fashion-mnist msg-gan-fashion-mnist stylegan-fashion-mnist "
    "stylegan2-cats-64 r3gan-cats-64 spade-facades fastgan"
).split()
OWN = {"fastgan": {"architecture": "fastgan", "resolution": 128, "channels": 3, "conditional": False, "batch_size": 16}}
CLASSES = 10  # of the made-up labels and maps
SAMPLED = (1, 8, 64)  # images of a batch


class Cost(Operations):
    """Also counts the bytes that operators read and write, in `bytes`; a view does neither."""

    def __init__(self) -> None:
        super().__init__()
        self.bytes = 0

    def __torch_dispatch__(self, operator: Any, types: Any, args: tuple = (), kwargs: dict | None = None) -> Any:
        result = super().__torch_dispatch__(operator, types, args, kwargs)
        if not operator.is_view and operator is not torch.ops.aten.detach.default:
            leaves = tree_leaves((args, kwargs, result))
            tensors = {id(leaf): leaf for leaf in leaves if isinstance(leaf, torch.Tensor)}
            self.bytes += sum(tensor.numel() * tensor.element_size() for tensor in tensors.values())
        return result


def wait(device: torch.device) -> None:
    """Wait until the device has done all that was queued."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def seconds_of(play: Callable[[], object], device: torch.device, times: int) -> float:
    """Seconds of one call, as the mean of several in a row, the device's work included; after one to warm up."""
    play()
    wait(device)
    began = time.perf_counter()
    for _ in range(times):
        play()
    wait(device)
    return (time.perf_counter() - began) / times


def busy_seconds(play: Callable[[], object], device: torch.device, times: int = 3) -> float | None:
    """Seconds of one call in which a CUDA device computes or copies; None on a CPU, which runs Python itself."""
    if device.type != "cuda":
        return None
    activities = [torch.profiler.ProfilerActivity.CPU, torch.profiler.ProfilerActivity.CUDA]
    with torch.profiler.profile(activities=activities) as profile:
        for _ in range(times):
            play()
        wait(device)
    return sum(row.self_device_time_total for row in profile.key_averages()) / times / 1e6


def waits_of(play: Callable[[], object], device: torch.device) -> int | None:
    """How often a call waits for a CUDA device, as torch counts it; None on a CPU."""
    if device.type != "cuda":
        return None
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        torch.cuda.set_sync_debug_mode("warn")
        try:
            play()
        finally:
            torch.cuda.set_sync_debug_mode("default")
    return sum("synchroniz" in str(each.message) for each in told)


def peaks(precision: str, device: torch.device, toy: bool) -> tuple[float, float]:
    """Operations a second of one large matrix product, and bytes a second of one large copy, read and written."""
    side = 8192 if device.type == "cuda" else 512 if toy else 1024
    torch.backends.cuda.matmul.allow_tf32 = precision == "tf32"
    left, right = torch.randn(2, side, side, device=device).to(DTYPES.get(precision, torch.float32))
    product = min(seconds_of(lambda: left @ right, device, 3) for _ in range(3))
    source = torch.zeros(2**30 if device.type == "cuda" else 2**24, device=device, dtype=torch.uint8)
    target = torch.empty_like(source)
    copied = min(seconds_of(lambda: target.copy_(source), device, 3) for _ in range(3))
    return 2 * side**3 / product, 2 * len(source) / copied


class Training:
    """The steps of one recipe, one after the other."""

    def __init__(self, config: TrainConfig) -> None:
        self.config, self.done = config, 0
        AcceleratorState._reset_state(reset_partial_state=True)  # one process has one precision, says accelerate
        accelerator, images = make_accelerator(config), made_up(config)
        self.device = accelerator.device
        classes = len(images.label_names or images.map_names or ())
        self.state = TrainState(config, classes, accelerator)
        self.batches = Batches(images, config, self.state.latent_size, accelerator)

    def step(self, number: int | None = None) -> None:
        """Play the next step, or that of a number, with all that a run does at each."""
        number = self.done if number is None else number
        metrics = train_step(self.state, self.config, self.batches, number)
        self.done += 1
        names = [name for name in metrics if name.startswith(("loss/", "gradient/", "weights/"))]
        if (
            not np.isfinite(self.state.read(*(metrics[name] for name in names))).all()
            and self.config.precision != "fp16"
        ):
            raise SystemExit(f"{self.config.name}: a loss is not finite after {self.done} steps.")
        images = self.done * self.config.batch_size
        self.state.ema.update(self.state.unwrapped_generator, self.config.batch_size, images)

    def cost(self) -> tuple[float, float]:
        """Operations and bytes of a step, the mean over a period of the penalties."""
        counted, steps = np.zeros(2), 0
        for same in step_kinds(self.config):
            with Cost() as cost:
                self.step(same[0])
            counted += len(same) * np.array([cost.count, cost.bytes])
            steps += len(same)
        operations, moved = counted / steps
        return operations, moved

    def kernels(self, count: int, steps: int = 3) -> list[str]:
        """The operators that the device spent most time in, a line each."""
        activities = [torch.profiler.ProfilerActivity.CPU]
        cuda = self.device.type == "cuda"
        if cuda:
            activities.append(torch.profiler.ProfilerActivity.CUDA)
        with torch.profiler.profile(activities=activities) as profile:
            for _ in range(steps):
                self.step()
            wait(self.device)
        averages = profile.key_averages()
        rows = [(row.self_device_time_total if cuda else row.self_cpu_time_total, row) for row in averages]
        total = sum(spent for spent, _ in rows) or 1
        top = sorted(rows, key=lambda pair: -pair[0])[:count]
        return [
            f"{100 * spent / total:5.1f} %  {spent / steps / 1000:7.2f} ms a step  {row.count // steps:5d} calls  "
            f"{row.key[:70]}"
            for spent, row in top
        ]


def made_up(config: TrainConfig, count: int = 512) -> ImageSet:
    """Random images of a recipe's size, with labels or maps where it has them."""
    rng, (height, width) = np.random.default_rng(0), height_width(config.resolution)
    images = rng.integers(0, 256, (count, height, width, config.channels)).astype(np.uint8)
    names = [str(number) for number in range(CLASSES)]
    if config.takes_maps:
        return ImageSet(images, maps=rng.integers(0, CLASSES, images.shape[:3]).astype(np.uint8), map_names=names)
    return ImageSet(images, rng.integers(0, CLASSES, count), names) if config.conditional else ImageSet(images)


def configured(recipe: str, precision: str, given: argparse.Namespace) -> TrainConfig:
    """The configuration of a recipe, or of an architecture that has none."""
    options = OWN.get(recipe) or read_recipe(recipe)
    own = {"output": tempfile.gettempdir(), "trackers": "none", "compile": given.compile, "device": given.device}
    if given.toy:
        own["batch_size"] = 4
    return TrainConfig(**{"name": recipe, "data": "made-up"} | options | own | PRECISIONS[precision])


def training_row(config: TrainConfig, limits: tuple[float, float], given: argparse.Namespace) -> tuple[str, list[str]]:
    """A line of the table of training, and the costliest operators."""
    training = Training(config)
    operations, moved = training.cost()
    seconds = seconds_of(training.step, training.device, 2 if given.toy else given.steps)
    busy, waits = busy_seconds(training.step, training.device), waits_of(training.step, training.device)
    by_operations, by_bytes = operations / limits[0], moved / limits[1]
    bound = "operations" if by_operations > by_bytes else "bytes"
    idle = "CPU" if busy is None else f"{100 * max(0.0, 1 - busy / seconds):.0f} %"
    row = (
        f"| {config.name} | {config.batch_size} | {config.batch_size / seconds:.0f} | {1000 * seconds:.1f} | "
        f"{operations / 1e9:.3g} | {moved / 1e9:.3g} | {100 * max(by_operations, by_bytes) / seconds:.0f} % of {bound} | "
        f"{'CPU' if waits is None else waits} | {idle} |"
    )
    lines = [f"\n{config.name}, {config.precision}", *training.kernels(given.kernels)] if given.kernels else []
    return row, lines


def sampling_row(config: TrainConfig, precision: str, limit: float, given: argparse.Namespace) -> str:
    """A line of the table of sampling: images a second of each batch, and the share of the peak of the largest."""
    device = torch.device(given.device)
    images = made_up(config, 8)
    alone = cast(Accelerator, InPrecision(device, "fp32"))  # precisions are set below
    generator = TrainState(config, len(images.label_names or images.map_names or ()), alone).averaged_generator
    cells, share = [], 0.0
    for batch in SAMPLED[:2] if given.toy else SAMPLED:
        z = torch.randn(batch, generator.config["latent_size"], device=device)
        labels = None
        if isinstance(generator, SegmentationConditional):
            labels = torch.zeros(batch, *height_width(config.resolution), dtype=torch.long, device=device)
        elif generator.config["num_classes"]:
            labels = torch.zeros(batch, dtype=torch.long, device=device)

        def draw(z: torch.Tensor = z, labels: torch.Tensor | None = labels) -> object:
            dtype = DTYPES.get(precision)
            with torch.no_grad(), torch.autocast(device.type, dtype, enabled=dtype is not None):
                return generator(z, labels)

        with Operations() as operations:
            draw()
        seconds = seconds_of(draw, device, 2 if given.toy else 50)
        cells.append(f"{batch / seconds:.0f}")
        share = operations.count / seconds / limit
    cells += ["–"] * (len(SAMPLED) - len(cells))
    return f"| {config.name} | {' | '.join(cells)} | {100 * share:.1f} % | {with_graphs(generator, device)} |"


def with_graphs(generator: torch.nn.Module, device: torch.device) -> str:
    """Images a second, one at a time, plain and with the engine "cuda-graphs"; or why there is none."""
    if device.type != "cuda":
        return "needs CUDA"
    if not hasattr(GANPipeline, "optimize"):
        return "no such engine here"
    if isinstance(generator, SegmentationConditional):
        return "draws from maps"
    pipe = GANPipeline(generator)
    plain = seconds_of(lambda: pipe(seeds=[0]), device, 50)
    try:
        pipe.optimize(engine="cuda-graphs", batch_size=1)
    except (ValueError, RuntimeError) as error:
        return str(error)[:60]
    return f"{1 / plain:.0f} → {1 / seconds_of(lambda: pipe(seeds=[0]), device, 50):.0f}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("recipes", nargs="*", default=EACH, help="files or names; by default one of each architecture")
    parser.add_argument("--precision", nargs="+", choices=PRECISIONS, default=["bf16", "fp32"])
    parser.add_argument("--device", choices=["cuda", "cpu"], default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--toy", action="store_true", help="batches of four, two steps: to try it out")
    parser.add_argument("--steps", type=int, default=32, help="timed steps")
    parser.add_argument("--kernels", type=int, default=0, help="also list so many of the costliest operators")
    parser.add_argument("--compile", action="store_true", help="as `compile: true`")
    given = parser.parse_args()
    device = torch.device(given.device)
    print(f"{hardware(device)}, torch {torch.__version__}{', TOY: no number here means anything' if given.toy else ''}")
    for precision in given.precision:
        operations, moved = peaks(precision, device, given.toy)
        print(
            f"\n## {precision}\n\nPeaks: {operations / 1e12:.3g} TFLOP/s of a product, {moved / 1e9:.3g} GB/s of a copy\n"
        )
        print(
            "| training | batch | images a second | ms a step | GFLOP a step | GB a step | reached | waits a step | "
            "device waits for Python |\n|---|---|---|---|---|---|---|---|---|"
        )
        listed: list[str] = []
        for recipe in given.recipes:
            row, lines = training_row(configured(recipe, precision, given), (operations, moved), given)
            print(row, flush=True)
            listed += lines
        print(
            f"\n| sampling, images a second | {' | '.join(f'{n} at a time' for n in SAMPLED)} | of peak | CUDA graphs |"
        )
        print("|---" * (len(SAMPLED) + 3) + "|")
        for recipe in given.recipes:
            config = replace(configured(recipe, precision, given), grow_kimg=0.0)
            print(sampling_row(config, precision, operations, given), flush=True)
        print("\n".join(listed))


if __name__ == "__main__":
    main()
