"""How often people take a generated picture for the real one: answers of the game "Real or fake?", counted.

A file of answers has a line of JSON for each: model, kind of game, difficulty, whether the answer was right, and whether the
discriminator was. Nothing in it says who answered or when.
"""

import json
import math
import os
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from gan_hub.messages import short_repr

KINDS = ("real", "preferred", "later", "better")
LEVELS = ("early", "easy", "normal", "hard")
NORMAL_95 = 1.959963984540054  # the 97.5 % quantile of the normal distribution


@dataclass(frozen=True)
class Answer:
    """One answer of a player.

    Attributes:
        model: the model that drew the pictures.
        kind: what was asked: "real" is which of two pictures is real.
        level: how hard the round was.
        right: whether the player was right.
        judge_right: whether the discriminator was, over the same pair; None where it did not play.

    Example:
        >>> from gan_hub.metrics.human_answers import Answer
        >>> Answer.of({"model": "dcgan-mnist", "kind": "real", "level": "hard", "right": False, "judge_right": True}).right
        False
    """

    model: str
    kind: str
    level: str
    right: bool
    judge_right: bool | None = None

    @classmethod
    def of(cls, content: object) -> "Answer":
        """An answer as a line of the file has it. Raises ValueError for anything else."""
        names = set(cls.__dataclass_fields__)
        if not isinstance(content, dict) or set(content) != names:
            raise ValueError(f"an answer has exactly the keys {', '.join(cls.__dataclass_fields__)}.")
        answer = cls(**content)
        valid = isinstance(answer.model, str) and answer.kind in KINDS and answer.level in LEVELS
        if not valid or type(answer.right) is not bool or type(answer.judge_right) not in (bool, type(None)):
            raise ValueError(f"{short_repr(content)} is no answer of the game.")
        return answer

    def to_json(self) -> str:
        """The line of the file, without its end."""
        return json.dumps({name: getattr(self, name) for name in self.__dataclass_fields__})


@dataclass(frozen=True)
class FoolingRate:
    """How often people were wrong about one model in one kind of game.

    Attributes:
        model, kind, level: which answers.
        answers: how many.
        fooled: how many of them were wrong. Of kind "real": took the generated picture for the real one.
        interval: the 95 % Wilson interval of the share.
        judge_fooled, judge_answers: the same of the discriminator, where it played.

    Example:
        >>> from gan_hub.metrics.human_answers import Answer, fooling_rates
        >>> answers = [Answer("dcgan-mnist", "real", "normal", right=number % 2 == 0) for number in range(100)]
        >>> rate, = fooling_rates(answers)
        >>> rate.share, [round(end, 3) for end in rate.interval]
        (0.5, [0.404, 0.596])
    """

    model: str
    kind: str
    level: str
    answers: int
    fooled: int
    interval: tuple[float, float]
    judge_fooled: int
    judge_answers: int

    @property
    def share(self) -> float:
        """The share of wrong answers: 0 where all answers are right, 0.5 as by tossing a coin."""
        return self.fooled / self.answers


def read_answers(path: str | os.PathLike) -> Iterator[Answer]:
    """The answers of a file, one after the other. Raises ValueError naming the line that is none, OSError without the file."""
    with Path(path).open(encoding="utf-8") as file:
        for number, line in enumerate(file, start=1):
            if not line.strip():
                continue
            try:
                yield Answer.of(json.loads(line))
            except ValueError as error:
                raise ValueError(f"{path}: line {number}: {error}") from error


def fooling_rates(answers: Iterable[Answer]) -> list[FoolingRate]:
    """Count answers by model, kind of game and difficulty.

    Args:
        answers: of any models.

    Returns:
        A row for each combination that occurs, sorted by model, kind and difficulty.
    """
    groups: dict[tuple[str, str, str], list[Answer]] = defaultdict(list)
    for answer in answers:
        groups[answer.model, answer.kind, answer.level].append(answer)
    rows = []
    for model, kind, level in sorted(groups, key=lambda key: (key[0], KINDS.index(key[1]), LEVELS.index(key[2]))):
        group = groups[model, kind, level]
        fooled = sum(not answer.right for answer in group)
        judged = [answer.judge_right for answer in group if answer.judge_right is not None]
        interval = wilson_interval(fooled, len(group))
        rows.append(
            FoolingRate(model, kind, level, len(group), fooled, interval, len(judged) - sum(judged), len(judged))
        )
    return rows


def wilson_interval(successes: int, trials: int) -> tuple[float, float]:
    """The 95 % interval of a share by E. B. Wilson (JASA 22, 1927), which stays inside [0, 1] for few trials.

    Args:
        successes: 0 … trials.
        trials: 1 or more.

    Returns:
        Both ends.

    Raises:
        ValueError: the numbers are no such counts.
    """
    if not 0 <= successes <= trials or trials < 1:
        raise ValueError(f"{successes} of {trials} is no share; give 0 to trials of 1 or more.")
    share, spread = successes / trials, NORMAL_95**2 / trials
    middle = (share + spread / 2) / (1 + spread)
    half = math.sqrt(share * (1 - share) / trials + spread / trials / 4) * NORMAL_95 / (1 + spread)
    return max(0.0, middle - half), min(1.0, middle + half)
