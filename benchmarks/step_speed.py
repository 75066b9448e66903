"""Images per CPU-second of one training step: ours against the steps of three authors' programs, at equal sizes.

python benchmarks/step_speed.py --peers FOLDER [--games dcgan stylegan2 r3gan] [--rounds 5] [--precision auto]

One thread; prints a table, writes nothing. FOLDER has clones of what is to be compared, each under its own name; of one that is
not there only our side is measured:

    git clone https://github.com/pytorch/examples                      # 77f55b9
    git clone https://github.com/NVlabs/stylegan2-ada-pytorch          # d72cc7d
    git clone https://github.com/brownvc/R3GAN                         # 19a7ddf

Ours is the whole step of a recipe: batch from memory, both players, NaN check, running average. Theirs is the update of both
players, without their image loading. Each contender lives in a process of its own, as it would, and they take turns, one step
each, so that a busy machine slows all; CPU time is read, not the clock. A step's time is the mean over its kinds, with penalties
and without, as often as they come; the ratio is the median of the rounds' ratios.
"""

import argparse
import ast
import contextlib
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import cast

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
import torch
from packaging.version import parse
from torch import nn

from gan_hub.data import ImageSet
from gan_hub.images import height_width
from gan_hub.training.accelerator import make_accelerator
from gan_hub.training.batches import Batches
from gan_hub.training.config import TrainConfig
from gan_hub.training.diagnostics import hardware
from gan_hub.training.flops import step_kinds
from gan_hub.training.memory import freed_memory_kept
from gan_hub.training.precision import with_precision
from gan_hub.training.recipes import read_recipe
from gan_hub.training.steps import train_step
from gan_hub.training.train_state import TrainState

RECIPES = Path(__file__).parents[1] / "recipes"
CPU = torch.device("cpu")
Step = Callable[[int], object]

# game → batch, recipe, and our contenders: name → what of the recipe is changed so that the game is the peer's.
GAMES: dict[str, tuple[int, str, dict[str, dict]]] = {
    "dcgan": (64, "dcgan-64", {"the recipe's game, as theirs": {}}),
    "stylegan2": (
        16,
        "stylegan2-cats-64",
        {"R1 every 16th, path length every 4th step, as theirs": {"augment": "none", "path_length_weight": 2.0}},
    ),
    "r3gan": (
        16,
        "r3gan-cats-64",
        {
            "R1 and R2 in every step, as theirs": {"penalty_interval": 1},
            "R1 and R2 in every 8th step, as the recipe has it": {},
        },
    ),
}
PEERS = {"dcgan": "examples", "stylegan2": "stylegan2-ada-pytorch", "r3gan": "R3GAN"}


def made_up(config: TrainConfig, count: int = 256) -> np.ndarray:
    """Random images (count, H, W, C) of the recipe's size."""
    height, width = height_width(config.resolution)
    return np.random.default_rng(0).integers(0, 256, (count, height, width, config.channels)).astype(np.uint8)


def configured(game: str, precision: str, changes: dict) -> TrainConfig:
    """The configuration of one of our contenders."""
    batch, recipe, _ = GAMES[game]
    own = {
        "batch_size": batch,
        "precision": precision,
        "output": tempfile.gettempdir(),
        "trackers": "none",
        "device": "cpu",
    }
    return TrainConfig(**read_recipe(RECIPES / f"{recipe}.yaml") | own | changes)


def our_step(config: TrainConfig) -> Step:
    """The step of a run, from memory to the running average."""
    accelerator = make_accelerator(config)
    state = TrainState(config, 0, accelerator)
    batches = Batches(ImageSet(made_up(config)), config, state.latent_size, accelerator)

    def step(number: int) -> None:
        metrics = train_step(state, config, batches, number)
        assert torch.isfinite(torch.stack([value.double() for value in metrics.values()])).all()
        state.ema.update(state.unwrapped_generator, config.batch_size, 1000)

    return step


# ------------------------------------------------------------------------------------------------- the peers' steps


def reals_of(config: TrainConfig) -> torch.Tensor:
    """A batch of images (N, C, H, W) in [-1, 1]."""
    return torch.from_numpy(made_up(config, config.batch_size)).permute(0, 3, 1, 2).float() / 127.5 - 1


