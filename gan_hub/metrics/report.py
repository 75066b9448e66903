"""A report: scores, how sure they are, and what they were measured with; unlike reports do not compare."""

import math
import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from gan_hub.hub.nearest_images import NearestTrainingImages
from gan_hub.messages import short_repr
from gan_hub.model_folder.strict import LoadError, read_json, write_json

SURE = 1.96  # standard errors to either side of a score: an interval of 95 %


class Estimate(NamedTuple):
    """A score, its standard error over samples (None where it was not asked for, or has none), and what it can be at all."""

    value: float
    error: float | None = None
    least: float = -math.inf
    most: float = math.inf


@dataclass(frozen=True)
class Report:
    """Scores by name, their 95 % intervals (low, high) and their provenance: the number means nothing without it.

    `subject` is what was scored; `scales` holds the same measures of things that everybody can picture. `at_risk`, where
    it was asked for, is for the model's card, and no part of the file.
    """

    scores: dict[str, float]
    provenance: dict[str, object]
    intervals: dict[str, tuple[float, float]] = field(default_factory=dict)
    scales: dict[str, float] = field(default_factory=dict)
    subject: str = ""
    at_risk: NearestTrainingImages | None = field(default=None, compare=False, repr=False)

    @classmethod
    def of(
        cls,
        estimates: dict[str, Estimate],
        provenance: dict,
        scales: dict,
        subject: str,
        at_risk: NearestTrainingImages | None = None,
    ) -> "Report":
        """The report of estimates by name."""
        intervals = {
            name: (max(value - SURE * error, least), min(value + SURE * error, most))
            for name, (value, error, least, most) in estimates.items()
            if error is not None and math.isfinite(error)
        }
        scores = {name: each.value for name, each in estimates.items()}
        return cls(scores, provenance, intervals, scales, subject, at_risk)

    def to_dict(self) -> dict:
        intervals = {name: list(ends) for name, ends in self.intervals.items()}
        return {
            "subject": self.subject,
            "scores": dict(self.scores),
            "intervals": intervals,
            "scales": dict(self.scales),
            "provenance": dict(self.provenance),
        }

    def write(self, path: str | os.PathLike) -> None:
        """The report as JSON; a file that is there is replaced by a whole one or not at all.

        Raises ValueError for a score that is NaN or Inf.
        """
        wrong = [name for name, value in self.scores.items() if not math.isfinite(value)]
        if wrong:
            raise ValueError(
                f"{path}: score {short_repr(wrong[0])} is {self.scores[wrong[0]]}; a report has finite numbers."
            )
        write_json(Path(path), self.to_dict())

    @classmethod
    def read(cls, path: str | os.PathLike) -> "Report":
        """Raises LoadError naming the file and the field."""
        path = Path(path)
        content = read_json(path)
        for name in ("scores", "provenance"):
            if not isinstance(content.get(name), dict):
                raise LoadError(f"{path}: {name} is {short_repr(content.get(name))}; a report has an object there.")
        intervals, scales = content.get("intervals", {}), content.get("scales", {})
        pairs = isinstance(intervals, dict) and all(
            isinstance(ends, list) and len(ends) == 2 for ends in intervals.values()
        )
        numbers = (
            [*content["scores"].values(), *(end for ends in intervals.values() for end in ends)] if pairs else [None]
        )
        numbers += list(scales.values()) if isinstance(scales, dict) else [None]
        if not all(type(number) in (int, float) and math.isfinite(number) for number in numbers):
            raise LoadError(f"{path}: a score, an interval or a scale is not a number.")
        ends = {name: (low, high) for name, (low, high) in intervals.items()}
        return cls(content["scores"], content["provenance"], ends, scales, str(content.get("subject", path.stem)))


class Compared(NamedTuple):
    """One score in two reports."""

    name: str
    first: float
    second: float
    overlap: bool | None  # of the two intervals; None where one has none


TOLD = ("near_duplicates", "skipped")  # for readers alone: what was measured is told by numbers and checksums
OF_MODELS = ("seed", "dtype")  # which images that no model of ours made do not have
NAMES = {"data": "real_sha256"}  # what something is called, and the checksum of what it is


def differences(first: Report, second: Report) -> dict[str, tuple[object, object]]:
    """Keys of the provenance in which two reports differ, with both values (None: not stated).

    Data under another name, but of the same checksum, are the same data; what only models have is not held against
    images that came without one.
    """
    names = [name for name in dict.fromkeys([*first.provenance, *second.provenance]) if name not in TOLD]
    both = {name: (first.provenance.get(name), second.provenance.get(name)) for name in names}
    apart = {name: pair for name, pair in both.items() if pair[0] != pair[1]}
    for name in [name for name in apart if name in OF_MODELS and None in apart[name]]:
        del apart[name]
    for name, checksum in NAMES.items():
        if name in apart and checksum not in apart and both.get(checksum, (None,))[0] is not None:
            del apart[name]
    return apart


def compare(first: Report, second: Report, force: bool = False) -> list[Compared]:
    """The scores that two reports have in common.

    Raises ValueError where their provenance differs, showing how, unless `force`; and where no score is in both.
    """
    apart = differences(first, second)
    if apart and not force:
        said = "; ".join(
            f"{name} {short_repr(ours)} against {short_repr(theirs)}" for name, (ours, theirs) in apart.items()
        )
        raise ValueError(f"these reports were not measured alike: {said}. With force they are compared all the same.")
    names = [name for name in first.scores if name in second.scores]
    if not names:
        ours, theirs = (", ".join(report.scores) or "none at all" for report in (first, second))
        raise ValueError(f"no score is in both reports: {ours} against {theirs}.")
    rows = []
    for name in names:
        ends = [report.intervals.get(name) for report in (first, second)]
        overlap = None if None in ends else ends[0][0] <= ends[1][1] and ends[1][0] <= ends[0][1]
        rows.append(Compared(name, first.scores[name], second.scores[name], overlap))
    return rows
