"""Training steps: ours, from images in memory to the running average, and the authors' updates of both players.

Each contender lives in a process of its own, as it would, and they take turns, one step each; CPU time is read, not the clock.
A step's time is the mean over its kinds, with penalties and without, as often as they come.
"""

import argparse
import contextlib
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch

from benchmarks.performance import peak, peers
from benchmarks.performance.harness import Goal, median, number, orders, ratios, spread, table
from gan_hub.data import ImageSet
from gan_hub.images import height_width
from gan_hub.training.accelerator import make_accelerator
from gan_hub.training.batches import Batches
from gan_hub.training.config import TrainConfig
from gan_hub.training.flops import flops_per_image, step_kinds
from gan_hub.training.memory import freed_memory_kept
from gan_hub.training.precision import with_precision
from gan_hub.training.recipes import read_recipe
from gan_hub.training.steps import train_step
from gan_hub.training.train_state import TrainState

TITLE = "Training steps, beside the same programs"
RECIPES = Path(__file__).parents[2] / "recipes"
ROOT = Path(__file__).parents[2]
CPU = torch.device("cpu")
THEIRS = "theirs"

# game → batch, recipe, and our contenders: name → what of the recipe is changed so that the game is the peer's, and how many
# times as fast as theirs it is to be.
GAMES: dict[str, tuple[int, str, dict[str, tuple[dict, float]]]] = {
    "dcgan": (64, "dcgan-64", {"the recipe's game, as theirs": ({}, 2.0)}),
    "stylegan2": (
        16,
        "stylegan2-cats-64",
        {
            "R1 every 16th, path length every 4th step, as theirs": (
                {"augment": "none", "path_length_weight": 2.0}, 2.5,
            ),
        },
    ),
    "r3gan": (
        16,
        "r3gan-cats-64",
        {
            "R1 and R2 in every step, as theirs": ({"penalty_interval": 1}, 1.5),
            "R1 and R2 in every 8th step, as the recipe has it": ({}, 2.5),
        },
    ),
}  # fmt: skip
# Why a goal is missed, where it is.
REASONS = {
    "dcgan": "Transposed convolutions and their gradients stay below the peak.",
    "stylegan2": "Its blurs, and penalties through them, move memory.",
    "r3gan": "Grouped convolutions and their second derivatives stay below the peak.",
}


def made_up(config: TrainConfig, count: int = 256) -> ImageSet:
    """Random images of the recipe's size."""
    shape = (count, *height_width(config.resolution), config.channels)
    return ImageSet(np.random.default_rng(0).integers(0, 256, shape).astype(np.uint8))


def weights_of(state: TrainState) -> int:
    """How many numbers both networks learn, and have gradients of."""
    networks = state.generator, state.discriminator
    return sum(parameter.numel() for network in networks if network is not None for parameter in network.parameters())


def configured(recipe: str, batch: int, precision: str, changes: dict) -> TrainConfig:
    """The configuration of one of our contenders.

    Args:
        recipe: Its name.
        batch: Images of a step.
        precision: "fp32", "bf16" or "auto".
        changes: What else differs from the recipe.

    Returns:
        The configuration, on the CPU.
    """
    own = {"batch_size": batch, "precision": precision, "trackers": "none", "device": "cpu"}
    own["output"] = tempfile.gettempdir()
    return TrainConfig(**read_recipe(RECIPES / f"{recipe}.yaml") | own | changes)


def our_step(config: TrainConfig) -> Callable[[int], object]:
    """The step of a run, from memory to the running average."""
    accelerator = make_accelerator(config)
    state = TrainState(config, 0, accelerator)
    batches = Batches(made_up(config), config, state.latent_size, accelerator)

    def step(number: int) -> None:
        metrics = train_step(state, config, batches, number)
        assert torch.isfinite(torch.stack([value.double() for value in metrics.values()])).all()
        state.ema.update(state.unwrapped_generator, config.batch_size, 1000)

    return step


# ------------------------------------------------------------------------------------------- contenders take turns


def serve(game: str, contender: str, precision: str, folder: Path | None) -> None:
    """Be one contender: read numbers of steps, a line each, and answer with the CPU seconds that each took.

    Args:
        game: Which.
        contender: One of ours, or THEIRS.
        precision: Of our networks.
        folder: Of the clones.
    """
    answers = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)  # what a peer prints is no answer
    torch.set_num_threads(1)
    batch, recipe, changes = GAMES[game]
    config = configured(recipe, batch, precision, changes.get(contender, next(iter(changes.values())))[0])
    clone = peers.clone(folder, game) if contender == THEIRS else None
    with freed_memory_kept(CPU) if clone is None else contextlib.nullcontext():
        step = our_step(config) if clone is None else peers.STEPS[game](clone, config)
        for line in sys.stdin:
            began = time.process_time()
            step(int(line))
            print(time.process_time() - began, file=answers)


