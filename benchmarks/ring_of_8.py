"""The ring of eight Gaussians: `python benchmarks/ring_of_8.py` plays every game on it and writes docs/ring-of-8.md.

The classic test for mode collapse (Metz et al. 2017, arXiv 1611.02163, section 3.1): points of the plane, eight narrow
modes on a circle. The steps and losses are the trainer's own; only the networks are toys. Everything is on one thread, the
settings are the same for all seeds.

Shapes: N points of a batch, Z latent size; points are (N, 2), the circle's radius is 1.
"""

import argparse
import contextlib
import platform
import statistics
import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import torch
from torch import nn

from gan_hub.augment import AugmentPipe
from gan_hub.ema import EMA
from gan_hub.toy.datasets import DATASETS, FAIR_SHARE
from gan_hub.toy.players import DEPTH, LATENT, WIDTH, Toy
from gan_hub.training.config import TrainConfig
from gan_hub.training.measures import WeightChange, pair_distance
from gan_hub.training.monitors import Monitors
from gan_hub.training.steps import discriminator_step, generator_step
from gan_hub.training.train_state import AdaptiveState, ScaledOptimizer

RING = DATASETS["ring"]
MODES, SD = RING.modes, RING.sd
SAMPLES = 5000  # a game is judged by
HIT = FAIR_SHARE / MODES  # share of the samples, within 3 sd of a mode, that makes it count as hit
SEEDS = range(5)
BATCH, STEPS = 128, 1200
WATCH_STEPS = 50  # between two looks of the monitors, as in a run

# What all games share but those that say otherwise: rates, averaging, and an end with falling rates.
COMMON = {
    "batch_size": BATCH,
    "total_kimg": BATCH * STEPS / 1000,
    "decay_kimg": BATCH * STEPS / 4000,
    "learning_rate_generator": 5e-3,
    "learning_rate_discriminator": 5e-3,
    "beta1": 0.0,
    "beta2": 0.99,
    "ema_halflife_kimg": 2.0,
    "r1_gamma": 0.0,
    "penalty_interval": 4,
}
PLAIN = {"decay_kimg": 0.0, "ema_halflife_kimg": 0.0}  # the games as they were first played: no averaging, no decay


def rates(rate: float, beta1: float, beta2: float) -> dict[str, float]:
    names = ("learning_rate_generator", "learning_rate_discriminator")
    return dict.fromkeys(names, rate) | {"beta1": beta1, "beta2": beta2}


BOTH = {"r1_gamma": 0.02, "r2_gamma": 0.02}

# game → what it changes in COMMON
GAMES: dict[str, dict] = {
    "vanilla": {"loss": "minimax"} | PLAIN | rates(2e-4, 0.9, 0.999),  # Adam's own defaults, with equal small rates
    "vanilla, DCGAN's Adam": {"loss": "minimax"} | PLAIN | rates(2e-4, 0.5, 0.999),
    "minimax": {"loss": "minimax"},
    "non-saturating": {"loss": "non_saturating"},
    "least squares": {"loss": "least_squares"},
    # Adam without momentum is RMSProp, the papers' choice for critics; the weights of clip and penalty are for points
    "WGAN": {"loss": "wasserstein", "weight_clip": 0.1, "discriminator_steps": 5} | PLAIN | rates(1e-3, 0.0, 0.9),
    "WGAN-GP": {"loss": "wasserstein", "wgan_gp_weight": 0.1, "penalty_interval": 1, "discriminator_steps": 5}
    | rates(1e-3, 0.0, 0.9),
    "hinge + R1": {"loss": "hinge", "r1_gamma": 0.02},
    "relativistic + R1 + R2": {"loss": "relativistic"} | BOTH,
    "recommended": {"loss": "non_saturating"} | BOTH,
}


def configuration(game: str, seed: int, **changes) -> TrainConfig:
    return TrainConfig(**COMMON | GAMES[game] | {"seed": seed} | changes)


# ----------------------------------------------------------------------------------------------------- the toys


class ToyPlayers:
    """As `gan_hub.training.train_state.TrainState`, for two toys on one thread."""

    def __init__(self, config: TrainConfig, inputs: int = 2, width: int = WIDTH):
        torch.manual_seed(config.seed)
        self.generator, self.discriminator = Toy(LATENT, inputs, width), Toy(inputs, 1, width)
        self.unwrapped_generator, self.unwrapped_discriminator = self.generator, self.discriminator
        self.generator_optimizer = self._optimizer(self.generator, config.learning_rate_generator, config)
        self.discriminator_optimizer = self._optimizer(self.discriminator, config.learning_rate_discriminator, config)
        self.adaptive = AdaptiveState()
        self.config = config

    @staticmethod
    def _optimizer(network: nn.Module, rate: float, config: TrainConfig) -> ScaledOptimizer:
        # fused: the same numbers' worth of Adam in a quarter of the calls, which is what toys spend their time on
        return ScaledOptimizer(torch.optim.Adam(network.parameters(), rate, (config.beta1, config.beta2), fused=True))

    def draw_fakes(self, z: torch.Tensor, labels: None = None) -> torch.Tensor:
        with torch.no_grad():
            return self.generator(z, labels)

    def eager_for_double_backward(self, needed: bool) -> contextlib.AbstractContextManager:
        return contextlib.nullcontext()

    def mean(self, value: torch.Tensor) -> float:
        return value.item()

    def set_lr_factor(self, factor: float) -> None:
        self.generator_optimizer.set_learning_rate(self.config.learning_rate_generator * factor)
        self.discriminator_optimizer.set_learning_rate(self.config.learning_rate_discriminator * factor)


