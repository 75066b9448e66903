"""Concepts of a model: named directions of its latents, their exemplars and measured effects; the file beside the model.

Shapes: D is the size of a latent: Z in the space "z", W in the space "w". Directions are float32 on the CPU.
"""

import json
import math
import warnings
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import load as parse_safetensors
from safetensors.torch import save as as_safetensors

from gan_hub.atomic import write_bytes
from gan_hub.latents import as_float, as_int, check_seeds
from gan_hub.messages import short_repr
from gan_hub.model_folder.strict import MANIFEST_NAME, LoadError, Manifest, parse_json, read_bytes

FILE_NAME, METADATA_KEY = "concepts.safetensors", "concepts"
SPACES = ("z", "w")
MAX_CONCEPTS, MAX_BYTES = 64, 4_000_000  # 64 directions of 4096 numbers, and a header with their seeds
NAME_LENGTH, TEXT_LENGTH = 40, 200  # characters
EXEMPLARS = (3, 16)  # of each kind
MAX_STRENGTH = 10


@dataclass(frozen=True)
class Effect:
    """What a concept was seen to do: the mean of a measure over seeds that did not take part in finding it."""

    measure: str  # what was measured, with its unit
    strengths: tuple[float, ...]  # ascending, 0 among them
    means: tuple[float, ...]  # of the measure, at each strength
    deviation: float  # of the measure over the seeds at strength 0
    right: float  # share of the seeds in which the measure is larger at the highest strength than at the lowest
    seeds: str  # "10000-10255"
    images: int  # how many seeds these are

    def __post_init__(self):
        """Raises ValueError naming the field that is not as it must be."""
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

    def told(self) -> str:
        """In one line: "thickness (pixels): 1.9 → 2.4 → 2.9 at −1, 0, 1; right in 97.3 % of 256 seeds"."""
        means, strengths = (" → ".join(f"{mean:.3g}" for mean in self.means), ", ".join(map(_signed, self.strengths)))
        return f"{self.measure}: {means} at {strengths}; right in {100 * self.right:.1f} % of {self.images} seeds"


@dataclass(frozen=True, eq=False)
class Concept:
    """One named direction: a latent plus `strength` times it shows more of the concept, or less where that is negative.

    Strength 1 is the way from the mean of the exemplars' group without it to the mean of the group with it.
    """

    name: str
    direction: torch.Tensor  # (D,)
    space: str  # "z" or "w"
    with_it: tuple[int, ...]  # seeds that show it
    without_it: tuple[int, ...]  # seeds that do not, or show the opposite
    found: str  # how it was found
    effect: Effect | None = None  # measured before the concept is saved

    def __post_init__(self):
        """Raises ValueError naming the field that is not as it must be."""
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
        _check_text("found", self.found, TEXT_LENGTH)
        if self.effect is not None and not isinstance(self.effect, Effect):
            raise ValueError(
                f"effect of {short_repr(self.name)} is {short_repr(self.effect)}; allowed: an Effect, or None."
            )

    def renamed(self, name: str) -> "Concept":
        """The same under another name, as whoever looked at it would call it."""
        return replace(self, name=name)


def by_name(concepts: Mapping[str, Concept] | Iterable[Concept], sizes: Mapping[str, int]) -> dict[str, Concept]:
    """The concepts of one model by their names; `sizes` says how long a latent is in each space that the model has.

    Raises ValueError where two have one name, or a direction is not of this model.
    """
    found: dict[str, Concept] = {}
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
        if concept.name in found:
            raise ValueError(f"two concepts are called {concept.name!r}.")
        found[concept.name] = concept
    if len(found) > MAX_CONCEPTS:
        raise ValueError(f"{len(found)} concepts are not allowed; at most {MAX_CONCEPTS}.")
    return found


def moves(known: Mapping[str, Concept], asked: Mapping[str, float] | None) -> dict[str, torch.Tensor]:
    """Space → the sum (D,) of strength × direction over the concepts that are `asked` for; empty where none is.

    Raises ValueError for a name that is not known, or a strength outside ±MAX_STRENGTH.
    """
    if asked is not None and not isinstance(asked, Mapping):
        raise ValueError(
            f'concepts={short_repr(asked)} is not allowed; give strengths by name, as in {{"thickness": 1.0}}.'
        )
    found: dict[str, torch.Tensor] = {}
    for name, strength in (asked or {}).items():
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
        found[concept.space] = found.get(concept.space, 0) + value * concept.direction
    return found


# ----------------------------------------------------------------------------------------------------------- the file


def write(folder: Path, concepts: Mapping[str, Concept]) -> None:
    """Writes a model's concepts into its folder; the manifest is the caller's. Raises ValueError for an unmeasured one."""
    (folder / FILE_NAME).write_bytes(_as_bytes(concepts))


