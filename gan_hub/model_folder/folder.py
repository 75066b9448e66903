"""A whole model: read from its folder strictly, and written to one so that it can be read again.

The classes of the networks are the caller's (`Roles`): this room knows files, not architectures.
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Generic, Protocol, Self, TypeVar

import numpy as np
import torch
from diffusers import __version__ as diffusers_version

from gan_hub.atomic import move_files, scratch_folder, write_bytes
from gan_hub.latents import check_seeds_like
from gan_hub.messages import short_repr
from gan_hub.model_folder import calibration, concepts, real_samples, reference, segmentations
from gan_hub.model_folder.calibration import Calibration
from gan_hub.model_folder.concepts import Concept
from gan_hub.model_folder.files import (
    COMPONENTS,
    CONCEPTS_NAME,
    INDEX_NAME,
    JUDGE_NAME,
    MANIFEST_NAME,
    REFERENCE_NAME,
    SEGMENTATIONS_NAME,
    SUMMARY_NAME,
)
from gan_hub.model_folder.manifest import Manifest, read_file
from gan_hub.model_folder.strict import VARIANT_DTYPES, LoadError, parse_json, refuse_unloadable, write_json

PIPELINE_CLASS = "GANPipeline"  # as model_index.json and config.json name it


class Network(Protocol):
    """What a generator or discriminator must offer to be read and written (gan_hub.models.modeling.GANModel)."""

    @property
    def config(self) -> Mapping[str, Any]:
        """The arguments of its class."""
        ...

    @property
    def latent_sizes(self) -> Mapping[str, int]:
        """Of a generator: the size of a latent in each space it has ("z", "w")."""
        ...

    @classmethod
    def load(
        cls, root: Path, subfolder: str | None, variant: str | None, dtype: torch.dtype, manifest: Manifest | None
    ) -> Self:
        """Read config.json and weights of a folder.

        Args:
            root, subfolder: the model's folder, and the network's within.
            variant, dtype: which weights to read, and what the network computes in.
            manifest: verifies both files.

        Returns: the network, in eval mode.
        """
        ...

    def write_files(self, folder: Path, variant: str | None = None) -> None:
        """Write config.json and weights into a folder."""
        ...

    def state_dict(self) -> Mapping[str, torch.Tensor]:
        """Weights and buffers by name."""
        ...


NetworkT = TypeVar("NetworkT", bound=Network)
Roles = Mapping[str, Mapping[str, type[NetworkT]]]  # component → class name in a file → class


@dataclass
class ModelParts(Generic[NetworkT]):
    """All that a model's folder holds: the parameters of GANPipeline, and where they come from."""

    generator: NetworkT
    discriminator: NetworkT | None = None
    label_names: list[str] | None = None
    semantic_names: list[str] | None = None
    calibration: Calibration | None = None
    segmentations: torch.Tensor | None = None
    concepts: Mapping[str, Concept] = field(default_factory=dict)
    seeds_like: str = "torch"
    folder: Path | None = None  # that they were read from

    @property
    def networks(self) -> dict[str, NetworkT]:
        """Component → network, of those that the model has."""
        networks = {"generator": self.generator, "discriminator": self.discriminator}
        return {name: network for name, network in networks.items() if network is not None}


# --------------------------------------------------------------------------------------------------------- reading


def load(
    folder: Path,
    roles: Roles[NetworkT],
    variant: str | None = None,
    dtype: torch.dtype = torch.float32,
    replacements: Mapping[str, NetworkT | None] | None = None,
) -> ModelParts[NetworkT]:
    """Read a model's folder, each file once, and verify each against the manifest.

    Args:
        folder: the model's folder.
        roles: the classes that a generator and a discriminator may have.
        variant: the weight files to read, "fp16" or "bf16"; None for the full precision.
        dtype: what the networks compute in.
        replacements: networks that take the place of the folder's, which are then not read; None leaves one out.

    Returns: the parts of the model.

    Raises:
        LoadError: naming the file and the field that is damaged, missing or unknown.
    """
    manifest = Manifest.of_model(folder)
    index, summary = (read_file(folder, name) for name in (INDEX_NAME, SUMMARY_NAME))
    classes = _component_classes(folder / INDEX_NAME, index, roles)
    networks = dict(replacements or {})
    for name in COMPONENTS:
        if name not in networks:
            known = classes.get(name)
            networks[name] = known and known.load(folder, name, variant, dtype, manifest)
    generator = networks["generator"]
    if generator is None:
        raise LoadError(f"{folder / INDEX_NAME}: no generator in it.")
    names = _class_names(folder / SUMMARY_NAME, summary, generator.config)
    judge = calibration.read(folder, manifest)
    manifest.verify(INDEX_NAME, index)
    manifest.verify(SUMMARY_NAME, summary)
    config, maps = generator.config, None
    if "semantic_classes" in config:
        maps = segmentations.read(folder, manifest, config["resolution"], config["semantic_classes"])
    directions = concepts.read(folder, manifest, generator.latent_sizes)
    return ModelParts(
        generator,
        networks["discriminator"],
        **names,
        calibration=judge,
        segmentations=maps,
        concepts=directions,
        seeds_like=_seeds_like(folder / SUMMARY_NAME, summary),
        folder=folder,
    )