class Contender:
    """One side of a game, in a process of its own."""

    def __init__(self, game: str, name: str, config: TrainConfig, folder: Path | None) -> None:
        kinds = name != THEIRS or game == "stylegan2"
        self.kinds = [(same[0], len(same)) for same in step_kinds(config)] if kinds else [(0, 1)]
        command = [sys.executable, "-m", __name__, game, name, config.precision, str(folder or "")]
        self.errors = tempfile.TemporaryFile("w+")  # a pipe that is not read would fill up
        self.process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self.errors, text=True, cwd=ROOT
        )

    def seconds(self, number: int) -> float:
        """CPU seconds of one step."""
        assert self.process.stdin is not None and self.process.stdout is not None
        self.process.stdin.write(f"{number}\n")
        self.process.stdin.flush()
        answer = self.process.stdout.readline()
        if not answer:
            self.errors.seek(0)
            raise SystemExit(f"a contender ended: {self.errors.read()[-2000:]}")
        return float(answer)

    def mean_step(self) -> float:
        """CPU seconds of a step, the mean over its kinds as often as they come."""
        return sum(self.seconds(number) * often for number, often in self.kinds) / sum(often for _, often in self.kinds)

    def end(self) -> None:
        """Let the process end."""
        self.process.communicate()


def measure(options: argparse.Namespace) -> dict:
    """Seconds of every game's contenders."""
    return {"rows": [measure_game(game, options) for game in GAMES]}


def measure_game(game: str, options: argparse.Namespace) -> dict:
    """One game: its precision, the operations of an image, and each contender's seconds a step."""
    batch, recipe, changes = GAMES[game]
    first = configured(recipe, batch, options.precision, next(iter(changes.values()))[0])
    precision = with_precision(first).precision
    configs = {name: configured(recipe, batch, precision, change) for name, (change, _) in changes.items()}
    folder = None if peers.clone(options.peers, game) is None else options.peers.resolve()
    flop = {name: flops_per_image(config, 0, made_up(config)) * batch for name, config in configs.items()}
    contenders = {name: Contender(game, name, config, folder) for name, config in configs.items()}
    if folder is not None:
        exact = replace(next(iter(configs.values())), precision="fp32")
        contenders = {THEIRS: Contender(game, THEIRS, exact, folder)} | contenders
    for contender in contenders.values():
        contender.mean_step()  # the first steps allocate
    rounds = [
        {name: contenders[name].mean_step() for name in order} for order in orders(list(contenders), options.rounds)
    ]
    for contender in contenders.values():
        contender.end()
    return {"game": game, "batch": batch, "precision": precision, "flop": flop, "rounds": rounds}


def render(raw: dict, results: dict) -> str:
    """A row for each contender."""
    lines, ceiling = [], results.get("peak")
    for row in raw["rows"]:
        for name in row["rounds"][0]:
            seconds, mine = median(row["rounds"], name), name in row["flop"]
            ratio = (
                "1" if not mine else spread(ratios(row["rounds"], THEIRS, name)) if THEIRS in row["rounds"][0] else "–"
            )
            speed = row["flop"][name] / seconds if mine else 0
            limit = peak.peak(ceiling, row["precision"]) if ceiling else 0
            lines.append([
                f"{row['game']}, batch {row['batch']}", f"ours, {row['precision']}: {name}" if mine else "theirs, fp32",
                number(row["batch"] / seconds), ratio, number(speed / 1e9) if mine else "–",
                f"{100 * speed / limit:.0f} %" if mine and limit else "–",
            ])  # fmt: skip
    head = ["game, 64 px", "step", "images a CPU-second", "times theirs", "GFLOP/s", "share of the peak"]
    return (
        "Ours is the whole step of a recipe: batch from memory, both players, NaN check, running average; `precision: auto` "
        "chose the dtype. Theirs is the update of both players, without their image loading; StyleGAN2's path length there is "
        f"of half a batch.\n\n{table(head, lines)}"
    )


def goals(raw: dict, _: dict) -> list[Goal]:
    """One for each of our contenders that has a peer."""
    return [
        Goal(
            f"training step of {row['game']} ({name}): times theirs",
            ratios(row["rounds"], THEIRS, name)[0],
            GAMES[row["game"]][2][name][1],
            reason=REASONS[row["game"]],
        )
        for row in raw["rows"]
        if THEIRS in row["rounds"][0]
        for name in GAMES[row["game"]][2]
    ]


if __name__ == "__main__":
    game, contender, precision, folder = sys.argv[1:]
    serve(game, contender, precision, Path(folder) if folder else None)