def put(folder: Path, concepts: Mapping[str, Concept]) -> None:
    """Writes concepts into the finished model folder `folder` in place of those it has; none removes them.

    The manifest stops listing the old file before that is replaced, and lists the new one afterwards: whenever this is
    interrupted, the folder loads, with the old concepts, without any, or with the new ones. Raises ValueError for an
    unmeasured one, LoadError for a folder without a manifest.
    """
    data = _as_bytes(concepts) if concepts else None
    others = {name: entry for name, entry in Manifest(folder).files.items() if name != FILE_NAME}
    Manifest.write(folder, [], others)
    if data is None:
        (folder / FILE_NAME).unlink(missing_ok=True)
        return
    write_bytes(folder / FILE_NAME, data)
    Manifest.write(folder, [FILE_NAME], others)


def read(folder: Path, sizes: Mapping[str, int], manifest: Manifest) -> dict[str, Concept]:
    """The concepts that a model's manifest lists, none for a model without; `sizes` as for `by_name`.

    Raises LoadError where anything in the file is not as it must be. A file that is not listed, as an interrupted `put`
    leaves it, is not read, and a warning says so.
    """
    path = folder / FILE_NAME
    if FILE_NAME not in manifest.files:
        if path.exists():
            warnings.warn(f"{path}: not listed in {MANIFEST_NAME}; the model is loaded without concepts.", stacklevel=3)
        return {}
    data = read_bytes(path, MAX_BYTES)
    manifest.verify(FILE_NAME, data)
    try:
        directions = parse_safetensors(data)
    except Exception as error:  # the parser raises SafetensorError, TypeError or KeyError, depending on the damage
        raise LoadError(f"{path}: damaged ({short_repr(str(error))}).") from error
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


def _as_bytes(concepts: Mapping[str, Concept]) -> bytes:
    unmeasured = [name for name, concept in concepts.items() if concept.effect is None]
    if unmeasured:
        raise ValueError(
            f"concept {unmeasured[0]!r} has no measured effect (gan_hub.concepts_discovery.discover.effect)."
        )
    entries = []
    for concept in concepts.values():
        entry = {spec.name: getattr(concept, spec.name) for spec in fields(concept) if spec.name != "direction"}
        entries.append(entry | {"effect": asdict(concept.effect)})
    described = json.dumps({METADATA_KEY: entries}, ensure_ascii=False, allow_nan=False)
    return as_safetensors({name: each.direction for name, each in concepts.items()}, {METADATA_KEY: described})


def _parsed(entry: object, direction: torch.Tensor) -> Concept:
    """Raises ValueError for a missing or unknown key and for what Concept and Effect refuse."""
    entry = _with_keys(entry, Concept, {"direction"})
    effect = Effect(**_with_keys(entry["effect"], Effect))
    if direction.dtype != torch.float32:
        raise ValueError(f"direction of {short_repr(entry['name'])} is {direction.dtype}; allowed: torch.float32.")
    return Concept(**{**entry, "effect": effect}, direction=direction)


def _with_keys(entry: object, kind: type, left_out: Iterable[str] = ()) -> dict:
    known = {spec.name for spec in fields(kind)} - set(left_out)
    if not isinstance(entry, dict):
        raise ValueError(f"{kind.__name__.lower()} is {short_repr(entry)}; allowed: an object.")
    for key in sorted(entry.keys() ^ known):
        raise ValueError(
            f"{kind.__name__.lower()}: key {short_repr(key)} is {'missing' if key in known else 'unknown'}."
        )
    return entry


def _check_name(name: object) -> None:
    """A name stands in a file, in a command ("NAME=1.5", lists by commas) and on the page."""
    valid = isinstance(name, str) and 0 < len(name) <= NAME_LENGTH and name.isprintable() and name == name.strip()
    if not valid or not name[0].isalnum() or set(name) & set("=,"):
        raise ValueError(
            f"concept name {short_repr(name)} is not allowed; 1 to {NAME_LENGTH} printable characters, the first a letter or "
            "a digit, none of them = or a comma."
        )


def _check_text(field: str, text: object, most: int) -> None:
    if not isinstance(text, str) or not 0 < len(text) <= most or not text.isprintable():
        raise ValueError(f"{field} is {short_repr(text)}; allowed: 1 to {most} printable characters.")


def _numbers(field: str, values: object) -> Sequence[float]:
    """Any kind of real numbers, in a list, a tuple or an array, as floats."""
    several = isinstance(values, (list, tuple)) or isinstance(values, (np.ndarray, torch.Tensor)) and values.ndim == 1
    found = [as_float(value) for value in values] if several else [None]
    if not all(value is not None and math.isfinite(value) for value in found):
        raise ValueError(f"{field} is {short_repr(values)}; allowed: finite numbers.")
    return found


def _signed(value: float) -> str:
    return f"{value:g}".replace("-", "−")
