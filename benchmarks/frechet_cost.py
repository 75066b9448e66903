"""What a Fréchet distance costs: seconds and peak memory of one between two sets of random float32 features.

OMP_NUM_THREADS=2 python benchmarks/frechet_cost.py [--images 10000] [--features 2048] [--replicates 0]

Prints a table, writes nothing. Memory is the largest that the process ever had, torch and both sets of features
included. On a machine that does other things the processor's time says more than the clock: it is what all threads
used together. With --replicates also the bootstrap of the distance's error.
"""

import argparse
import resource
import time

import torch

from gan_hub.metrics.bootstrap import standard_error
from gan_hub.metrics.frechet import ResampledFrechet, frechet_distance, moments
from gan_hub.training.diagnostics import hardware


def peak_gb() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e9  # Linux counts kB


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=int, default=10_000, help="on either side")
    parser.add_argument("--features", type=int, default=2048)
    parser.add_argument("--replicates", type=int, default=0, help="resamplings of the bootstrap; 0: none")
    given = parser.parse_args()

    print(f"{hardware(torch.device('cpu'))}, torch {torch.__version__}")
    generator = torch.Generator().manual_seed(0)
    real, fake = (torch.randn(given.images, given.features, generator=generator).relu_() for _ in range(2))
    print("| what | images | features | seconds | processor seconds | peak GB | before it |")
    print("|---|---|---|---|---|---|---|")

    def row(name: str, function) -> None:
        before, clock, processor = peak_gb(), time.perf_counter(), time.process_time()
        function()
        spent = f"{time.perf_counter() - clock:.1f} | {time.process_time() - processor:.1f}"
        sizes = f"{given.images:,} | {given.features:,}"
        print(f"| {name} | {sizes} | {spent} | {peak_gb():.2f} | {before:.2f} |", flush=True)

    row("distance", lambda: frechet_distance(moments(fake), moments(real)))
    if given.replicates:
        reals = moments(real)
        row(
            f"error by {given.replicates} resamplings",
            lambda: standard_error(ResampledFrechet(fake, reals), given.images, given.replicates),
        )


if __name__ == "__main__":
    main()
