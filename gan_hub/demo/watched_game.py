"""A small game while it is played before a visitor's eyes: its curves, and what the monitors say of it."""

import time
from collections.abc import Iterator

import torch

from gan_hub.toy.game import Game
from gan_hub.training.measures import WeightChange, pair_distance
from gan_hub.training.monitors import LOOK_STEPS, Monitors

PAIRS = 128  # of examples; their mean distance is the diversity
MAX_CURVE = 240  # points of a curve; beyond, each two become their mean


class Curve:
    """The course of a number over a game of any length, in at most MAX_CURVE means of equally many steps.

    Example:
        >>> from gan_hub.demo.watched_game import Curve
        >>> curve = Curve()
        >>> for value in (1.0, 2.0, 3.0):
        ...     curve.append(value)
        >>> curve.means
        [1.0, 2.0, 3.0]
    """

    def __init__(self) -> None:
        self.means: list[float] = []
        self.steps = 1  # that a mean stands for
        self._waiting: list[float] = []

    def append(self, value: float) -> None:
        """The number at the next step."""
        self._waiting.append(value)
        if len(self._waiting) == self.steps:
            self.means.append(sum(self._waiting) / self.steps)
            self._waiting = []
        if len(self.means) == MAX_CURVE:
            self.means = [(a + b) / 2 for a, b in zip(self.means[::2], self.means[1::2], strict=True)]
            self.steps *= 2


class WatchedGame:
    """A game, the curves of its losses and of the discriminator's verdicts, and its alarms."""

    def __init__(self, game: Game) -> None:
        self.game = game
        self.curves = {name: Curve() for name in ("loss/discriminator", "loss/generator")}
        self.alarms: list[tuple[int, str]] = []  # (step, cause), the newest last
        self.seconds = 0.0  # of computing
        self._monitors = Monitors()  # each call is a look
        self._sums: dict[str, torch.Tensor] = {}
        self._changes = {"generator": WeightChange(game.generator), "discriminator": WeightChange(game.discriminator)}
        random = torch.Generator().manual_seed(0)
        self._z = torch.randn(2, PAIRS, game.latent_size, generator=random)
        self._apart = pair_distance(game.reals(PAIRS, random), game.reals(PAIRS, random))

    def play(self, steps: int) -> Iterator[int]:
        """Play so many steps more, and yield their count after each."""
        for _ in range(steps):
            began = time.thread_time()
            metrics = self.game.step()
            for name, curve in self.curves.items():
                curve.append(metrics[name].item())
            for name, value in metrics.items():
                self._sums[name] = self._sums.get(name, torch.zeros(())) + value
            if self.game.step_count % LOOK_STEPS == 0:
                self._look()
            self.seconds += time.thread_time() - began
            yield self.game.step_count

    @property
    def newest_alarm(self) -> tuple[int, str] | None:
        """The last alarm of the last thousand steps."""
        recent = [alarm for alarm in self.alarms if self.game.step_count - alarm[0] <= 1000]
        return recent[-1] if recent else None

    @torch.no_grad()
    def _look(self) -> None:
        values = {name: (total / LOOK_STEPS).item() for name, total in self._sums.items()}
        values |= {f"change/{player}": change() for player, change in self._changes.items()}
        generator = self.game.ema.model
        values["diversity"] = pair_distance(generator(self._z[0]), generator(self._z[1])) / max(self._apart, 1e-12)
        self._sums = {}
        for sentence in self._monitors.observe(self.game.step_count, values):
            self.alarms.append((self.game.step_count, sentence.split(":")[0]))
