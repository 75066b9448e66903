"""Concepts of a model: named directions of its latents, with exemplars and measured effects, and concepts.safetensors.

Shapes: D is the size of a latent: Z in the space "z", W in the space "w". Directions are float32 on the CPU.
"""

import json
import math
import warnings
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import torch
from safetensors.torch import save as to_safetensors

from gan_hub.latents import as_float, as_int, check_seeds
from gan_hub.messages import short_repr
from gan_hub.model_folder.files import CONCEPTS_NAME
from gan_hub.model_folder.manifest import Manifest, has_file, read_file, replace_files
from gan_hub.model_folder.strict import LoadError, parse_json, parse_tensors

METADATA_KEY = "concepts"
KEYS_IN_FILE = {"method": "found"}  # field → key, where they differ
SPACES = ("z", "w")
MAX_CONCEPTS = 64
NAME_LENGTH, TEXT_LENGTH = 40, 200  # characters
EXEMPLARS = (3, 16)  # of each kind
MAX_STRENGTH = 10


class _OldNames:
    """Attributes of release 0.1 by their names of today."""

    _RENAMED: ClassVar[Mapping[str, str]] = {}

    def __getattr__(self, name: str) -> Any:
        if name not in self._RENAMED:
            raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")
        new = self._RENAMED[name]
        warnings.warn(f"{name} is {new} now; the old name will go in 1.0.", DeprecationWarning, stacklevel=2)
        return getattr(self, new)


@dataclass(frozen=True)
class Effect(_OldNames):
    """The measured effect of a concept: the mean of a measure over seeds that were not used to find the concept.

    Example:
        >>> from gan_hub.model_folder.concepts import Effect
        >>> Effect("ink", (-1, 0, 1), (0.2, 0.5, 0.7), deviation=0.1, right=0.9, seeds="10-19", images=10).describe()
        'ink: 0.2 → 0.5 → 0.7 at −1, 0, 1; right in 90.0 % of 10 seeds'
    """

    _RENAMED: ClassVar[Mapping[str, str]] = {"told": "describe"}

    measure: str  # what was measured, with its unit
    strengths: tuple[float, ...]  # ascending, 0 among them
    means: tuple[float, ...]  # of the measure, at each strength
    deviation: float  # of the measure over the seeds at strength 0
    right: float  # share of the seeds in which the measure is larger at the highest strength than at the lowest
    seeds: str  # "10000-10255"
    images: int  # how many seeds these are

    def __post_init__(self) -> None:
        """Check all fields; raises ValueError naming the one that is not allowed."""
        for name in ("strengths", "means"):
            object.__setattr__(self, name, tuple(_numbers(name, getattr(self, name))))
        for name in ("measure", "seeds"):
            _check_text(name, getattr(self, name), TEXT_LENGTH)
        if 0 not in self.strengths or list(self.strengths) != sorted(set(self.strengths)) or len(self.strengths) < 2:
            raise ValueError(f"strengths is {short_repr(self.strengths)}; allowed: ascending numbers, 0 among them.")
        if len(self.means) != len(self.strengths):
            raise ValueError(f"means has {len(self.means)} numbers for {len(self.strengths)} strengths.")
        images = as_int(self.images)
        if images is None or images < 1:
            raise ValueError(f"images is {short_repr(self.images)}; allowed: a whole number from 1.")
        object.__setattr__(self, "images", images)
        for name, high in (("deviation", math.inf), ("right", 1)):
            value = _numbers(name, [getattr(self, name)])[0]
            object.__setattr__(self, name, value)
            if not 0 <= value <= high:
                raise ValueError(
                    f"{name} is {short_repr(value)}; allowed: a number from 0{' to 1' if high == 1 else ''}."
                )

    def describe(self) -> str:
        """The effect in one line: "thickness (pixels): 1.9 → 2.4 → 2.9 at −1, 0, 1; right in 97.3 % of 256 seeds"."""
        means, strengths = (" → ".join(f"{mean:.3g}" for mean in self.means), ", ".join(map(_signed, self.strengths)))
        return f"{self.measure}: {means} at {strengths}; right in {100 * self.right:.1f} % of {self.images} seeds"


