#!/usr/bin/env python
"""How well the published models find their own pictures again: `python benchmarks/inversion.py [MODEL ...]`.

Writes the table of docs/inversion.md: for each model and space the mean over some seeds of the error of the best of 64 random
latents, of what 200 steps found, and the CPU seconds, with one thread. Of a model with classes the class is looked for, too.
"""

import argparse
import statistics
import time

import torch

from gan_hub import GANPipeline
from gan_hub.hub.resolve import bundled_models
from gan_hub.inversion import Inversion, invert
from gan_hub.models.mixins import SegmentationConditional, StyleBased

SEEDS = (1001, 1002, 1003)


def row(name: str, pipe: GANPipeline, space: str) -> str:
    """One line of the table."""
    results: list[Inversion] = []
    right, start = 0, time.process_time()
    for seed in SEEDS:
        drawn = pipe(seeds=[seed])
        results.append(invert(pipe, drawn.images[0], space=space))
        right += drawn.labels is None or results[-1].label == drawn.labels[0]
    seconds = (time.process_time() - start) / len(SEEDS)
    first = statistics.mean(each.history[0][1] for each in results)
    found = ", ".join(f"{each.levels:.1f}" for each in results)
    perceptual = statistics.mean(each.perceptual for each in results)
    classes = "–" if pipe.label_names is None else f"{right} of {len(SEEDS)}"
    return f"| `{name}` | {space} | {first:.1f} | {found} | {perceptual:.3f} | {classes} | {seconds:.1f} |"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("models", nargs="*", default=list(bundled_models()))
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    print("| model | space | best of 64 | found, seed by seed | perceptual | class | CPU s |")
    print("|---|---|---|---|---|---|---|")
    for name in arguments.models:
        pipe = GANPipeline.from_pretrained(name, discriminator=None)
        if isinstance(pipe.unwrapped_generator, SegmentationConditional):
            continue
        for space in ("z", "w", "w+") if isinstance(pipe.unwrapped_generator, StyleBased) else ("z",):
            print(row(name, pipe, space), flush=True)


if __name__ == "__main__":
    main()
