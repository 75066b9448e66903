"""Explain what a file, a folder or a repository is if it is no model of this library, and what to give instead."""

import os
from collections.abc import Collection, Iterator
from itertools import islice
from pathlib import Path, PurePosixPath

from gan_hub.messages import short_repr
from gan_hub.model_folder.files import COMPONENTS, CONFIG_NAME, INDEX_NAME, MANIFEST_NAME, PICKLE_SUFFIXES
from gan_hub.model_folder.strict import LoadError, is_lfs_pointer, read_header, read_json

WANTED = "a folder with model_index.json, generator/ and discriminator/"
ARCHIVES = (".zip", ".tar", ".gz", ".tgz", ".bz2", ".xz", ".7z", ".rar")
PICTURES = (".png", ".jpg", ".jpeg", ".webp", ".gif", ".bmp", ".tif", ".tiff")
GRAPHS = {
    ".onnx": "an ONNX graph",
    ".h5": "Keras weights",
    ".pb": "a TensorFlow graph",
    ".tflite": "a TensorFlow graph",
}
CONVERTED = "`gan-hub convert` makes a model of such a file, downloaded"
# A name with one of these endings means a file, whether or not it is there.
ENDINGS = (*PICKLE_SUFFIXES, *ARCHIVES, *PICTURES, *GRAPHS, ".safetensors", ".json", ".yaml", ".yml", ".npz", ".npy")
MAX_NAMES = 2000  # of files in a folder that are looked at


def describe_file(path: Path) -> str:
    """Describe a file, as in "a picture; …", to follow its name and a colon."""
    if not path.is_file():  # a FIFO, say: it may have no writer
        return f"neither a folder nor a regular file; a model is {WANTED}"
    suffix, start = path.suffix.lower(), _start_of(path)
    holder = next((parent for parent in (path.parent, path.parent.parent) if _is_model(parent)), None)
    if is_lfs_pointer(start):
        return f"a Git LFS pointer in place of a file; run `git lfs pull` in its repository, and give {WANTED}"
    if (path.parent / "state.json").is_file() and (path.parent / MANIFEST_NAME).is_file():
        return f"one file of a run's checkpoint; `gan-hub export {_run_of(path.parent)}` makes a model of it"
    is_pickle = start[:2] in (b"\x80\x02", b"\x80\x03", b"\x80\x04", b"\x80\x05") or _is_of_torch(start)
    if suffix in PICKLE_SUFFIXES or is_pickle:
        return f"a pickle, which can run code; it is never loaded, but {_converts(path)}"
    if holder is not None:
        return f"one file of a model; give its folder, {holder}"
    if suffix == ".safetensors":
        return f"weights alone{_tensors(path)}; a model is {WANTED}, and {_converts(path)}"
    if suffix in GRAPHS:
        return f"{GRAPHS[suffix]}, which is not run here; a model is {WANTED}"
    if suffix in ARCHIVES or start[:4] == b"PK\x03\x04":
        return "an archive; unpack it, and give the model's folder"
    return f"{'a picture' if suffix in PICTURES else 'a file'}; a model is {WANTED}"


def describe_folder(folder: Path, names: Collection[str] | None = None) -> str | None:
    """Describe a folder that is no model, to follow its name and a colon; None for a model, damaged or not.

    `names` are all files of the repository that the folder was downloaded from in part.
    """
    if _is_model(folder):
        return None
    local = names is None
    names = list(islice(_names(folder), MAX_NAMES)) if local else list(names)
    index, config = (_content(folder / name) for name in (INDEX_NAME, CONFIG_NAME))
    if (INDEX_NAME in names and index is None) or (config or {}).get("_class_name") == "GANPipeline":
        return None  # damaged, but a model
    if index is not None:
        return f"a diffusers pipeline of the class {short_repr(index.get('_class_name'))}, not GANPipeline; diffusers loads it"
    if not any(not name.startswith(".") for name in names):
        return f"not a model {'folder, but an empty one' if local else 'but an empty repository'}; a model is {WANTED}"
    if local:
        nearby = _nearby_model(folder, names)
        if nearby is not None:
            return nearby
    pickles = [name for name in names if name.endswith(PICKLE_SUFFIXES)]
    weights = [name for name in names if name.endswith(".safetensors")]
    kind = _kind(config)
    if pickles:
        kind = f"{kind}, with weights in" if kind else "no model of this library; it holds"
        cure = _converts(folder / pickles[0]) if local else CONVERTED
        return f"{kind} {_plain(pickles[0])}, a pickle, which can run code; it is never loaded, but {cure}"
    if kind is None and weights:
        cure = _converts(folder / weights[0]) if local else CONVERTED
        return f"no model of this library, but weights alone in {_plain(weights[0])}; {cure}"
    if kind is not None:
        return f"{kind}; a model here is {WANTED}"
    return f"not a model folder (no {INDEX_NAME} in it{_contents(names)})"


