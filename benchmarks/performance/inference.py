"""A generator's images: through the pipeline, with each engine, and by the authors' program at the same sizes."""

import argparse
from collections.abc import Callable

import torch

from benchmarks.performance import peak, peers
from benchmarks.performance.engines import PLAIN, pipelines
from benchmarks.performance.harness import Goal, median, number, ratios, spread, table, take_turns, work
from gan_hub import DCGANGenerator, GANPipeline, R3GANGenerator, StyleGAN2Generator
from gan_hub.models import GANModel

TITLE = "Images, beside three authors' programs"
THEIRS = "theirs, as they call it"
# game → the generator of the peer's size, and batch → how many times as fast as theirs it is to be.
GAMES: dict[str, tuple[Callable[[], GANModel], dict[int, float]]] = {
    "dcgan": (lambda: DCGANGenerator(64, latent_size=100, base_channels=64, max_channels=512), {1: 4.0, 64: 3.0}),
    "stylegan2": (lambda: StyleGAN2Generator(64, base_channels=256), {1: 2.5, 8: 5.0}),
    "r3gan": (lambda: R3GANGenerator(64), {1: 3.0, 4: 3.0}),
}
# Why a goal is missed, where it is: found by profiling, and shown only then.
REASONS = {
    "dcgan": "In a batch of one its layers on 4 × 4 and 8 × 8 pixels read 10 MB of weights for few operations; in any batch "
    "transposed convolutions stay below the peak.",
    "stylegan2": "Beside its convolutions it multiplies by styles, blurs and adds noise and biases, which moves memory.",
    "r3gan": "Five sixths of its operations are 1 × 1 convolutions and the rest grouped ones, whose kernels stay below the peak.",
}


def measure(options: argparse.Namespace) -> dict:
    """Seconds, operations and largest differences of every game's variants."""
    return {"rows": [row for game in GAMES for row in measure_game(game, options)]}


def drawing(pipe: GANPipeline, z: torch.Tensor, batch_size: int | None) -> Callable[[], object]:
    """The public call for images of `z`.

    Args:
        pipe: Plain or with an engine.
        z: Latents (N, Z).
        batch_size: Images at a time; None for the pipeline's own choice.

    Returns:
        The call, without arguments.
    """
    return lambda: pipe(latents=z, output_type="pt", batch_size=batch_size)


@torch.no_grad()
def measure_game(game: str, options: argparse.Namespace) -> list[dict]:
    """One row a batch: each variant's seconds a call."""
    torch.manual_seed(0)
    make, goals = GAMES[game]
    generator = make().eval()
    folder = peers.clone(options.peers, game)
    their_images = None if folder is None else peers.IMAGES[game](folder)
    rows = []
    for batch in goals:
        pipes, about = pipelines(lambda: GANPipeline(generator), batch)
        z = torch.randn(batch, generator.config["latent_size"])
        variants: dict[str, Callable[[], object]] = {}
        if their_images is not None:
            variants[THEIRS] = lambda batch=batch: their_images(batch)
        variants |= {name: drawing(pipe, z, None if name == PLAIN else batch) for name, pipe in pipes.items()}
        with torch.enable_grad():  # the operations of the formula itself: with gradients, nothing takes a short cut
            flop = {"ours": work(lambda z=z: generator(z))["flop"]}
        flop |= {THEIRS: work(variants[THEIRS])["flop"]} if their_images is not None else {}
        row = {"game": game, "batch": batch, "flop": flop, "about": about}
        row["parameters"] = sum(parameter.numel() for parameter in generator.parameters())
        row["rounds"] = take_turns(variants, options.rounds)
        rows.append(row)
    return rows


def dtype_of(name: str, about: dict[str, dict]) -> str:
    """The dtype whose peak a variant is held against."""
    return "bf16" if about.get(name, {}).get("dtype") == "bfloat16" else "fp32"


def render(raw: dict, results: dict) -> str:
    """A row for each variant of each game and batch."""
    lines, ceiling = [], results.get("peak")
    for row in raw["rows"]:
        rounds, batch = row["rounds"], row["batch"]
        for name in rounds[0]:
            seconds = median(rounds, name)
            flop = row["flop"].get(name, row["flop"]["ours"])
            share = (
                f"{100 * flop / seconds / peak.peak(ceiling, dtype_of(name, row['about'])):.0f} %" if ceiling else "–"
            )
            ratio = "1" if name == THEIRS else spread(ratios(rounds, THEIRS, name)) if THEIRS in rounds[0] else "–"
            levels = row["about"].get(name, {}).get("levels")
            lines.append([
                f"{row['game']}, batch {batch}", name, number(1000 * seconds / batch), ratio,
                number(flop / seconds / 1e9), share, "–" if levels is None else f"{levels:.2g}",
            ])  # fmt: skip
    head = ["generator", "variant", "ms an image", "times theirs", "GFLOP/s", "share of the peak", "levels"]
    sizes = {row["game"]: (row["parameters"], row["flop"]["ours"] / row["batch"]) for row in raw["rows"]}
    named = "; ".join(
        f"{game} {number(p / 1e6)} million weights, {number(f / 1e9)} GFLOP" for game, (p, f) in sizes.items()
    )
    missing = sorted({row["game"] for row in raw["rows"] if THEIRS not in row["rounds"][0]})
    without = f" Not compared, for there was no clone: {', '.join(missing)}." if missing else ""
    return (
        f"64 × 64 pixels, random weights, one thread: {named} an image. Theirs is the network as their program calls it, in "
        "fp32; ours is the public call, from latents to images in memory: plain as it is called, which draws one image at a "
        "time so that each is the same in any batch; engines with a `batch_size` as large as the batch. “levels” is the "
        "largest difference from the plain pipeline in a few probes, in levels of 255."
        f"{without}\n\n{table(head, lines)}"
    )


def goals(raw: dict, results: dict) -> list[Goal]:
    """Each batch's fastest variant in fp32; bfloat16, which has to be allowed, is said beside it.

    Random weights draw faint images, of which bfloat16 changes fewer levels than of a trained model's.
    """
    each, ceiling = [], results.get("peak")
    for row in raw["rows"]:
        rounds, game, batch = row["rounds"], row["game"], row["batch"]
        if THEIRS not in rounds[0]:
            continue
        speeds = {name: ratios(rounds, THEIRS, name)[0] for name in rounds[0] if name != THEIRS}
        exact = {name: speed for name, speed in speeds.items() if dtype_of(name, row["about"]) == "fp32"}
        best, reason = max(exact, key=lambda name: exact[name]), REASONS[game]
        if ceiling:
            limit = median(rounds, THEIRS) / (row["flop"]["ours"] / peak.peak(ceiling, "fp32"))
            reason = f"All its operations at this core's peak in fp32 would be {limit:.1f} times theirs. {reason}"
        for name in speeds.keys() - exact.keys():
            reason = f"In bfloat16, which has to be allowed (`max_levels`), {speeds[name]:.2f} ×. {reason}"
        each.append(
            Goal(f"{game} 64, batch {batch}: times theirs ({best})", exact[best], GAMES[game][1][batch], reason=reason)
        )
    return each
