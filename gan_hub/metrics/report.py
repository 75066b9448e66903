"""Reports: scores with intervals and provenance, as JSON; and their comparison, refused where provenance differs."""

import itertools
import math
import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from gan_hub.hub.nearest_images import NearestTrainingImages
from gan_hub.messages import short_repr
from gan_hub.model_folder.strict import LoadError, read_json, write_json

Z_95 = 1.96  # standard errors on either side of a score: an interval of 95 %


class Estimate(NamedTuple):
    """A score with its standard error and its range.

    Attributes:
        value: the score.
        error: its standard error over samples; None where it was not asked for, or there is none.
        lowest, highest: the range of possible values, to which intervals are clipped.
    """

    value: float
    error: float | None = None
    lowest: float = -math.inf
    highest: float = math.inf


@dataclass(frozen=True)
class Report:
    """Scores and their provenance, without which a number means nothing.

    Attributes:
        scores: by name, such as "FD-digits".
        provenance: extractor, data, numbers of images, checksums, seed, version.
        intervals: name → (low, high) of 95 %, over the scored images.
        reference_scores: the same measures of held-out real images and of noise, for scale.
        subject: name of what was scored.
        nearest_training_images: the scored images nearest to a training image, where they were asked for. They are for the
            model's card, and not part of the file.

    Example:
        >>> from gan_hub.metrics import Report, compare
        >>> ours = Report({"FD-digits": 3.5}, {"extractor": "digits"}, {"FD-digits": (3.2, 3.8)}, subject="ours")
        >>> theirs = Report({"FD-digits": 5.0}, {"extractor": "digits"}, {"FD-digits": (4.6, 5.4)}, subject="theirs")
        >>> ours.write("ours.json")
        >>> compare(Report.read("ours.json"), theirs)[0].overlap
        False
    """

    scores: dict[str, float]
    provenance: dict[str, object]
    intervals: dict[str, tuple[float, float]] = field(default_factory=dict)
    reference_scores: dict[str, float] = field(default_factory=dict)
    subject: str = ""
    nearest_training_images: NearestTrainingImages | None = field(default=None, compare=False, repr=False)

    @property
    def scales(self) -> dict[str, float]:
        """`reference_scores` by its name of release 0.1."""
        return self.reference_scores

    @property
    def at_risk(self) -> NearestTrainingImages | None:
        """`nearest_training_images` by its name of release 0.1."""
        return self.nearest_training_images

    @classmethod
    def of(
        cls,
        estimates: dict[str, Estimate],
        provenance: dict[str, object],
        reference_scores: dict[str, float],
        subject: str,
        nearest_training_images: NearestTrainingImages | None = None,
    ) -> "Report":
        """The report of some estimates.

        Args:
            estimates: by the names of the scores.
            provenance, reference_scores, subject, nearest_training_images: see the class.

        Returns:
            Scores, and intervals of those that have a standard error.
        """
        intervals = {
            name: (max(value - Z_95 * error, lowest), min(value + Z_95 * error, highest))
            for name, (value, error, lowest, highest) in estimates.items()
            if error is not None and math.isfinite(error)
        }
        scores = {name: each.value for name, each in estimates.items()}
        return cls(scores, provenance, intervals, reference_scores, subject, nearest_training_images)

    def to_dict(self) -> dict[str, Any]:
        """The content of the file, as plain objects."""
        intervals = {name: list(ends) for name, ends in self.intervals.items()}
        return {
            "subject": self.subject,
            "scores": dict(self.scores),
            "intervals": intervals,
            "scales": dict(self.reference_scores),
            "provenance": dict(self.provenance),
        }

    def write(self, path: str | os.PathLike) -> None:
        """Write the report as JSON; an older file is replaced by a whole one or not at all.

        Raises ValueError for a score that is NaN or Inf.
        """
        for name, value in self.scores.items():
            if not math.isfinite(value):
                raise ValueError(f"{path}: score {short_repr(name)} is {value}; a report has finite numbers.")
        write_json(Path(path), self.to_dict())

    @classmethod
    def read(cls, path: str | os.PathLike) -> "Report":
        """The report in a file; raises LoadError naming the file and the field."""
        path = Path(path)
        return cls.from_dict(read_json(path), path)

    @classmethod
    def from_dict(cls, content: dict[str, Any], path: Path) -> "Report":
        """The inverse of `to_dict`; `path` is where the content comes from. Raises LoadError naming it and the field."""
        for name in ("scores", "provenance"):
            if not isinstance(content.get(name), dict):
                raise LoadError(f"{path}: {name} is {short_repr(content.get(name))}; a report has an object there.")
        intervals, references = content.get("intervals", {}), content.get("scales", {})
        is_valid = isinstance(intervals, dict) and isinstance(references, dict)
        is_valid = is_valid and all(isinstance(ends, list) and len(ends) == 2 for ends in intervals.values())
        numbers = []
        if is_valid:
            numbers = [*content["scores"].values(), *references.values(), *itertools.chain(*intervals.values())]
        if not is_valid or not all(type(each) in (int, float) and math.isfinite(each) for each in numbers):
            raise LoadError(f"{path}: a score, an interval or a scale is not a number.")
        ends = {name: (low, high) for name, (low, high) in intervals.items()}
        return cls(content["scores"], content["provenance"], ends, references, str(content.get("subject", path.stem)))