def _nearby_model(folder: Path, names: list[str]) -> str | None:
    """Point from a folder of this library, such as a run's, to the model beside or inside it."""
    if folder.name in COMPONENTS and _is_model(folder.parent):
        return f"one network of a model; give the model's folder, {folder.parent}"
    if "state.json" in names and MANIFEST_NAME in names:
        return f"a checkpoint of a run, which --resume reads; `gan-hub export {_run_of(folder)}` makes a model of it"
    inside = [str(PurePosixPath(name).parent) for name in names if PurePosixPath(name).name == INDEX_NAME]
    inside = sorted(each for each in inside if _is_model(folder / each))
    if "export" in inside:
        return f"the folder of a run; give the model in it, {folder / 'export'}"
    if inside:
        more = f" or another of its {len(inside)} models" if len(inside) > 1 else ""
        return f"not a model folder, but a model lies in it; give {folder / inside[0]}{more}"
    for run, inside in ((folder, "checkpoints/"), (folder.parent, "step-")):
        if any(name.startswith(inside) for name in names):
            return f"a run without a model yet; `gan-hub export {run}` makes one of its newest checkpoint"
    return None


def _run_of(checkpoint: Path) -> Path:
    """The folder of the run that a checkpoint's folder lies in."""
    return checkpoint.absolute().parents[1]


def _converts(path: Path) -> str:
    """Which command makes a model of a foreign file."""
    return f"`gan-hub convert {_plain(str(path))} OUT` makes a model of it, if its program is known, and runs nothing in it"


def _is_of_torch(start: bytes) -> bool:
    """Whether a file begins as the zip files of torch do, with their pickle, whatever its own name is."""
    return start[:4] == b"PK\x03\x04" and start[30 : 30 + int.from_bytes(start[26:28], "little")].endswith(b"/data.pkl")


def _kind(config: dict | None) -> str | None:
    """The kind of model that a config.json belongs to, if it is known."""
    if config is None:
        return None
    if config.get("model_type") or config.get("architectures"):
        named = config.get("architectures") or config["model_type"]
        return f"a transformers model ({short_repr(named[0] if isinstance(named, list) and named else named)})"
    if {"class_embed_dim", "attention_layer_position"} <= config.keys():
        return "a BigGAN of pytorch-pretrained-biggan"
    if "_class_name" in config:
        return f"a single network ({short_repr(config['_class_name'])})"
    return None


def _plain(name: str) -> str:
    """A file's name as it is; quoted and cut if it could break a message."""
    return name if name.isprintable() and len(name) <= 100 else short_repr(name)


def _contents(names: list[str]) -> str:
    """The kind of most files of a folder, if it has a name."""
    for title, endings in {"pictures": PICTURES, "archives": ARCHIVES}.items():
        if sum(name.lower().endswith(endings) for name in names) >= max(1, len(names) / 2):
            return f", but {title}"
    return ""


def _is_model(folder: Path) -> bool:
    content = _content(folder / INDEX_NAME)
    return content is not None and content.get("_class_name") == "GANPipeline"


def _content(path: Path) -> dict | None:
    try:
        return read_json(path)
    except LoadError:
        return None


def _names(folder: Path, depth: int = 3) -> Iterator[str]:
    """The files of a folder and its folders, relative, with /; none if it may not be listed."""
    try:
        entries = sorted(os.scandir(folder), key=lambda entry: entry.name)
    except OSError:
        return
    for entry in entries:
        if not entry.is_dir(follow_symlinks=False):
            yield entry.name
        elif depth > 1:
            yield from (f"{entry.name}/{name}" for name in _names(Path(entry.path), depth - 1))


def _start_of(path: Path) -> bytes:
    with path.open("rb") as file:
        return file.read(200)


def _tensors(path: Path) -> str:
    try:
        names, _ = read_header(path)
    except LoadError:
        return ""
    return f" (of tensors such as {short_repr(min(names))})" if names else ""
