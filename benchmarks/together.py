"""What drawing the requests of several visitors together would gain: `python benchmarks/together.py [MODEL …]`, two minutes.

32 requests of a few pictures each are drawn one by one, as the page does, and as one call with all their seeds: with the bits of
pictures drawn alone, which is what the page promises, and with a batch of 32 that gives that up. Then the same by the engine that
the page chooses on this machine. Variants take turns in one process on one thread, and its processor time is read: ratios are the
median of the rounds, with the smallest and the largest. The last column is what a request costs beside the model, in the page's
handler: however fast the model became, no more than the rest could be saved.
"""

import os

os.environ |= {"OMP_NUM_THREADS": "1", "HF_HUB_OFFLINE": "1"}

import argparse
import statistics
import time
from collections.abc import Callable

import numpy as np
import torch

from gan_hub import GANPipeline
from gan_hub.demo.tabs.sample import handlers

VISITORS, ROUNDS = 32, 5
MODELS = ("dcgan-fashion-mnist", "stylegan2-avatars-32", "r3gan-cats-64", "spade-facades")
PICTURES = (1, 16)  # of a request
HEADER = (
    "model",
    "pictures a request",
    "one by one, ms",
    "together, exact",
    "together, batch 32",
    "engine",
    "together, by it",
)


def cpu_seconds(work: Callable[[], object]) -> float:
    """Processor seconds of this process."""
    began = time.process_time()
    work()
    return time.process_time() - began


def ratio(alone: Callable[[], object], together: Callable[[], object]) -> tuple[float, str]:
    """Seconds alone, and how many times as fast it is together: the median of the rounds, the smallest and the largest."""
    alone(), together()
    rounds = [(cpu_seconds(alone), cpu_seconds(together)) for _ in range(ROUNDS)]
    ratios = sorted(first / second for first, second in rounds)
    text = f"{statistics.median(ratios):.2f} ({ratios[0]:.2f}–{ratios[-1]:.2f})"
    return statistics.median(first for first, _ in rounds), text


def row(name: str, pictures: int) -> list[str]:
    """Cells of a table for one model and one size of requests."""
    pipe = GANPipeline.from_pretrained(name, discriminator=None)
    requests = [range(number * pictures, (number + 1) * pictures) for number in range(VISITORS)]
    seeds = range(VISITORS * pictures)
    pipe(seeds=seeds)  # the trial of blocks is over then

    def alone() -> list[np.ndarray]:
        return [np.asarray(pipe(seeds=request, output_type="np").images) for request in requests]

    def together(batch_size: int | None = None) -> np.ndarray:
        return np.asarray(pipe(seeds=seeds, output_type="np", batch_size=batch_size).images)

    is_equal = np.array_equal(np.concatenate(alone()), together())
    seconds, exact = ratio(alone, together)
    _, inexact = ratio(alone, lambda: together(32))
    pipe.optimize("auto", seconds=1.0)
    _, by_engine = ratio(alone, together)
    cells = [name, str(pictures), f"{1000 * seconds / VISITORS:.1f}", exact + ("" if is_equal else " DIFFERENT BITS")]
    return [*cells, inexact, pipe.engine.name, by_engine]


def handler_share(name: str) -> str:
    """Of the processor time of the page's handler for sixteen new pictures, the share that the model takes."""
    pipe = handlers.models.load(name)
    places = iter(range(0, 10**9, 16))

    def drawn() -> None:
        pipe(seeds=range(first := next(places), first + 16))

    def handled() -> None:
        handlers.sample(name, f"{(first := next(places))}-{first + 15}", "own", 1.0)

    drawn(), handled()
    rounds = [(cpu_seconds(drawn), cpu_seconds(handled)) for _ in range(ROUNDS)]
    return f"{name}: {100 * statistics.median(model / whole for model, whole in rounds):.0f} %"


def main() -> None:
    """Print the table, and the share of the handlers."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("models", nargs="*", default=MODELS, metavar="MODEL")
    names = parser.parse_args().models
    torch.set_num_threads(1)
    print("|", " | ".join(HEADER), "|")
    print("|", " | ".join(["---"] * len(HEADER)), "|")
    for name in names:
        for pictures in PICTURES:
            print("|", " | ".join(row(name, pictures)), "|", flush=True)
    print("The model's share of the handler for sixteen new pictures:", "; ".join(map(handler_share, names)))


if __name__ == "__main__":
    main()