class ScoreComparison(NamedTuple):
    """One score in two reports."""

    name: str
    first: float
    second: float
    overlap: bool | None  # of the two intervals; None where a report has none


SCORES_VERSION = 1  # of what the scores mean: raised when a change would move a number of the same images
NOT_COMPARED = ("near_duplicates", "skipped", "gan_hub")  # for readers; numbers and checksums say what was measured
BEFORE_IT_WAS_STATED = {"definition": 1}  # provenance key → its value in reports that are older than the key
ONLY_OF_MODELS = ("seed", "dtype")  # provenance keys that images of a folder do not have
CHECKSUM_OF = {"data": "real_sha256"}  # display name → checksum that decides equality


def differences(first: Report, second: Report) -> dict[str, tuple[object, object]]:
    """Keys of the provenance in which two reports differ, with both values (None: not stated).

    Data of another name, but of the same checksum, are the same data. What only models have (seed, dtype) is no difference
    to images that came without a model.
    """
    names = [name for name in dict.fromkeys([*first.provenance, *second.provenance]) if name not in NOT_COMPARED]
    stated = [BEFORE_IT_WAS_STATED | report.provenance for report in (first, second)]
    both = {name: (stated[0].get(name), stated[1].get(name)) for name in names}
    unequal = {name: pair for name, pair in both.items() if pair[0] != pair[1]}
    for name in [name for name in unequal if name in ONLY_OF_MODELS and None in unequal[name]]:
        del unequal[name]
    for name, checksum in CHECKSUM_OF.items():
        if name in unequal and checksum not in unequal and both.get(checksum, (None,))[0] is not None:
            del unequal[name]
    return unequal


def compare(first: Report, second: Report, force: bool = False) -> list[ScoreComparison]:
    """The scores that two reports have in common.

    Args:
        first, second: reports of `evaluate`.
        force: whether reports that were not measured alike are compared all the same.

    Returns:
        A row for each score that is in both, in the order of the first.

    Raises:
        ValueError: their provenance differs, which the message shows, or no score is in both.
    """
    unequal = differences(first, second)
    if unequal and not force:
        pairs = "; ".join(f"{name} {short_repr(a)} against {short_repr(b)}" for name, (a, b) in unequal.items())
        raise ValueError(f"these reports were not measured alike: {pairs}. With force they are compared all the same.")
    names = [name for name in first.scores if name in second.scores]
    if not names:
        a, b = (", ".join(report.scores) or "none at all" for report in (first, second))
        raise ValueError(f"no score is in both reports: {a} against {b}.")
    rows = []
    for name in names:
        a, b = first.intervals.get(name), second.intervals.get(name)
        overlap = None if a is None or b is None else a[0] <= b[1] and b[0] <= a[1]
        rows.append(ScoreComparison(name, first.scores[name], second.scores[name], overlap))
    return rows