def _component_classes(path: Path, data: bytes, roles: Roles[NetworkT]) -> dict[str, type[NetworkT]]:
    """Component → class, from model_index.json; the recorded module is ignored, the class name is the format."""
    index = parse_json(path, data)
    if index.get("_class_name") != PIPELINE_CLASS:
        raise LoadError(
            f"{path}: _class_name is {short_repr(index.get('_class_name'))}, but {PIPELINE_CLASS} is to be loaded."
        )
    classes = {}
    for name, entry in index.items():
        if name.startswith("_"):
            continue
        if name not in COMPONENTS:
            raise LoadError(f"{path}: component {short_repr(name)} is unknown; known: {', '.join(COMPONENTS)}.")
        if entry == [None, None]:
            continue
        allowed = roles[name]
        if not isinstance(entry, list) or len(entry) != 2 or entry[1] not in list(allowed):
            raise LoadError(
                f"{path}: {name} is {short_repr(entry)}; allowed: [module, one of {', '.join(allowed)}]. A network from "
                "outside the package is registered before it is loaded: gan_hub.register_architecture."
            )
        classes[name] = allowed[entry[1]]
    return classes


def _class_names(path: Path, data: bytes, config: Mapping[str, Any]) -> dict[str, list[str] | None]:
    """label_names and semantic_names of the root config.json, which must agree with the generator's own config."""
    summary = parse_json(path, data)
    expected = {key: config[key] for key in ("resolution", "channels", "latent_size")}
    counts = {"label_names": config["num_classes"]}
    if "semantic_classes" in config:
        counts["semantic_names"] = config["semantic_classes"]
    for name in summary:
        if name not in ("_class_name", "seeds_like", *counts, *expected):
            raise LoadError(f"{path}: config key {short_repr(name)} is unknown.")
    for name, value in expected.items():
        if json.dumps(summary.get(name)) != json.dumps(value):  # as text, for 28.0 == 28 and True == 1 in Python
            raise LoadError(
                f"{path}: {name} is {short_repr(summary.get(name))}, but the generator's config says {value}."
            )
    for name, count in counts.items():
        try:
            check_class_names(name, summary.get(name), count)
        except ValueError as error:
            raise LoadError(f"{path}: {error}") from error
    return {name: summary.get(name) for name in counts}


def _seeds_like(path: Path, data: bytes) -> str:
    """Whose random numbers the seeds stand for; a file without the key means torch's."""
    try:
        return check_seeds_like(parse_json(path, data).get("seeds_like", "torch"))
    except ValueError as error:
        raise error if isinstance(error, LoadError) else LoadError(f"{path}: {error}") from error


def check_class_names(field_name: str, names: object, count: int) -> None:
    """Check the names of classes.

    Args:
        field_name: what they are called in the message, such as "label_names".
        names: one text a class; None where there are no classes.
        count: the number of classes.

    Raises:
        ValueError: unless they are `count` different texts of 1 to 200 printable characters.
    """
    if names is None and not count:
        return
    texts: list[object] = list(names) if isinstance(names, (list, tuple)) else [None]
    printable = all(isinstance(name, str) and 0 < len(name) <= 200 and name.isprintable() for name in texts)
    if not printable or not len(texts) == len(set(texts)) == count:
        rule = f"{count} different texts of 1 to 200 printable characters" if count else "none, as there are no classes"
        raise ValueError(f"{field_name} is {short_repr(names)}; allowed: {rule}.")


# --------------------------------------------------------------------------------------------------------- writing


class Assembled(Protocol):
    """A pipeline made of the parts that were read back; it draws the reference."""

    def __call__(self, seeds: tuple[int, ...], *, output_type: str) -> Any:
        """An output with `images`, uint8 (N, H, W, C) for output_type "np"."""
        ...