@dataclass(frozen=True, eq=False)
class Concept(_OldNames):
    """One named direction of the latents: latent + strength · direction shows more of the concept, or less below 0.

    Strength 1 is the way from the mean of the exemplars without the concept to the mean of those with it.

    Example:
        >>> from gan_hub import GANPipeline
        >>> concept = next(iter(GANPipeline.from_pretrained("dcgan-mnist").concepts.values()))
        >>> concept.space, len(concept.direction)
        ('z', 64)
    """

    _RENAMED: ClassVar[Mapping[str, str]] = {"found": "method"}

    name: str
    direction: torch.Tensor  # (D,)
    space: str  # "z" or "w"
    with_it: tuple[int, ...]  # seeds that show it
    without_it: tuple[int, ...]  # seeds that do not, or show the opposite
    method: str  # how it was found; the key "found" of the file
    effect: Effect | None = None  # measured before the concept is saved

    def __post_init__(self) -> None:
        """Check all fields; raises ValueError naming the one that is not allowed."""
        _check_name(self.name)
        if not isinstance(self.direction, torch.Tensor) or self.direction.ndim != 1 or not len(self.direction):
            raise ValueError(f"direction of {short_repr(self.name)} is a tensor (D,).")
        direction = self.direction.detach().to("cpu", torch.float32).contiguous()
        if not torch.isfinite(direction).all() or not direction.any():
            raise ValueError(f"direction of {short_repr(self.name)} contains NaN or Inf, or is zero.")
        object.__setattr__(self, "direction", direction)
        if self.space not in SPACES:
            raise ValueError(
                f"space of {short_repr(self.name)} is {short_repr(self.space)}; allowed: {', '.join(SPACES)}."
            )
        for name in ("with_it", "without_it"):
            seeds = tuple(check_seeds(getattr(self, name)))
            if not EXEMPLARS[0] <= len(seeds) <= EXEMPLARS[1] or len(set(seeds)) < len(seeds):
                raise ValueError(
                    f"{name} of {short_repr(self.name)} is {short_repr(seeds)}; allowed: {EXEMPLARS[0]} to {EXEMPLARS[1]} "
                    "different seeds."
                )
            object.__setattr__(self, name, seeds)
        _check_text("method", self.method, TEXT_LENGTH)
        if self.effect is not None and not isinstance(self.effect, Effect):
            raise ValueError(
                f"effect of {short_repr(self.name)} is {short_repr(self.effect)}; allowed: an Effect, or None."
            )

    def renamed(self, name: str) -> "Concept":
        """The same concept under another name."""
        return replace(self, name=name)


def by_name(concepts: Mapping[str, Concept] | Iterable[Concept], sizes: Mapping[str, int]) -> dict[str, Concept]:
    """The concepts of one model by their names.

    `sizes` is the size D of a latent in each space that the model has. Raises ValueError where two concepts have one name,
    or a direction is not of this model.
    """
    named: dict[str, Concept] = {}
    for concept in concepts.values() if isinstance(concepts, Mapping) else concepts:
        if not isinstance(concept, Concept):
            raise ValueError(f"{short_repr(concept)} is no Concept.")
        size = sizes.get(concept.space)
        if len(concept.direction) != size:
            has = f"of {size} numbers" if size else f"none: this model has {' and '.join(sizes)}"
            raise ValueError(
                f"concept {concept.name!r} is a direction of {len(concept.direction)} numbers in {concept.space}; "
                f"allowed: {has}."
            )
        if concept.name in named:
            raise ValueError(f"two concepts are called {concept.name!r}.")
        named[concept.name] = concept
    if len(named) > MAX_CONCEPTS:
        raise ValueError(f"{len(named)} concepts are not allowed; at most {MAX_CONCEPTS}.")
    return named


def shifts(known: Mapping[str, Concept], strengths: Mapping[str, float] | None) -> dict[str, torch.Tensor]:
    """The shift of latents: space → sum (D,) of strength × direction over the concepts in `strengths`.

    Raises ValueError for a name that is not known, or a strength outside ±MAX_STRENGTH.
    """
    if strengths is not None and not isinstance(strengths, Mapping):
        raise ValueError(
            f'concepts={short_repr(strengths)} is not allowed; give strengths by name, as in {{"thickness": 1.0}}.'
        )
    sums: dict[str, torch.Tensor] = {}
    for name, strength in (strengths or {}).items():
        if name not in known:
            allowed = f"choose among {', '.join(known)}" if known else "this model has none"
            raise ValueError(f"concept {short_repr(name)} is not known; {allowed}.")
        value = as_float(strength)
        if value is None or not abs(value) <= MAX_STRENGTH:
            raise ValueError(
                f"strength {short_repr(strength)} of concept {name!r} is not allowed; it is a number from "
                f"-{MAX_STRENGTH} to {MAX_STRENGTH}."
            )
        concept = known[name]
        shift = value * concept.direction
        sums[concept.space] = sums[concept.space] + shift if concept.space in sums else 0 + shift
    return sums


# ----------------------------------------------------------------------------------------------------------- the file


def as_bytes(concepts: Mapping[str, Concept]) -> bytes:
    """The content of the file. Raises ValueError for a concept without a measured effect."""
    entries = []
    for name, concept in concepts.items():
        if concept.effect is None:
            raise ValueError(f"concept {name!r} has no measured effect (gan_hub.concepts_discovery.discover.effect).")
        entry = {key: getattr(concept, name) for key, name in _keys(Concept, "direction").items()}
        entries.append(entry | {"effect": asdict(concept.effect)})
    described = json.dumps({METADATA_KEY: entries}, ensure_ascii=False, allow_nan=False)
    return to_safetensors({name: concept.direction for name, concept in concepts.items()}, {METADATA_KEY: described})


def write_concepts(folder: Path, concepts: Mapping[str, Concept]) -> None:
    """Write concepts into the finished model folder `folder` in place of those it has; none removes them.

    Whenever this is interrupted, the folder loads, with the old concepts, without any, or with the new ones. Raises
    ValueError for a concept without a measured effect, LoadError for a folder without a manifest.
    """
    replace_files(folder, {CONCEPTS_NAME: as_bytes(concepts) if concepts else None})


