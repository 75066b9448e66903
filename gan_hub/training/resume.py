"""Which options of a run may change when it is resumed, and which make it another run."""

import math
from dataclasses import asdict
from pathlib import Path

from gan_hub.messages import short_repr
from gan_hub.training.config import TrainConfig
from gan_hub.training.sections import FIELDS

NETWORKS = ("architecture", "resolution", "channels", "conditional", "generator", "discriminator")  # their shape
MAY_CHANGE = {name for name, spec in FIELDS.items() if spec.metadata["free"] or spec.metadata["may_change"]}


def refuse_other(path: Path, state: dict, saved: TrainConfig, config: TrainConfig) -> None:
    """Refuse to resume a run with a configuration that makes it another run.

    Args:
        path: the checkpoint to go on from.
        state: what its state.json holds.
        saved: the configuration in the checkpoint.
        config: the configuration that was asked for.

    Raises:
        ValueError: with what differs, and what to do instead.
    """
    different = [name for name in changes(saved, config) if name not in MAY_CHANGE]
    if different:
        pairs = "; ".join(
            f"{name}: {getattr(saved, name)!r} there, {getattr(config, name)!r} now" for name in different
        )
        remedy = remedy_of_new_run(config, weights=not set(different) & set(NETWORKS))
        raise ValueError(f"{path} belongs to another configuration ({pairs}). {remedy}")
    images = state["step"] * saved.batch_size
    if images % config.batch_size:
        possible = [size for size in (*range(1, 4 * config.batch_size), images) if images % size == 0]
        nearest = sorted(set(possible), key=lambda size: abs(math.log(size / config.batch_size)))[:3]
        raise ValueError(
            f"batch_size={config.batch_size} is not allowed here: no batch of it ends at the {images:,} images that {path} has "
            f"seen. The nearest that do: {', '.join(map(str, sorted(nearest)))}."
        )
    if images > config.total_steps * config.batch_size:
        raise ValueError(
            f"total_kimg={config.total_kimg:g} is less than the {images / 1000:g} kimg that {path} has seen. Choose more, or "
            f"make a model of it as it is: gan-hub export {config.run_folder}"
        )


def remedy_of_new_run(config: TrainConfig, weights: bool = True) -> str:
    """What to do instead of going on; `weights`: whether the networks of the run fit the new one."""
    folder = config.run_folder
    if not weights:
        return "That is a new run: choose another name=."
    return (
        f"That is a new run, which may start from this one's weights: gan-hub export {folder}, then another name= with "
        f"initial={str(folder / 'export')!r}."
    )


def changes(saved: TrainConfig, config: TrainConfig) -> dict[str, str]:
    """Option → its change in words, as "total_kimg 4 → 8", where the two configurations differ."""
    before, after = asdict(saved), asdict(config)
    return {
        name: f"{name} {_format_value(before[name])} → {_format_value(after[name])}"
        for name in FIELDS
        if before[name] != after[name]
    }


def _format_value(value: object) -> str:
    return f"{value:g}" if isinstance(value, float) and math.isfinite(value) else short_repr(value)