def their_dcgan(folder: Path, config: TrainConfig) -> Step:
    """The example's own networks and the body of its own loop, cut out of its script, up to the generator's update."""
    body = ast.parse((folder / "dcgan" / "main.py").read_text(encoding="utf-8")).body
    scope: dict = {"torch": torch, "nn": nn, "ngpu": 1, "nz": 100, "ngf": 64, "ndf": 64, "nc": 3, "device": CPU}
    definitions: list[ast.stmt] = [part for part in body if isinstance(part, (ast.FunctionDef, ast.ClassDef))]
    exec(compile(ast.Module(definitions, []), "main.py", "exec"), scope)
    networks = {f"net{name[0]}": scope[name](1) for name in ("Generator", "Discriminator")}
    for name, network in networks.items():
        network.apply(scope["weights_init"])
        scope[f"optimizer{name[-1]}"] = torch.optim.Adam(network.parameters(), 2e-4, (0.5, 0.999))
    scope |= networks | {"criterion": nn.BCELoss(), "real_label": 1, "fake_label": 0, "data": [reals_of(config)]}
    epochs = next(part for part in body if isinstance(part, ast.For))
    loop = next(part for part in epochs.body if isinstance(part, ast.For)).body
    last = next(place for place, part in enumerate(loop) if ast.unparse(part) == "optimizerG.step()")
    code = compile(ast.Module(loop[: last + 1], []), "main.py", "exec")
    return lambda number: exec(code, scope)


def their_stylegan2(folder: Path, config: TrainConfig) -> Step:
    """Their networks at the recipe's widths, their loss, and the phases of their loop."""
    sys.path.insert(0, str(folder))
    from training.loss import StyleGAN2Loss  # type: ignore[import-not-found]
    from training.networks import Discriminator, Generator  # type: ignore[import-not-found]

    own, side = config.generator, config.resolution
    widths = {"channel_base": own["base_channels"] * side, "channel_max": own["max_channels"]}
    generator = Generator(
        own["latent_size"], 0, own["w_size"], side, 3,
        mapping_kwargs={"num_layers": own["mapping_layers"]}, synthesis_kwargs=widths,
    ).train().requires_grad_(False)  # fmt: skip
    discriminator = Discriminator(0, side, 3, **widths).train().requires_grad_(False)
    loss = StyleGAN2Loss(
        CPU,
        generator.mapping,
        generator.synthesis,
        discriminator,
        style_mixing_prob=config.mixing,
        r1_gamma=config.r1_gamma,
    )
    optimizers = {net: torch.optim.Adam(net.parameters(), 2.5e-3, (0.0, 0.99)) for net in (generator, discriminator)}
    phases = [
        ("Gmain", generator, 1),
        ("Greg", generator, config.path_length_interval),
        ("Dmain", discriminator, 1),
        ("Dreg", discriminator, config.penalty_interval),
    ]
    reals, none = reals_of(config), torch.zeros(config.batch_size, 0)

    def step(number: int) -> None:
        for phase, network, interval in phases:
            if number % interval == 0:
                optimizers[network].zero_grad(set_to_none=True)
                network.requires_grad_(True)
                z = torch.randn(config.batch_size, own["latent_size"])
                loss.accumulate_gradients(phase, reals, none, z, none, sync=True, gain=interval)
                network.requires_grad_(False)
                optimizers[network].step()

    return step


