"""What share of a training step is the loading of its batch: from memory, from the disk, and from part of a set there.

python benchmarks/loader_share.py [recipe …]        prints a table; ends with 1 where a share is 5 % or more

By default recipes/dcgan-64.yaml and recipes/dcgan-mnist.yaml, on made-up images. A step is the whole of it: batch, both
players, penalties. What is on the disk was just written, so that the operating system has it in memory, as it has a set
that fits. Times are CPU seconds, medians over the steps, on one thread; on a GPU, whose work the loading of the next
batch overlaps, they would not mean the same.
"""

import argparse
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
import torch

from gan_hub.data import ImageSet, hold_out
from gan_hub.images import height_width
from gan_hub.training.batches import Batches
from gan_hub.training.config import TrainConfig
from gan_hub.training.diagnostics import hardware
from gan_hub.training.recipes import read_recipe
from gan_hub.training.train_state import TrainState
from gan_hub.training.trainer import make_accelerator, train_step

RECIPES = [Path(__file__).parents[1] / "recipes" / name for name in ("dcgan-64.yaml", "dcgan-mnist.yaml")]
MOST = 0.05
IMAGES, CLASSES = 5000, 10


def places(images: np.ndarray, labels: np.ndarray | None, folder: Path) -> dict[str, ImageSet]:
    """The same images in memory, mapped from a file, and as the part of that file that is not held out."""
    np.save(folder / "images.npy", images)
    names = None if labels is None else [str(label) for label in range(CLASSES)]
    disk = ImageSet(np.load(folder / "images.npy", mmap_mode="r"), labels, names, memory_bytes=0)
    return {"memory": ImageSet(images, labels, names), "disk": disk, "disk, a part": hold_out(disk, 500, seed=0)[0]}


def median_seconds(step: Callable[[int], object], count: int) -> float:
    """CPU seconds of one of `count` steps, after two that warm up."""
    times = []
    for turn in range(count + 2):
        began = time.process_time()
        step(turn)
        times.append(time.process_time() - began)
    return statistics.median(times[2:])


def shares(recipe: Path, steps: int, folder: Path) -> dict[str, tuple[float, float]]:
    """Where the images lie → CPU seconds of loading a batch, and of a whole step."""
    config = replace(TrainConfig(**read_recipe(recipe)), output=str(folder), trackers="none", device="cpu")
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (IMAGES, *height_width(config.resolution), config.channels), dtype=np.uint8)
    labels = rng.integers(0, CLASSES, IMAGES) if config.conditional else None
    accelerator = make_accelerator(config)
    state = TrainState(config, CLASSES if config.conditional else 0, accelerator)
    found = {}
    for place, data in places(images, labels, folder).items():
        batches = Batches(data, config, state.latent_size, accelerator)
        step = partial(train_step, state, config, batches)
        found[place] = median_seconds(batches.reals, 20 * steps), median_seconds(step, steps)
    return found


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("recipes", nargs="*", type=Path, default=RECIPES)
    parser.add_argument("--steps", type=int, default=9, help="that are timed; and 20 times as many batches")
    given = parser.parse_args()
    torch.set_num_threads(1)

    worst = 0.0
    print(f"{hardware(torch.device('cpu'))}, torch {torch.__version__}, one thread")
    print("| recipe | images lie in | a batch, ms | a step, ms | share |\n|---|---|---|---|---|")
    for recipe in given.recipes:
        with tempfile.TemporaryDirectory() as folder:
            for place, (batch, step) in shares(recipe, given.steps, Path(folder)).items():
                worst = max(worst, batch / step)
                row = f"{recipe.stem} | {place} | {1e3 * batch:.2f} | {1e3 * step:.0f} | {100 * batch / step:.2f} %"
                print(f"| {row} |", flush=True)
    return int(worst >= MOST)


if __name__ == "__main__":
    sys.exit(main())
