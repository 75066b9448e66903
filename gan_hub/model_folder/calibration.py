"""judge.json: how a discriminator's logits become probabilities, and how good these are."""

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from gan_hub.messages import short_repr
from gan_hub.model_folder.files import JUDGE_NAME
from gan_hub.model_folder.manifest import Manifest, has_file, read_file
from gan_hub.model_folder.strict import LoadError, parse_json, read_json, to_json


@dataclass(frozen=True)
class Calibration:
    """How a discriminator's logit becomes a probability of "real": sigmoid(scale · logit + bias), and how good that is.

    Fitted on one half of held-out real and fresh generated images, measured on the other (metrics/calibration.py).

    Example:
        >>> from gan_hub.pipeline import Calibration
        >>> Calibration(scale=0.8, bias=-0.2, auc=0.7, error=0.05, images=100).unlabelled_scale
        0.8
    """

    scale: float
    bias: float
    auc: float  # held-out: the chance that a real image scores higher than a generated one
    error: float  # held-out expected calibration error, 15 bins
    images: int  # real and generated ones it was measured on
    # For logits without a label (the most favourable class, see `discriminate`); as above where there are no classes.
    unlabelled_scale: float | None = None
    unlabelled_bias: float | None = None

    LIMITS: ClassVar[Mapping[str, tuple[float, float]]] = {
        "scale": (-1e9, 1e9),
        "bias": (-1e9, 1e9),
        "auc": (0, 1),
        "error": (0, 1),
        "images": (1, 1_000_000_000),
        "unlabelled_scale": (-1e9, 1e9),
        "unlabelled_bias": (-1e9, 1e9),
    }

    def __post_init__(self):
        if self.unlabelled_scale is None or self.unlabelled_bias is None:
            object.__setattr__(self, "unlabelled_scale", self.scale)
            object.__setattr__(self, "unlabelled_bias", self.bias)

    def line(self, has_labels: bool) -> tuple[float, float]:
        """(scale, bias): those fitted to logits of images with their labels, or without."""
        if has_labels or self.unlabelled_scale is None or self.unlabelled_bias is None:
            return self.scale, self.bias
        return self.unlabelled_scale, self.unlabelled_bias

    @classmethod
    def read(cls, path: Path) -> "Calibration":
        """The calibration in a judge.json; raises LoadError naming the field that is missing, unknown or beyond LIMITS."""
        return cls._checked(path, read_json(path))

    @classmethod
    def _checked(cls, path: Path, content: dict) -> "Calibration":
        names = [spec.name for spec in dataclasses.fields(cls)]
        for name in sorted(set(content) ^ set(names)):
            raise LoadError(f"{path}: key {short_repr(name)} is {'missing' if name in names else 'unknown'}.")
        for name, value in content.items():
            low, high = cls.LIMITS[name]
            whole = name == "images"
            if type(value) not in ((int,) if whole else (int, float)) or not low <= value <= high:
                kind = "a whole number" if whole else "a number"
                raise LoadError(
                    f"{path}: {name} has the value {short_repr(value)}; allowed: {kind} from {low} to {high}."
                )
        return cls(**content)


def as_bytes(calibration: Calibration) -> bytes:
    """The content of the file."""
    return to_json(dataclasses.asdict(calibration)).encode("utf-8")


def read(folder: Path, manifest: Manifest | None) -> Calibration | None:
    """The calibration of a model's folder; None for a model without. Raises LoadError."""
    if not has_file(folder, JUDGE_NAME, manifest):
        return None
    data = read_file(folder, JUDGE_NAME)
    calibration = Calibration._checked(folder / JUDGE_NAME, parse_json(folder / JUDGE_NAME, data))
    if manifest is not None:
        manifest.verify(JUDGE_NAME, data)
    return calibration
