"""Images per second of recipes' training steps on the GPU at hand, next to the FLOP bound of the step.

python benchmarks/gpu_step.py recipes/r3gan-cats-64.yaml [more.yaml …] [--precision bf16 fp32 tf32] [--kernels 5]

The whole step of a run is timed, from images in memory to the running average, on made-up images of the recipe's size: what
a second of training is, without logs and samples. `TFLOP/s` are the operations of matrix products and convolutions that the
step takes, counted, times images per second; beside it stands their share of what one large matrix product of the same
precision reached just before, which no step can beat. `--kernels` lists where the GPU's time goes. Without a CUDA GPU it
times the CPU, with `--steps 2`, to try it out.
"""

import argparse
import tempfile
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from accelerate.state import AcceleratorState

from gan_hub.data import ImageSet
from gan_hub.images import height_width
from gan_hub.training.batches import Batches
from gan_hub.training.config import TrainConfig
from gan_hub.training.diagnostics import hardware
from gan_hub.training.flops import flops_per_image
from gan_hub.training.recipes import read_recipe
from gan_hub.training.steps import train_step
from gan_hub.training.train_state import TrainState
from gan_hub.training.trainer import make_accelerator

PRECISIONS = {
    "bf16": {"precision": "bf16"},
    "fp32": {"precision": "fp32", "tf32": False},
    "tf32": {"precision": "fp32", "tf32": True},
    "fp16": {"precision": "fp16"},
}
CLASSES = 10  # of the made-up labels, where a recipe is conditional


class Training:
    """The steps of one recipe, one after the other."""

    def __init__(self, config: TrainConfig, images: ImageSet):
        self.config, self.done = config, 0
        AcceleratorState._reset_state(reset_partial_state=True)  # one process has one precision, says accelerate
        accelerator = make_accelerator(config)
        self.device = accelerator.device
        self.state = TrainState(config, len(images.label_names or ()), accelerator)
        self.batches = Batches(images, config, self.state.latent_size, accelerator)

    def steps(self, count: int) -> float:
        """Plays `count` turns; returns seconds, the device's work included."""
        self._wait()
        began = time.perf_counter()
        for _ in range(count):
            metrics = train_step(self.state, self.config, self.batches, self.done)
            self.done += 1
            losses = torch.stack([value for name, value in metrics.items() if name.startswith("loss/")])
            if not torch.isfinite(losses).all():  # a run looks, too, and waits for the device there
                raise SystemExit(f"{self.config.name}: a loss is not finite after {self.done} steps.")
            images = self.done * self.config.batch_size
            self.state.ema.update(self.state.unwrapped_generator, self.config.batch_size, images)
        self._wait()
        return time.perf_counter() - began

    def kernels(self, count: int, steps: int = 3) -> list[str]:
        """The operators that the device spent most time in, a line each."""
        activities = [torch.profiler.ProfilerActivity.CPU]
        if self.device.type == "cuda":
            activities.append(torch.profiler.ProfilerActivity.CUDA)
        with torch.profiler.profile(activities=activities) as profile:
            self.steps(steps)
        cuda = self.device.type == "cuda"
        rows = [
            (row.self_device_time_total if cuda else row.self_cpu_time_total, row) for row in profile.key_averages()
        ]
        total = sum(spent for spent, _ in rows) or 1
        top = sorted(rows, key=lambda pair: -pair[0])[:count]
        return [
            f"{100 * spent / total:5.1f} %  {spent / steps / 1000:7.2f} ms a step  {row.count // steps:5d} calls  "
            f"{row.key[:70]}"
            for spent, row in top
        ]

    def _wait(self) -> None:
        if self.device.type == "cuda":
            torch.cuda.synchronize()


def made_up(config: TrainConfig, count: int = 512) -> ImageSet:
    """Random images of a recipe's size, with labels where it is conditional."""
    rng, (height, width) = np.random.default_rng(0), height_width(config.resolution)
    images = rng.integers(0, 256, (count, height, width, config.channels)).astype(np.uint8)
    if not config.conditional:
        return ImageSet(images)
    return ImageSet(images, rng.integers(0, CLASSES, count), [str(number) for number in range(CLASSES)])


def ceiling(precision: str, device: torch.device, side: int = 8192) -> float:
    """Operations a second of one large matrix product on random numbers."""
    dtype = {"bf16": torch.bfloat16, "fp16": torch.float16}.get(precision, torch.float32)
    if device.type != "cuda":
        side = 1024
    torch.backends.cuda.matmul.allow_tf32 = precision == "tf32"
    left, right = torch.randn(2, side, side, device=device, dtype=dtype)
    seconds = []
    for _ in range(5):
        if device.type == "cuda":
            torch.cuda.synchronize()
        began = time.perf_counter()
        left @ right
        if device.type == "cuda":
            torch.cuda.synchronize()
        seconds.append(time.perf_counter() - began)
    return 2 * side**3 / min(seconds)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("recipes", nargs="+", type=Path)
    parser.add_argument("--precision", nargs="+", choices=PRECISIONS, default=["bf16", "tf32"])
    parser.add_argument("--steps", type=int, default=48, help="timed steps, after 16 to warm up")
    parser.add_argument("--kernels", type=int, default=0, help="also list so many of the costliest operators")
    parser.add_argument("--compile", action="store_true", help="as `compile: true`, warm-up included")
    given = parser.parse_args()
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    print(f"{hardware(device)}, torch {torch.__version__}")
    operations: dict[Path, float] = {}  # they do not depend on the precision
    for precision in given.precision:
        limit, listed = ceiling(precision, device), []
        print(f"\n{precision}: one large matrix product reaches {limit / 1e12:.3g} TFLOP/s\n")
        print("| recipe | batch | images a second | GFLOP an image | TFLOP/s | share of that product |")
        print("|---|---|---|---|---|---|")
        for recipe in given.recipes:
            own = {"output": tempfile.gettempdir(), "trackers": "none", "compile": given.compile}
            config = replace(TrainConfig(**read_recipe(recipe)), **own, **PRECISIONS[precision])
            images = made_up(config)
            training = Training(config, images)
            training.steps(min(16, given.steps))
            speed = given.steps * config.batch_size / training.steps(given.steps)
            if recipe not in operations:
                operations[recipe] = flops_per_image(config, len(images.label_names or ()), images)
            flops = operations[recipe]
            print(
                f"| {config.name} | {config.batch_size} | {speed:.0f} | {flops / 1e9:.2f} | {speed * flops / 1e12:.2f} | "
                f"{100 * speed * flops / limit:.1f} % |",
                flush=True,
            )
            if given.kernels:
                listed += [f"\n{config.name}, {precision}", *training.kernels(given.kernels)]
        print("\n".join(listed))


if __name__ == "__main__":
    main()
