"""What 8 and 64 GPUs would give, by arithmetic from counted operations, bytes and calls; nothing here was run on them."""

import argparse
import math
from typing import cast

import torch
from accelerate import Accelerator

from benchmarks.performance import peak
from benchmarks.performance.harness import Work, number, table
from benchmarks.performance.steps import configured, made_up, weights_of
from gan_hub.images import height_width
from gan_hub.training.batches import Batches
from gan_hub.training.config import TrainConfig
from gan_hub.training.flops import OneProcess, step_kinds
from gan_hub.training.steps import train_step
from gan_hub.training.train_state import TrainState

TITLE = "On paper: one, 8 and 64 GPUs"
# NVIDIA H100 SXM5, data sheet: NVLink 900 GB/s both ways together. DGX H100, data sheet: eight ConnectX-7 of 400 Gb/s a node.
NVLINK, NETWORK = 450e9, 8 * 400e9 / 8  # bytes a second one way: of a GPU, and of a node
# Measured (docs/training.md): one large bf16 matrix product on an H100, and a step of r3gan-cats-64 that waits for Python.
PRODUCT, HOST_STEP, HOST_RECIPE = 771e12, 0.033, "r3gan-cats-64, 64 px"
SHARE = 0.3  # of that product, assumed for convolutions of a network that keeps the GPU busy
HOP = 5e-6  # seconds a hop of the ring, assumed
GPUS_A_NODE, BATCH = 8, 64  # images of a GPU
ALONE = cast(Accelerator, OneProcess())

# name → recipe, and what makes it the network of another size.
FULL_STYLEGAN2 = {"latent_size": 512, "w_size": 512, "max_channels": 512, "mapping_layers": 8}
NETWORKS: dict[str, tuple[str, dict]] = {
    "stylegan2-cats-64, 64 px": ("stylegan2-cats-64", {}),
    "stylegan2-cats-64, 256 px": ("stylegan2-cats-64", {"resolution": 256}),
    "StyleGAN2 of the paper's widths, 256 px": (
        "stylegan2-cats-64",
        {
            "resolution": 256,
            "generator": FULL_STYLEGAN2 | {"base_channels": 64},
            "discriminator": {"base_channels": 64, "max_channels": 512},
        },
    ),
    HOST_RECIPE: ("r3gan-cats-64", {}),
    "r3gan-cats-64, 256 px": ("r3gan-cats-64", {"resolution": 256}),
    "R3GAN of the paper's widths, 256 px": (
        "r3gan-cats-64",
        {
            "resolution": 256,
            "generator": {"latent_size": 64, "base_channels": 96, "max_channels": 768, "blocks": 2},
            "discriminator": {"base_channels": 96, "max_channels": 768, "blocks": 2},
        },
    ),
}


def counted(config: TrainConfig) -> dict[str, float]:
    """Operations of an image, penalties as often as they come; operators of a step without one; weights."""
    state, kinds = TrainState(config, 0, ALONE), step_kinds(config)
    batches = Batches(made_up(config, 8), config, state.latent_size, ALONE)
    flop, calls = 0.0, []
    for same in kinds:
        with Work() as work:
            train_step(state, config, batches, same[0])
        flop += work.count * len(same) / config.batch_size
        calls.append(work.calls)
    return {"flop": flop / sum(map(len, kinds)), "calls": min(calls), "weights": weights_of(state)}


def measure(_: argparse.Namespace) -> dict:
    """Operations of an image, weights and operators of a step, counted on steps with two images."""
    torch.set_num_threads(1)
    rows = []
    for name, (recipe, changes) in NETWORKS.items():
        config = configured(recipe, 2, "fp32", changes)
        pixels = config.channels * math.prod(height_width(config.resolution))
        rows.append({"network": name, **counted(config), "image_bytes": pixels})
    return {"rows": rows}


def ring(bytes_: float, gpus: int) -> float:
    """Seconds of a sum by a ring over all GPUs: each sends 2 (n − 1)/n of the bytes, in 2 (n − 1) hops."""
    if gpus == 1:
        return 0.0
    speed = NVLINK if gpus <= GPUS_A_NODE else NETWORK
    return 2 * (gpus - 1) / gpus * bytes_ / speed + 2 * (gpus - 1) * HOP