def save(
    folder: Path,
    parts: ModelParts[NetworkT],
    roles: Roles[NetworkT],
    assemble: Callable[[ModelParts[NetworkT]], Assembled],
    variant: str | None = None,
) -> None:
    """Write a model's files, all of them or none; files of others in the folder are left alone.

    The files are written to a scratch folder, loaded from there by `load`, and moved only if that succeeds. With a
    `variant` the weights are cast, and join those of the folder where these are this very model's. Otherwise the manifest
    starts afresh: weights of an earlier model that may lie there are no longer listed, and will not load.

    Args:
        folder: where the model is to lie; made where it is missing.
        parts: the model.
        roles: as of `load`.
        assemble: makes a pipeline of parts that were read back; raises LoadError where they do not fit each other.
        variant: "fp16" or "bf16"; None for the full precision.

    Raises:
        ValueError: where what was written would not load again; nothing is then saved.
    """
    with scratch_folder(folder) as fresh:
        _write_parts(fresh, parts, variant)
        _load_again(fresh, roles, assemble, variant)
        # Of the files that are there, those that still are this model's.
        unchanged: list[str] = list(real_samples.NAMES)
        if variant and _has_weights_of(folder, parts, roles, getattr(torch, VARIANT_DTYPES[variant][1])):
            unchanged += Manifest(folder).files
        written = move_files(fresh, folder)
    for name in {JUDGE_NAME, SEGMENTATIONS_NAME, CONCEPTS_NAME} - set(written):
        (folder / name).unlink(missing_ok=True)
    Manifest.write(folder, sorted({*written, *(name for name in unchanged if (folder / name).is_file())}))


def _write_parts(folder: Path, parts: ModelParts[NetworkT], variant: str | None) -> None:
    """All files of a model but manifest and reference into an empty folder."""
    index: dict[str, Any] = {"_class_name": PIPELINE_CLASS, "_diffusers_version": diffusers_version}
    for name, network in parts.networks.items():
        network.write_files(folder / name, variant)
        index[name] = ["gan_hub", type(network).__name__]
    write_json(folder / INDEX_NAME, index)
    shape = {key: parts.generator.config[key] for key in ("resolution", "channels", "latent_size")}
    maps = {"semantic_names": parts.semantic_names} if parts.semantic_names else {}
    # A key that most models do not have is written where it says something, so that older versions read the others.
    seeds = {} if parts.seeds_like == "torch" else {"seeds_like": parts.seeds_like}
    names = {"label_names": parts.label_names, **maps, **seeds}
    write_json(folder / SUMMARY_NAME, {"_class_name": PIPELINE_CLASS, **shape, **names})
    if parts.calibration is not None:
        write_bytes(folder / JUDGE_NAME, calibration.as_bytes(parts.calibration))
    if parts.segmentations is not None:
        write_bytes(folder / SEGMENTATIONS_NAME, segmentations.as_bytes(parts.segmentations))
    if parts.concepts:
        write_bytes(folder / CONCEPTS_NAME, concepts.as_bytes(parts.concepts))


def _load_again(
    folder: Path,
    roles: Roles[NetworkT],
    assemble: Callable[[ModelParts[NetworkT]], Assembled],
    variant: str | None,
) -> None:
    """Load a scratch folder as its users will, and without a variant add the reference that they will draw."""
    Manifest.write(folder, [path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()])
    with refuse_unloadable(folder):
        loaded = assemble(load(folder, roles, variant))
    (folder / MANIFEST_NAME).unlink()
    if variant is None:
        # Drawn by what was loaded, whatever dtype, device and wrapping the saved pipeline has.
        images: np.ndarray = loaded(seeds=reference.SEEDS, output_type="np").images
        write_bytes(folder / REFERENCE_NAME, reference.as_bytes(images))


def _has_weights_of(folder: Path, parts: ModelParts[NetworkT], roles: Roles[NetworkT], dtype: torch.dtype) -> bool:
    """Whether a folder has the float32 weights of `parts`, up to a cast to `dtype`."""
    try:
        other = load(folder, roles, dtype=dtype)
    except LoadError:
        return False
    own, there = _tensors(parts), _tensors(other)
    return own.keys() == there.keys() and all(
        torch.equal(tensor.cpu().to(there[name].dtype), there[name]) for name, tensor in own.items()
    )


def _tensors(parts: ModelParts[NetworkT]) -> dict[str, torch.Tensor]:
    """The weights of all networks, by network and name."""
    networks = parts.networks.items()
    return {f"{name}.{key}": tensor for name, network in networks for key, tensor in network.state_dict().items()}