# ----------------------------------------------------------------------------------------------------- the game


class Played(NamedTuple):
    """One game that was played to its end."""

    samples: torch.Tensor  # (SAMPLES, 2), of the averaged generator
    modes: int  # of eight
    near: float  # share of the samples within 3 sd of a mode
    alarms: list[tuple[int, str]]  # (step, sentence)
    seconds: float  # of the processor
    stream: list[dict[str, float]]  # the numbers that the monitors got


def play(
    config: TrainConfig, break_it: Callable[[ToyPlayers], None] = lambda players: None, until: str | None = None
) -> Played:
    """Plays a game as `training.train` does.

    `break_it` may damage the players before it begins; `until` is the cause whose alarm ends it.
    """
    began = time.process_time()
    players = ToyPlayers(config)
    break_it(players)
    ema = EMA(players.generator, config.ema_halflife_kimg)
    chance = torch.Generator().manual_seed(config.seed)
    view = AugmentPipe(torch.Generator().manual_seed(config.seed), config.batch_size)
    watch = Watch(players, config)

    def noise(count: int = config.batch_size) -> torch.Tensor:
        return torch.randn(count, LATENT, generator=chance)

    for step in range(config.total_steps):
        images_seen = (step + 1) * config.batch_size
        players.set_lr_factor(config.learning_rate_factor(images_seen))
        for _ in range(config.discriminator_steps):
            reals, fakes = RING.sample(config.batch_size, chance), players.draw_fakes(noise())
            penalize = step % config.penalty_interval == 0
            metrics = discriminator_step(players, config, reals, fakes, None, view, penalize)
        metrics |= generator_step(players, config, reals, players.generator(noise()), None, view)
        ema.update(players.generator, config.batch_size, images_seen)
        watch.record(step + 1, metrics)
        if until in watch.causes:
            break

    samples = ema.model(noise(SAMPLES))
    return Played(samples, *RING.judge(samples), watch.alarms, time.process_time() - began, watch.stream)


class Watch:
    """The monitors, given the numbers that a run gives them."""

    PAIRS = 256  # whose mean distance is the diversity

    def __init__(self, players: ToyPlayers, config: TrainConfig):
        chance = torch.Generator().manual_seed(1000 + config.seed)
        self.players, self.config, self.monitors = players, config, Monitors(config.batch_size)
        self.changes = {
            "change/generator": WeightChange(players.generator),
            "change/discriminator": WeightChange(players.discriminator),
        }
        self.z = torch.randn(2, self.PAIRS, LATENT, generator=chance)
        self.apart = pair_distance(RING.sample(self.PAIRS, chance), RING.sample(self.PAIRS, chance))
        self.seen: dict[str, list[torch.Tensor]] = {}
        self.alarms: list[tuple[int, str]] = []
        self.stream: list[dict[str, float]] = []

    @property
    def causes(self) -> set[str]:
        return {said.split(":")[0] for _, said in self.alarms}

    def record(self, step: int, metrics: dict[str, torch.Tensor]) -> None:
        for name, value in metrics.items():
            self.seen.setdefault(name, []).append(value)
        if step % WATCH_STEPS:
            return
        values = {name: torch.stack(numbers).mean().item() for name, numbers in self.seen.items()}
        values |= {name: change() for name, change in self.changes.items()}
        values["diversity"] = pair_distance(*map(self.players.draw_fakes, self.z)) / self.apart
        self.seen = {}
        self.stream.append(values)
        self.alarms += [(step, said) for said in self.monitors.observe(step * self.config.batch_size, values)]


# ----------------------------------------------------------------------------------------------------- the report

