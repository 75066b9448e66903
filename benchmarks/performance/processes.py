"""A training step in one and in two processes on this machine: the same batch shared, and a batch each.

torchrun starts the processes, as it would a run, and gloo adds up their gradients. Launches take turns; the median step of a
launch counts.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import torch

from benchmarks.performance.harness import number, table
from benchmarks.performance.steps import ROOT, configured, made_up, weights_of
from gan_hub.training.accelerator import make_accelerator
from gan_hub.training.batches import Batches
from gan_hub.training.steps import train_step
from gan_hub.training.train_state import TrainState

TITLE = "One and two processes"
BATCHES = {"dcgan-64": 32, "r3gan-cats-64": 16}  # of one process
# name → processes, and batches of one process in all.
WAYS = {"one process": (1, 1), "two, the batch shared": (2, 1), "two, a batch each": (2, 2)}
STEPS = 4


def train_here(batches: int, precision: str, folder: Path) -> None:
    """Be one process of a launch: a few steps of each recipe without a penalty, and sums of as many numbers as its gradients.

    Args:
        batches: Of one process, in a step of all.
        precision: "fp32" or "bf16".
        folder: For the figures of each process.
    """
    torch.set_num_threads(1)
    rows = {}
    for recipe, batch in BATCHES.items():
        config = configured(recipe, batch * batches, precision, {})
        accelerator = make_accelerator(config)
        state = TrainState(config, 0, accelerator)
        data = Batches(made_up(config), config, state.latent_size, accelerator)
        weights = weights_of(state)
        clock, processor = [], []
        for step in range(1, STEPS + 3):  # step 0 has the penalty
            began, began_processor = time.perf_counter(), time.process_time()
            train_step(state, config, data, step)
            clock.append(time.perf_counter() - began)
            processor.append(time.process_time() - began_processor)
        rows[recipe] = {"clock": statistics.median(clock[2:]), "processor": statistics.median(processor[2:])}
        rows[recipe] |= {"bytes": 4 * weights, "reduce": seconds_of_sum(torch.zeros(weights))}
    rank = os.environ.get("RANK", "0")
    (folder / f"{rank}.json").write_text(json.dumps(rows))
    if torch.distributed.is_initialized():
        torch.distributed.barrier()
        os._exit(0)  # the ordinary end would wait for threads of the group that wait for each other


def seconds_of_sum(numbers: torch.Tensor) -> float:
    """Seconds by the clock until all processes have the sum: the shortest of several; 0 with one process."""
    if not torch.distributed.is_initialized():
        return 0.0
    each = []
    for _ in range(5):
        torch.distributed.barrier()
        began = time.perf_counter()
        torch.distributed.all_reduce(numbers)
        each.append(time.perf_counter() - began)
    return min(each)


def launch(way: str, precision: str) -> dict[str, dict[str, float]]:
    """Recipe → seconds of a step: by the clock of the slowest process, of the processor in all processes together."""
    count, batches = WAYS[way]
    with tempfile.TemporaryDirectory() as folder:
        launcher = ["-m", "torch.distributed.run", "--standalone", "--nproc_per_node", str(count)] if count > 1 else []
        own = ["-m", __name__, str(batches), precision, folder]
        done = subprocess.run(
            [sys.executable, *launcher, *own], cwd=ROOT, capture_output=True, text=True,
            env=os.environ | {"OMP_NUM_THREADS": "1"},
        )  # fmt: skip
        if done.returncode:
            raise SystemExit(f"{way} ended: {done.stderr[-2000:]}")
        ranks = [json.loads(path.read_text()) for path in sorted(Path(folder).glob("*.json"))]
    return {
        recipe: {
            "clock": max(rank[recipe]["clock"] for rank in ranks),
            "processor": sum(rank[recipe]["processor"] for rank in ranks),
            "bytes": ranks[0][recipe]["bytes"],
            "reduce": max(rank[recipe]["reduce"] for rank in ranks),
        }
        for recipe in BATCHES
    }


def measure(options: argparse.Namespace) -> dict:
    """Launches of every way, in turns."""
    precision = "fp32" if options.precision == "auto" else options.precision
    rounds = [{way: launch(way, precision) for way in WAYS} for _ in range(2)]
    return {"precision": precision, "rounds": rounds, "load": os.getloadavg()[0], "cores": os.cpu_count()}


def render(raw: dict, _: dict) -> str:
    """A row for each recipe and way, with what the law says."""
    rows = []
    for recipe, batch in BATCHES.items():
        one = {
            clock: statistics.median(each["one process"][recipe][clock] for each in raw["rounds"])
            for clock in ("clock", "processor")
        }
        best = min(each["one process"][recipe]["clock"] for each in raw["rounds"])
        for way, (count, batches) in WAYS.items():
            launches = [each[way][recipe] for each in raw["rounds"]]
            reduce = min(each["reduce"] for each in launches)
            law = one["processor"] * batches / count + reduce
            seconds = min(each["clock"] for each in launches)
            processor = statistics.median(each["processor"] for each in launches) / batches / one["processor"]
            rows.append([
                f"{recipe}, {way}", batch * batches, number(1000 * seconds), f"{best / seconds * batches:.2f}",
                f"{one['processor'] * batches / law:.2f}", f"{processor:.2f}", number(launches[0]["bytes"] / 1e6),
                number(1000 * reduce) if reduce else "–",
            ])  # fmt: skip
    head = [
        "recipe, processes", "batch in all", "ms a step, clock", "images a second, times one process", "by the law",
        "processor time an image, times", "MB of gradients", "their sum, ms",
    ]  # fmt: skip
    return (
        f"Steps without a penalty, {raw['precision']}, one thread a process, gloo on one machine of {raw['cores']} cores, "
        f"whose other work (load {raw['load']:.1f}) takes from the second process: the clock's figures, the best of "
        f"{len(raw['rounds'])} launches, say little where it is busy. The law: half the arithmetic "
        f"each where a batch is shared, all of it where each has its own, plus one sum of the gradients."
        f"\n\n{table(head, rows)}\n\n"
        "Processor time an image says what two processes cost beside the arithmetic: the sums, and smaller batches."
    )


if __name__ == "__main__":
    train_here(int(sys.argv[1]), sys.argv[2], Path(sys.argv[3]))
