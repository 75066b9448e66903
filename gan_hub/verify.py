"""Verification of a model: its files against its manifest, its images against those of its reference."""

import os
from pathlib import Path

from gan_hub.data.split_file import SPLIT_NAME, DataSplit
from gan_hub.hub.resolve import bundled_models
from gan_hub.model_folder import real_samples
from gan_hub.model_folder.files import MANIFEST_NAME, REFERENCE_NAME, WEIGHTS, Unlisted, find
from gan_hub.model_folder.manifest import Manifest, read_file
from gan_hub.pipeline import GANPipeline


def verify_model(
    source: str | os.PathLike,
    *,
    variant: str | None = None,
    revision: str | None = None,
    token: str | bool | None = None,
    cache_dir: str | os.PathLike | None = None,
) -> list[str]:
    """Check all of a model: load it strictly, verify each file, and draw its reference again.

    Args:
        source: a folder, the name of a bundled model, or a Hub id; of a repository, the files that were downloaded.
        variant: the weights to load, "fp16" or "bf16"; the reference, which the full precision drew, is then left out.
        revision, token, cache_dir: as of `GANPipeline.from_pretrained`.

    Returns: a line for each thing that was checked, and for each file beside the model that would not load.

    Raises:
        LoadError: naming the first file that is damaged, missing or unknown, or does not fit the others.

    Example:
        >>> from gan_hub import verify_model
        >>> verify_model("dcgan-mnist")[-1]
        'reference.safetensors: 4 images drawn again, at most ... of 255 levels apart'
    """
    pipe = GANPipeline.from_pretrained(source, variant=variant, revision=revision, token=token, cache_dir=cache_dir)
    folder = Path(pipe.name_or_path)
    networks = [
        type(network).__name__ for network in (pipe.unwrapped_generator, pipe.unwrapped_discriminator) if network
    ]
    lines = [f"loaded: {' and '.join(networks)}, {pipe.latent_size} latents, {len(pipe.concepts)} concepts"]
    lines += _verified_files(folder, partly=not _is_here(source))
    lines += _unlisted_files(folder)
    config = pipe.unwrapped_generator.config
    shape = config["resolution"], config["channels"], config["num_classes"]
    samples = real_samples.read(folder, Manifest.if_any(folder), *shape)
    if samples is not None:
        lines.append(f"{' and '.join(real_samples.NAMES)}: {len(samples.images)} real images of the model's size")
    split = DataSplit.read(folder)
    if split is not None:
        lines.append(f"{SPLIT_NAME}: {split.train_images:,} images trained on, {split.held_out_images:,} held out")
    if variant is not None:
        lines.append(f"{REFERENCE_NAME}: not compared, as the full precision drew it and not {variant}")
        return lines
    gap = pipe.verify_reference()
    return [*lines, f"{REFERENCE_NAME}: 4 images drawn again, at most {gap} of 255 levels apart"]


def _is_here(source: str | os.PathLike) -> bool:
    """Whether a model's folder is complete: a local or a bundled one, not a download."""
    name = os.fspath(source).strip()
    return os.path.isdir(os.path.expanduser(name)) or name.rstrip("/") in bundled_models()


def _verified_files(folder: Path, partly: bool) -> list[str]:
    """A line for each file that the manifest lists; raises LoadError for one that differs, or is missing.

    `partly`: weights may be missing, as a download brings those of one variant only.
    """
    manifest, lines = Manifest.of_model(folder), []
    for name in manifest.files:
        if partly and WEIGHTS.fullmatch(name) and not (folder / name).exists():
            lines.append(f"{name}: not downloaded")
        else:
            size = len(read_file(folder, name, manifest))
            lines.append(f"{name}: {size:,} bytes, as {MANIFEST_NAME} lists them")
    return lines


def _unlisted_files(folder: Path) -> list[str]:
    """A line for each file that would be part of the model if the manifest listed it."""
    listed, lines = Manifest(folder).files, []
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder).as_posix()
        file = find(name)
        if file is not None and name not in listed and file.unlisted in (Unlisted.REFUSED, Unlisted.LEFT_OUT):
            lines.append(f"{name}: not listed in {MANIFEST_NAME}; it is not loaded")
    return lines