TABLE = """\
# The ring of eight

Eight narrow Gaussians on a circle (radius 1, standard deviation {sd}): the classic test for mode collapse. Every game is
played with the trainer's own steps and losses; two perceptrons of {depth} × {width} rectified units are the players, z has
{latent} numbers, a step shows {batch} points, and {steps:,} steps of the generator make a game. Settings are the same for all
seeds ({seeds}), and none is left out. A mode is hit when at least {hit:.0%} of {samples:,} samples lie within 3 standard
deviations of it; of the data's own points {data:.1%} do lie within 3 standard deviations of a mode.

| game | loss | beside the loss | Adam: rate, β₁, β₂ | modes hit, seed by seed | within 3 sd, % (mean ± sd) | alarms (seeds) | s |
|---|---|---|---|---|---|---|---|
{rows}

{findings}

![Samples of each game, seed {first}](ring-of-8.png)

"falling rates" are those that go to 0 in the last quarter; "averaged" is the exponential average of the generator's
weights, which is what is judged. `r1_gamma`, `r2_gamma` and the others are options of a recipe: the last line is what to
start from. Diversity is told to the [monitors](monitors.md) as in any run, and their alarms are in the table.

The same ring, and three more data sets, are played before your eyes in the page's tab "Two dimensions", beside the best verdict
that any discriminator could give; in Python they are `gan_hub.toy`, with
`Game(*make_players(0), DATASETS["ring"].sample, 2, Settings())`, and [lesson 4](lessons/en/04-training-is-hard.ipynb) makes it
ill and cures it.

Written by `python benchmarks/ring_of_8.py`: torch {torch}, one thread of {cpu}; s is processor time of one game.
"""
SHOWN = ("weight_clip", "wgan_gp_weight", "r1_gamma", "r2_gamma", "discriminator_steps")  # beside the loss


def row(game: str, games: list[Played]) -> str:
    """A line of the table."""
    config = configuration(game, 0)
    beside = [f"{name} {getattr(config, name):g}" for name in SHOWN if game_option(game, name)]
    beside += ["falling rates"] * (config.decay_kimg > 0) + ["averaged"] * (config.ema_halflife_kimg > 0)
    near = [100 * played.near for played in games]
    causes = [{said.split(":")[0] for _, said in played.alarms} for played in games]
    alarms = [f"{cause} ({sum(cause in found for found in causes)})" for cause in sorted(set().union(*causes))]
    cells = (
        game,
        config.loss,
        ", ".join(beside) or "nothing",
        f"{config.learning_rate_generator:g}, {config.beta1:g}, {config.beta2:g}",
        " ".join(str(played.modes) for played in games),
        f"{statistics.mean(near):.1f} ± {statistics.stdev(near):.1f}",
        "; ".join(alarms) or "none",
        f"{statistics.mean(played.seconds for played in games):.1f}",
    )
    return "| " + " | ".join(cells) + " |"


def game_option(game: str, name: str) -> bool:
    return bool((COMMON | GAMES[game]).get(name))


def findings(results: dict[str, list[Played]]) -> str:
    """Which games hit all modes, and which miss some, as the table says."""
    lines = []
    for title, wanted in (
        ("All eight modes with every seed", lambda missed: missed == 0),
        ("Modes missed with some seeds, but not with most", lambda missed: 0 < missed <= len(SEEDS) / 2),
        ("Modes missed with most seeds", lambda missed: missed > len(SEEDS) / 2),
    ):
        names = [game for game, games in results.items() if wanted(sum(played.modes < MODES for played in games))]
        lines.append(f"- {title}: {'; '.join(names) or 'none'}.")
    return "\n".join(lines)


def draw(results: dict[str, list[Played]], path: Path) -> None:
    """The samples of every game with the first seed, over the circles of 3 standard deviations."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(11, 4.9), layout="constrained")
    panels = figure.subplots(2, -(-len(results) // 2), squeeze=False).flatten()
    for empty in panels[len(results) :]:
        empty.set_axis_off()
    for axes, (game, games) in zip(panels, results.items()):
        axes.scatter(*RING.centers.T, s=60, facecolors="none", edgecolors="tab:orange", linewidths=0.8)
        axes.scatter(*games[0].samples[:2000].T, s=1, linewidths=0, color="tab:blue")
        axes.set(xlim=(-1.5, 1.5), ylim=(-1.5, 1.5), xticks=[], yticks=[], aspect="equal")
        axes.set_title(f"{game}: {games[0].modes} of {MODES}", fontsize=9)
    figure.savefig(path, dpi=80)


def cpu() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        lines = []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, default=Path(__file__).resolve().parents[1] / "docs")
    args = parser.parse_args()
    torch.set_num_threads(1)
    results: dict[str, list[Played]] = {}
    for game in GAMES:
        results[game] = [play(configuration(game, seed)) for seed in SEEDS]
        print(row(game, results[game]), flush=True)

    text = TABLE.format(
        sd=SD, depth=DEPTH, width=WIDTH, latent=LATENT, batch=BATCH, steps=STEPS, hit=HIT, samples=SAMPLES,
        seeds=", ".join(map(str, SEEDS)), first=SEEDS[0], torch=torch.__version__, cpu=cpu(),
        data=RING.judge(RING.sample(100_000, torch.Generator().manual_seed(0)))[1],
        rows="\n".join(row(game, games) for game, games in results.items()), findings=findings(results),
    )  # fmt: skip
    args.out.mkdir(parents=True, exist_ok=True)
    (args.out / "ring-of-8.md").write_text(text, encoding="utf-8")
    draw(results, args.out / "ring-of-8.png")
    print(f"→ {args.out / 'ring-of-8.md'}")


if __name__ == "__main__":
    main()
