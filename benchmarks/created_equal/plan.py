"""The plan of a study: which runs, and how many images each; the same for all, and kept for later invocations."""

import math
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import NamedTuple

from filelock import FileLock

from gan_hub.model_folder.strict import LoadError, read_json, write_json
from gan_hub.training.config import TrainConfig

PLAN_NAME = "plan.json"
FULL_KIMG = 1200.0  # 20 epochs of 60,000 images
UNIT = 1600  # images: whole steps of every batch size that divides it
CHECKPOINT_KIMG = 100.0
SCORED = (10_000, 5_000, 2_500, 1_000)  # generated images of a score: the paper's number, and what short budgets take


class Task(NamedTuple):
    """One run."""

    data: str
    row: str  # name of the loss, or of a recipe of ours
    seed: int

    @property
    def slug(self) -> str:
        """A name for files: fashion-mnist/ns-gan-seed0."""
        letters = "".join(letter if letter.isalnum() else " " for letter in self.row.lower())
        return f"{self.data}/{'-'.join(letters.split())}-seed{self.seed}"


@dataclass(frozen=True)
class Plan:
    """What is run: every row on every data set with every seed, each on `kimg` thousand images."""

    kimg: float
    budget: str  # how `kimg` came about: "full", or "20m on 1 process(es)"
    protocol: dict  # options that all rows share
    rows: dict[str, dict]  # name → options over the protocol
    data: list[str]
    seeds: int
    generated_images: int = SCORED[0]  # a score is made of, against the 10,000 of the test split

    def tasks(self) -> list[Task]:
        """All runs in the order of work: a data set after the other, in it a seed after the other, then the rows.

        So that wherever the work stops, what is there are whole tables with fewer seeds.
        """
        return [Task(data, row, seed) for data in self.data for seed in range(self.seeds) for row in self.rows]

    def config(self, task: Task, runs: Path) -> TrainConfig:
        """The recipe of one run, which lies in a folder of `runs`; raises ValueError for one that is not allowed."""
        folder = runs / task.slug
        own = {"name": folder.name, "output": str(folder.parent), "data": task.data, "seed": task.seed}
        options = self.protocol | self.rows[task.row]
        length = {"total_kimg": self.kimg, "decay_kimg": options.pop("decay_share", 0.0) * self.kimg}
        return TrainConfig(**options | length | {"trackers": "none", "checkpoint_kimg": CHECKPOINT_KIMG} | own)


def kimg_within(seconds: float, seconds_per_kimg: list[float], seconds_per_score: float) -> float:
    """Images of each run, in thousands, so that runs of so many seconds a kimg and their scores take `seconds` in all.

    A multiple of UNIT, at most the full study's; raises ValueError where not even one UNIT fits.
    """
    left = seconds - seconds_per_score * len(seconds_per_kimg)
    units = math.floor(1000 * left / sum(seconds_per_kimg) / UNIT)
    if units < 1:
        least = UNIT / 1000 * sum(seconds_per_kimg) + seconds_per_score * len(seconds_per_kimg)
        raise ValueError(
            f"a budget of {seconds / 60:.1f} minutes is not enough for {len(seconds_per_kimg)} runs; the least is "
            f"{math.ceil(least / 60)}m. Fewer losses, data or seeds need less."
        )
    return min(FULL_KIMG, units * UNIT / 1000)


def scored_within(seconds: float, runs: int, seconds_per_image: float) -> int:
    """Generated images a score is made of: as many of SCORED as let all scores end in a quarter of the time."""
    fitting = (images for images in SCORED if 4 * runs * images * seconds_per_image <= seconds)
    return next(fitting, SCORED[-1])


def agreed(results: Path, asked: Plan, measure: Callable[[Plan], Plan]) -> Plan:
    """The plan in `results`, grown by what is asked beyond it; where there is none, the asked one with measured images.

    `asked.kimg` 0 is to be measured, `asked.budget` "" leaves the budget to the plan that is there. Rows, data and seeds may
    be added to a plan at any time. Raises ValueError where something else differs: its runs would not compare.
    """
    results.mkdir(parents=True, exist_ok=True)
    path = results / PLAN_NAME
    with FileLock(results / ".plan.lock"):
        if path.is_file():
            plan = grown(read(path), asked, path)
        elif not asked.budget:
            raise ValueError(
                f"there is no plan in {results} yet; --budget 20m makes one that fits, --full the whole study."
            )
        else:
            plan = asked if asked.kimg else measure(asked)
        write_json(path, asdict(plan))
    return plan


def grown(plan: Plan, asked: Plan, path: Path) -> Plan:
    """`plan` with the rows, data and seeds of `asked`; raises ValueError where the two contradict each other."""
    pairs = {"budget": (plan.budget, asked.budget or plan.budget), "kimg": (plan.kimg, asked.kimg or plan.kimg)}
    pairs |= {"protocol": (plan.protocol, asked.protocol)}
    pairs |= {row: (plan.rows[row], asked.rows[row]) for row in plan.rows if row in asked.rows}
    for name, (theirs, ours) in pairs.items():
        if theirs != ours:
            raise ValueError(
                f"{path} has another plan ({name}: {theirs} there, {ours} now), whose runs would not compare; another "
                "--results folder begins anew."
            )
    data = plan.data + [name for name in asked.data if name not in plan.data]
    return replace(plan, rows=plan.rows | asked.rows, data=data, seeds=max(plan.seeds, asked.seeds))


def read(path: Path) -> Plan:
    """Raises LoadError naming the file."""
    try:
        return Plan(**read_json(path))
    except TypeError as error:
        raise LoadError(f"{path}: no plan of a study ({error}).") from error


def minutes(text: str) -> float:
    """Minutes of a text as 20m or 1.5h; raises ValueError for another."""
    units = {"m": 1, "h": 60}
    try:
        value = float(text[:-1]) * units[text[-1:]]
    except (KeyError, ValueError):
        value = math.nan
    if not 0 < value < math.inf:
        raise ValueError(f"budget {text!r} is not allowed; it is a number of minutes or hours, as 20m or 1.5h.")
    return value
