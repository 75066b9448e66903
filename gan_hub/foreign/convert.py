"""Convert a foreign checkpoint into a model folder of this library, with a card that says what was done."""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Unpack

import numpy as np
from PIL import Image

from gan_hub.atomic import atomic_folder, write_text
from gan_hub.foreign.card import SAMPLES_NAME, converted_card
from gan_hub.foreign.origins import convert_content
from gan_hub.foreign.read import read_foreign
from gan_hub.foreign.report import Answers, Report, Said
from gan_hub.hub import diagnose
from gan_hub.hub.addresses import is_address
from gan_hub.images import height_width
from gan_hub.messages import short_repr
from gan_hub.model_folder.files import CARD_NAME
from gan_hub.model_folder.strict import LoadError, parse_json
from gan_hub.pipeline import GANPipeline
from gan_hub.sampling import save_grid

SAMPLE_SEEDS, LARGE_SAMPLE_SEEDS = range(16), range(4)
MAX_LIST_BYTES = 100_000
LARGE = 400  # pixels of a side, from which on fewer samples are drawn


def convert(
    file: str | os.PathLike[str],
    out: str | os.PathLike[str],
    license: str | None = None,
    origin: str | None = None,
    label_names: Sequence[str] | None = None,
    compare: str | os.PathLike[str] | None = None,
    seed: int | None = None,
    truncation: float = 1.0,
    discriminator: str | os.PathLike[str] | None = None,
    layers: str | os.PathLike[str] | None = None,
    **answers: Unpack[Said],
) -> Report:
    """Convert a checkpoint of another program into a model folder; nothing in it is run.

    Args:
        file: the checkpoint.
        out: the folder, which must be new or empty.
        license: the licence that the weights came under, for the card; None says that it is unknown.
        origin: where the file came from, such as an address, for the card.
        label_names: one name a class; by default their numbers.
        compare: a picture that the file's own program made of `seed`, to be compared with ours.
        seed: the picture's.
        truncation: the picture's truncation psi.
        discriminator: the file of the discriminator, where it is another one.
        layers: a JSON file with the list of a plain generator's layers, as `models.ops.layer_list` has them.
        **answers: of the networks, what their files do not say, as `Answers` has them.

    Returns: what was recognised, renamed, folded, ignored, lost and compared.

    Raises:
        LoadError: for a file that cannot be read or is of no known program.
        ValueError: for a folder that is not empty, a picture of another size, or names that do not fit.
    """
    file, out = _file(file), Path(out).expanduser()
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise ValueError(f"{out}: it exists and is not an empty folder; give another one, as nothing is replaced.")
    if (compare is None) != (seed is None):
        raise ValueError("compare= and seed= go together: a picture, and the seed that it was made of.")
    reference = None if compare is None else _picture(Path(compare))
    judge = None if discriminator is None else read_foreign(_file(discriminator))
    listed = None if layers is None else _listed(_file(layers))
    converted = convert_content(file, read_foreign(file), Answers(layers=listed, discriminator=judge, **answers))
    pipe = GANPipeline(
        converted.generator,
        converted.discriminator,
        label_names=label_names,
        seeds_like=converted.seeds_like,
        segmentations=converted.segmentations,
    )
    report = converted.report
    if reference is not None and seed is not None:
        report.compared.append(_compared(pipe, reference, seed, truncation))
    name = out.resolve().name
    with atomic_folder(out) as fresh:
        pipe.save_pretrained(fresh)
        is_large = max(height_width(pipe.unwrapped_generator.config["resolution"])) >= LARGE
        save_grid(pipe, list(LARGE_SAMPLE_SEEDS if is_large else SAMPLE_SEEDS), fresh / SAMPLES_NAME, model_name=name)
        write_text(fresh / CARD_NAME, converted_card(name, pipe, report, license, origin, file.name))
    return report


def _file(file: str | os.PathLike[str]) -> Path:
    """The checkpoint's path; raises LoadError for an address, a model of this library, and any other folder."""
    path = Path(file).expanduser()
    if path.is_file():
        return path
    text = os.fspath(file)
    if is_address(text):
        raise LoadError(f"{short_repr(text, 200)}: an address; download the file, and give its path.")
    if path.is_dir():
        instead = diagnose.describe_folder(path) or "a model of this library already, which needs no converting"
        raise LoadError(f"{path}: a folder, where a file is converted; it is {instead}.")
    raise LoadError(f"{short_repr(text, 200)}: no such file.")


def _listed(path: Path) -> object:
    """The list of layers in a JSON file."""
    size = path.stat().st_size
    if size > MAX_LIST_BYTES:
        raise LoadError(f"{path}: {size:,} bytes; a list of layers has at most {MAX_LIST_BYTES:,}.")
    return parse_json(path, b'{"layers": %s}' % path.read_bytes())["layers"]


def _picture(path: Path) -> np.ndarray:
    """The pixels of a picture, uint8 (H, W, C)."""
    try:
        with Image.open(path) as image:
            image = image if image.mode in ("L", "RGB", "RGBA") else image.convert("RGB")
            pixels = np.asarray(image)
    except OSError as error:
        raise ValueError(f"{path}: not a picture that can be read ({error}).") from error
    return pixels if pixels.ndim == 3 else pixels[:, :, None]


def _compared(pipe: GANPipeline, reference: np.ndarray, seed: int, truncation: float) -> str:
    """The difference between a picture and ours of the same seed, as a sentence."""
    config = pipe.unwrapped_generator.config
    shape = (*height_width(config["resolution"]), config["channels"])
    if reference.shape != shape:
        raise ValueError(f"the picture to compare with is {reference.shape}; the model's are {shape}.")
    image = np.asarray(pipe(seeds=[seed], truncation=truncation, output_type="np").images[0])
    difference = np.abs(image.astype(int) - reference.astype(int))
    verdict = (
        "the same picture"
        if difference.max() <= 3
        else "nearly the same"
        if difference.mean() < 3
        else "another picture"
    )
    return (
        f"{verdict}: seed {seed}, truncation {truncation:g}, differs from the given picture by {difference.mean():.2f} of 255 "
        f"levels on average and {difference.max()} at most"
    )