def their_r3gan(folder: Path, config: TrainConfig) -> Step:
    """Their networks at the recipe's sizes, and both players' updates as their loop makes them."""
    sys.path.insert(0, str(folder))
    # They ask setuptools for this one function, which newer ones lack.
    sys.modules.setdefault("pkg_resources", cast(ModuleType, SimpleNamespace(parse_version=parse)))
    from R3GAN.Networks import Discriminator, Generator  # type: ignore[import-not-found]
    from R3GAN.Trainer import AdversarialTraining  # type: ignore[import-not-found]

    widths = [256, 256, 192, 96, 48]  # the recipe's at 4, 8, 16, 32 and 64 pixels
    groups, blocks, filtered = [2 * width // 16 for width in widths], [1] * 5, [1, 2, 1]
    generator = Generator(64, widths, groups, blocks, 2, ResamplingFilter=filtered).requires_grad_(False)
    discriminator = Discriminator(widths[::-1], groups[::-1], blocks, 2, ResamplingFilter=filtered).requires_grad_(
        False
    )
    game = AdversarialTraining(generator, discriminator)
    optimizers = {net: torch.optim.Adam(net.parameters(), 6e-4, (0.0, 0.99)) for net in (generator, discriminator)}
    reals = reals_of(config)

    def step(number: int) -> None:
        for network in (discriminator, generator):
            optimizers[network].zero_grad(set_to_none=True)
            network.requires_grad_(True)
            z = torch.randn(config.batch_size, 64)
            if network is discriminator:
                game.AccumulateDiscriminatorGradients(z, reals, None, config.r1_gamma)
            else:
                game.AccumulateGeneratorGradients(z, reals, None)
            network.requires_grad_(False)
            optimizers[network].step()

    return step


THEIRS = {"dcgan": their_dcgan, "stylegan2": their_stylegan2, "r3gan": their_r3gan}

# ------------------------------------------------------------------------------------------- contenders take turns


def serve(game: str, ours: str, precision: str, peers: Path) -> None:
    """Be one contender: read numbers of steps, a line each, and answer with the CPU seconds that each took."""
    answers = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)  # whatever a peer prints is no answer
    torch.set_num_threads(1)
    config = configured(game, precision, GAMES[game][2].get(ours, {}))
    with freed_memory_kept(CPU) if ours else contextlib.nullcontext():
        step = our_step(config) if ours else THEIRS[game](peers / PEERS[game], config)
        for line in sys.stdin:
            began = time.process_time()
            step(int(line))
            print(time.process_time() - began, file=answers)


class Contender:
    """One side of a game, in a process of its own."""

    def __init__(self, game: str, ours: str, config: TrainConfig, peers: Path) -> None:
        self.kinds = [(same[0], len(same)) for same in step_kinds(config)] if ours or game == "stylegan2" else [(0, 1)]
        command = [sys.executable, __file__, "--serve", game, ours, config.precision, "--peers", str(peers)]
        self.errors = tempfile.TemporaryFile("w+")  # a pipe that nobody reads would fill up
        self.process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self.errors, text=True
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


def compare(game: str, precision: str, rounds: int, peers: Path) -> list[str]:
    """Rows of the table for one game."""
    batch, _, changes = GAMES[game]
    configs = {name: with_precision(configured(game, precision, change)) for name, change in changes.items()}
    contenders = {name: Contender(game, name, config, peers) for name, config in configs.items()}
    cloned = (peers / PEERS[game]).is_dir()
    if cloned:
        first = next(iter(configs.values()))
        contenders = {PEERS[game]: Contender(game, "", replace(first, precision="fp32"), peers)} | contenders
    for contender in contenders.values():
        contender.mean_step()  # the first steps allocate
    turns = [{name: contender.mean_step() for name, contender in contenders.items()} for _ in range(rounds)]
    for contender in contenders.values():
        contender.end()
    rows = []
    for name in contenders:
        speed = batch / statistics.median(turn[name] for turn in turns)
        ratios = [turn[PEERS[game]] / turn[name] for turn in turns] if cloned else []
        ratio = (
            f"{statistics.median(ratios):.2f} ({min(ratios):.2f}–{max(ratios):.2f})"
            if cloned
            else "not measured: no clone"
        )
        how = f"ours, {configs[name].precision}: {name}" if name in configs else f"{name}, fp32"
        rows.append(f"| {game}, batch {batch} | {how} | {speed:.1f} | {ratio} |")
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--peers", type=Path, default=Path("peers"), help="folder of the clones")
    parser.add_argument("--games", nargs="+", choices=GAMES, default=list(GAMES))
    parser.add_argument("--rounds", type=int, default=5, help="turns of each; the median counts")
    parser.add_argument("--precision", default="auto", choices=("auto", "fp32", "bf16"), help="of our side")
    parser.add_argument("--serve", nargs=3, metavar=("GAME", "OURS", "PRECISION"), help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.serve:
        game, ours, precision = given.serve
        serve(game, ours, precision, given.peers.resolve())
        return
    torch.set_num_threads(1)
    print(f"{hardware(CPU)}, torch {torch.__version__}\n")
    tables = [compare(game, given.precision, given.rounds, given.peers.resolve()) for game in given.games]
    print("\n| game | step | images per CPU-second | times theirs (smallest and largest round) |\n|---|---|---|---|")
    print("\n".join(row for rows in tables for row in rows))


if __name__ == "__main__":
    main()
