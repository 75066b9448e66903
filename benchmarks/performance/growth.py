"""How an image's time grows with resolution and batch, and what a second thread gives; beside what the arithmetic predicts."""

import argparse
import os
import time
from collections.abc import Callable

import torch

from benchmarks.performance import peak
from benchmarks.performance.harness import Rounds, median, number, orders, table, take_turns, work
from gan_hub import DCGANGenerator, R3GANGenerator, StyleGAN2Generator
from gan_hub.models import GANModel

TITLE = "Growth over resolution, batch and threads"
RESOLUTIONS, BATCHES = (32, 64, 128, 256), (1, 4, 16, 64)
LONGEST, SHORT = 6.0, 0.3  # seconds of one call: what would take longer is not measured, what takes less several times
THREADS_AT, THREADS_BATCH = 64, 4  # pixels and images, where one and two threads are compared

# name → the generator of a resolution. Feature maps as in the papers: of StyleGAN2 and R3GAN they halve with each doubling
# above 64 and 32 pixels; DCGAN's double at the coarsest grid.
NETWORKS: dict[str, Callable[[int], GANModel]] = {
    "dcgan": lambda side: DCGANGenerator(side, latent_size=100, base_channels=64, max_channels=8 * side),
    "stylegan2": lambda side: StyleGAN2Generator(side, base_channels=16384 // side),
    "r3gan": lambda side: R3GANGenerator(side, base_channels=24576 // side, max_channels=768),
}


@torch.no_grad()
def measure(options: argparse.Namespace) -> dict:
    """Seconds of every network's sizes, one after the other, and of one and two threads in turns."""
    cells = []
    for name, make in NETWORKS.items():
        for side in RESOLUTIONS:
            torch.manual_seed(0)
            generator = make(side).eval()
            cells += sizes(name, side, generator)
    return {"cells": cells, "threads": [threads(name, options.rounds) for name in NETWORKS], "load": os.getloadavg()[0]}


def sizes(name: str, side: int, generator: GANModel) -> list[dict]:
    """One network of one resolution, at every batch that does not take too long.

    Args:
        name: Of the network.
        side: Pixels.
        generator: The network.

    Returns:
        Operations, bytes and seconds of a call, for each batch.
    """
    cells, last = [], 0.0
    for batch in BATCHES:
        if last * 4 > LONGEST:
            break
        z = torch.randn(batch, generator.config["latent_size"])
        began = time.process_time()
        counted = work(lambda z=z: generator(z))
        last = time.process_time() - began  # of a long call, counting takes no part that one sees
        if last < SHORT:
            last = median(take_turns({"call": lambda z=z: generator(z)}, 3), "call")
        cells.append({"network": name, "side": side, "batch": batch, **counted, "seconds": last})
    return cells


def threads(name: str, rounds: int) -> dict:
    """Seconds by the clock and of the processor of a call with one and with two threads, in turns.

    Args:
        name: Of the network.
        rounds: Turns of each.

    Returns:
        For both clocks, round by round.
    """
    generator = NETWORKS[name](THREADS_AT).eval()
    z = torch.randn(THREADS_BATCH, generator.config["latent_size"])
    clock: Rounds = []
    processor: Rounds = []
    for order in orders(("1", "2"), rounds + 1):
        clock.append({})
        processor.append({})
        for count in order:
            torch.set_num_threads(int(count))
            began, began_processor = time.perf_counter(), time.process_time()
            generator(z)
            clock[-1][count] = time.perf_counter() - began
            processor[-1][count] = time.process_time() - began_processor
    torch.set_num_threads(1)
    return {"network": name, "clock": clock[1:], "processor": processor[1:]}  # the first calls allocate


def expected(cell: dict, ceiling: dict) -> float:
    """Seconds by the law: every operation at the peak, and every byte at the speed of a copy, one after the other."""
    return cell["flop"] / peak.peak(ceiling, "fp32") + cell["bytes"] / peak.bandwidth(ceiling)


def render(raw: dict, results: dict) -> str:
    """Three tables: milliseconds an image, the law, threads."""
    cells = {(cell["network"], cell["side"], cell["batch"]): cell for cell in raw["cells"]}
    lines, ceiling = [], results.get("peak")
    for name in NETWORKS:
        for side in RESOLUTIONS:
            one = cells[name, side, 1]
            row = [f"{name}, {side} px", number(one["flop"] / 1e9), number(one["bytes"] / 1e6)]
            for batch in BATCHES:
                cell = cells.get((name, side, batch))
                text = "–" if cell is None else number(1000 * cell["seconds"] / batch)
                if cell is not None and ceiling:
                    text += f" ({cell['seconds'] / expected(cell, ceiling):.1f})"
                row.append(text)
            lines.append(row)
    head = ["generator", "GFLOP an image", "MB moved, batch 1", *(f"batch {batch}" for batch in BATCHES)]
    rows = []
    for row in raw["threads"]:
        clock = min(each["1"] for each in row["clock"]) / min(each["2"] for each in row["clock"])
        more = median(row["processor"], "2") / median(row["processor"], "1")
        rows.append([row["network"], f"{clock:.2f}", f"{more:.2f}"])
    return (
        "Bare plain networks with random weights at the papers' widths, fp32, one thread: CPU milliseconds an image, and in "
        "parentheses how many times the law's. The law counts what the call runs: each operation of its matrix products and "
        "convolutions at the peak, and each byte that an operator reads or writes at the speed of a copy, one after the other. "
        "Above 1, kernels are below the peak (transposed, grouped and 1 × 1 convolutions, small grids) or weights are "
        "repacked at each call; below 1, tensors stayed in the cache. – would take a call of more than "
        f"{LONGEST:g} s.\n\n{table(head, lines)}\n\n"
        "By the law a DCGAN's time grows fivefold with each doubling (maps double as well), a StyleGAN2's by a constant and "
        "R3GAN's by less than twice (maps halve); with the batch an image gets cheaper only where weights, which a batch reads "
        "once, are most of the bytes.\n\n"
        f"Two threads instead of one, {THREADS_BATCH} images at {THREADS_AT} px; by the law, twice as fast at equal processor "
        f"time. Other work on the machine takes from the second thread (load {raw['load']:.1f} on {os.cpu_count()} cores): the "
        "first then waits for it at the end of every operator, and spins. Where cores are shared, one thread is the faster "
        "choice.\n\n"
        f"{table(['generator', 'times as fast by the clock, best round', 'processor time, times'], rows)}"
    )