def read(folder: Path, manifest: Manifest | None, sizes: Mapping[str, int]) -> dict[str, Concept]:
    """The concepts of a model's folder.

    A file that the manifest does not list, as an interrupted `write_concepts` leaves it, is not read, and a warning says so.

    Args:
        folder: the model's folder.
        manifest: its manifest.
        sizes: the size D of a latent in each space that the model has.

    Returns: name → concept; empty for a model without.

    Raises:
        LoadError: naming what in the file is not as it must be.
    """
    path = folder / CONCEPTS_NAME
    if not has_file(folder, CONCEPTS_NAME, manifest):
        return {}
    data = read_file(folder, CONCEPTS_NAME, manifest)
    directions = parse_tensors(path, data)
    entries = _entries(path, data)
    described = [entry.get("name") if isinstance(entry, dict) else None for entry in entries]
    if sorted(map(str, described)) != sorted(directions):
        raise LoadError(f"{path}: it describes {short_repr(described)}, but holds {short_repr(sorted(directions))}.")
    try:
        return by_name([_parsed(entry, directions[entry["name"]]) for entry in entries], sizes)
    except (ValueError, TypeError) as error:
        raise LoadError(f"{path}: {error}") from error


def _entries(path: Path, data: bytes) -> list:
    """What the header of a file, which the parser took, says of each direction."""
    header = parse_json(path, data[8 : 8 + int.from_bytes(data[:8], "little")])
    metadata = header.get("__metadata__") or {}
    if set(metadata) != {METADATA_KEY}:
        raise LoadError(f"{path}: its metadata has {short_repr(sorted(metadata))}; allowed: {METADATA_KEY!r} alone.")
    described = parse_json(path, metadata[METADATA_KEY].encode())
    entries = described.get(METADATA_KEY)
    if set(described) != {METADATA_KEY} or not isinstance(entries, list) or not entries:
        raise LoadError(f"{path}: its metadata are {short_repr(described)}; allowed: {METADATA_KEY!r}, a list.")
    return entries


def _keys(kind: type["Concept | Effect"], *left_out: str) -> dict[str, str]:
    """Key in the file → field of the class, in the order of the fields."""
    names = [spec.name for spec in fields(kind) if spec.name not in left_out]
    return {KEYS_IN_FILE.get(name, name): name for name in names}


def _parsed(entry: object, direction: torch.Tensor) -> Concept:
    """Raise ValueError for a missing or unknown key and for what Concept and Effect refuse."""
    values = _by_field(entry, Concept, "direction")
    effect = Effect(**_by_field(values["effect"], Effect))
    if direction.dtype != torch.float32:
        raise ValueError(f"direction of {short_repr(values['name'])} is {direction.dtype}; allowed: torch.float32.")
    return Concept(**{**values, "effect": effect}, direction=direction)


def _by_field(entry: object, kind: type["Concept | Effect"], *left_out: str) -> dict[str, Any]:
    """The values of an object in the file by the fields of their class; exactly those must be there."""
    keys = _keys(kind, *left_out)
    if not isinstance(entry, dict):
        raise ValueError(f"{kind.__name__.lower()} is {short_repr(entry)}; allowed: an object.")
    for key in sorted(entry.keys() ^ keys.keys()):
        raise ValueError(
            f"{kind.__name__.lower()}: key {short_repr(key)} is {'missing' if key in keys else 'unknown'}."
        )
    return {name: entry[key] for key, name in keys.items()}


def _check_name(name: object) -> None:
    """Raise ValueError for a name that does not fit a file, a command ("NAME=1.5", comma lists) or the page."""
    text = name if isinstance(name, str) and name == name.strip() else ""
    if not 0 < len(text) <= NAME_LENGTH or not text.isprintable() or not text[0].isalnum() or set(text) & set("=,"):
        raise ValueError(
            f"concept name {short_repr(name)} is not allowed; 1 to {NAME_LENGTH} printable characters, the first a letter or "
            "a digit, none of them = or a comma."
        )


def _check_text(field: str, text: object, most: int) -> None:
    if not isinstance(text, str) or not 0 < len(text) <= most or not text.isprintable():
        raise ValueError(f"{field} is {short_repr(text)}; allowed: 1 to {most} printable characters.")


def _numbers(field: str, values: object) -> Sequence[float]:
    """Real numbers in a list, a tuple or an array (N,), as floats; raises ValueError for anything else."""
    numbers: list[float | None] = [None]
    if isinstance(values, (list, tuple)) or (isinstance(values, (np.ndarray, torch.Tensor)) and values.ndim == 1):
        numbers = [as_float(value) for value in values]
    finite = [value for value in numbers if value is not None and math.isfinite(value)]
    if len(finite) < len(numbers):
        raise ValueError(f"{field} is {short_repr(values)}; allowed: finite numbers.")
    return finite


def _signed(value: float) -> str:
    return f"{value:g}".replace("-", "−")