def step_seconds(row: dict, gpus: int, batch: float, call: float) -> float:
    """Seconds of a step: the GPU's arithmetic or the host's calls, whichever is longer, then the sum of gradients.

    Args:
        row: What was counted of the networks.
        gpus: How many.
        batch: Images of each.
        call: Seconds that the host takes for an operator.

    Returns:
        Seconds.
    """
    return max(batch * row["flop"] / (SHARE * PRODUCT), row["calls"] * call) + ring(4 * row["weights"], gpus)


def render(raw: dict, results: dict) -> str:
    """What grows with the GPUs, and the batch below which the host is what is waited for."""
    host = next(row for row in raw["rows"] if row["network"] == HOST_RECIPE)
    call, rows = HOST_STEP / host["calls"], []
    for row in raw["rows"]:
        speeds = {gpus: gpus * BATCH / step_seconds(row, gpus, BATCH, call) for gpus in (1, 8, 64)}
        smallest = row["calls"] * call * SHARE * PRODUCT / row["flop"]
        rows.append([
            row["network"], number(row["flop"] / 1e9), number(4 * row["weights"] / 1e6), f"{row['calls']:,}",
            *(number(1000 * ring(4 * row["weights"], gpus)) for gpus in (8, 64)), f"{number(1000 * row['calls'] * call)}",
            f"{math.ceil(smallest):,}", *(number(speed) for speed in speeds.values()),
            f"{speeds[8] / speeds[1]:.1f} / {speeds[64] / speeds[1]:.0f}", number(speeds[64] * row["image_bytes"] / 1e9),
        ])  # fmt: skip
    head = [
        "networks", "GFLOP an image", "MB of gradients", "operators a step", "sum over 8, ms", "over 64, ms",
        "host, ms a step", "batch a GPU that keeps it busy", "img/s, 1 GPU", "8", "64", "times one", "images, GB/s at 64",
    ]  # fmt: skip
    copy = f" (one core here copies {number(peak.bandwidth(results['peak']) / 2e9)} GB/s)" if "peak" in results else ""
    return (
        "**Arithmetic, no measurement.** Counted here: operations of a training image with its penalties as often as they "
        "come, weights, and operators of a step. Hardware: H100 SXM5, NVLink 450 GB/s one way (NVIDIA's data sheet of the "
        "H100: 900 both ways), eight network cards of 400 Gb/s a node (data sheet of the DGX H100). Measured on an H100 "
        f"(docs/training.md): {PRODUCT / 1e12:.0f} TFLOP/s in one large bf16 matrix product, and {1000 * HOST_STEP:.0f} ms "
        f"that Python takes for a step of `r3gan-cats-64`, thus {1e6 * call:.0f} µs an operator. Assumed: convolutions of a "
        f"busy GPU reach {100 * SHARE:.0f} % of that product; {1e6 * HOP:.0f} µs a hop of the ring; the sum of the "
        f"float32 gradients is not hidden behind the arithmetic; {BATCH} images a GPU.\n\n{table(head, rows)}\n\n"
        "Where it stops:\n\n"
        "- **The host, first.** Below the batch in the middle column a GPU waits for Python, and a step takes as long with "
        "fewer images: more GPUs help only as long as each has that many: a total batch of B images keeps "
        "B divided by that number of GPUs busy. For the small networks one GPU is already too many, and CUDA graphs, which start "
        "a step's operators at once, come before a second GPU.\n"
        "- **The sum of gradients hardly.** It takes 2 (n − 1)/n of the gradients through the slowest link, and for networks "
        f"this small the hops ({2 * 63} of them at 64 GPUs) more than the bytes. It is under a tenth of a step everywhere "
        "above, so that eight nodes scale nearly as one where the batch may grow with them.\n"
        f"- **Loading, not.** Images lie decoded in memory as bytes{copy}; the last column is all of 64 GPUs together, an "
        "eighth of it a node.\n"
        "- **The game, last.** 64 GPUs with 64 images each are batches of 4,096, for which no recipe here was tuned."
    )
