"""Seconds to load each bundled model and to draw 16 images with it, on two CPU cores: `python benchmarks/zoo_speed.py [MODEL …]`.

Every model has a process of its own with two threads, and no network. "load" is from_pretrained of both players with the
checksums of all their weights; "first 16" is what a person waits for at the first click, "16 more" at the next ones (the
median of five). The imports, which all models share, come on top, once. Prints a table; ends with 1 where 16 images take
longer than the goal.
"""

import json
import os
import statistics
import subprocess
import sys
import time

THREADS, IMAGES, ROUNDS = 2, 16, 5
GOAL = 2.0  # seconds for the first 16 images
TABLE = "{:24} {:>8} {:>9} {:>9} {:>9}"


def measure(name: str) -> dict[str, float]:
    """Seconds of each part, in this process, which must be fresh."""
    times, begun = {}, time.perf_counter()

    def lap(part: str) -> None:
        nonlocal begun
        times[part], begun = time.perf_counter() - begun, time.perf_counter()

    import torch

    from gan_hub import GANPipeline

    torch.set_num_threads(THREADS)
    lap("import")
    pipe = GANPipeline.from_pretrained(name)
    lap("load")
    pipe(seeds=range(IMAGES))
    lap("first")
    again = []
    for number in range(1, ROUNDS + 1):
        pipe(seeds=range(number * IMAGES, (number + 1) * IMAGES))
        lap("again")
        again.append(times["again"])
    return times | {"again": statistics.median(again)}


def measured_apart(name: str) -> dict[str, float]:
    """The same in a process of its own."""
    alone = os.environ | {"OMP_NUM_THREADS": str(THREADS), "HF_HUB_OFFLINE": "1"}
    done = subprocess.run(
        [sys.executable, __file__, "--measure", name], env=alone, stdout=subprocess.PIPE, text=True, check=True
    )
    return json.loads(done.stdout)


def main(names: list[str]) -> int:
    """1 where a model misses the goal, else 0."""
    from gan_hub import list_models

    print(TABLE.format("model, seconds", "import", "load", "first 16", "16 more"))
    slow = []
    for name in names or [model.name for model in list_models()]:
        times = measured_apart(name)
        print(TABLE.format(name, *(f"{times[part]:.2f}" for part in ("import", "load", "first", "again"))), flush=True)
        slow += [name] if times["first"] >= GOAL else []
    print(f"16 images in under {GOAL:g} s: " + (f"not by {', '.join(slow)}" if slow else "all of them"))
    return int(bool(slow))


if __name__ == "__main__":
    if sys.argv[1:2] == ["--measure"]:
        print(json.dumps(measure(sys.argv[2])))
    else:
        sys.exit(main(sys.argv[1:]))
