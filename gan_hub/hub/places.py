"""Where a model lies: local folder → bundled zoo (model_cards/<name>/) → Hub repository."""

import os
import re
from pathlib import Path

from huggingface_hub import snapshot_download
from huggingface_hub.errors import (
    GatedRepoError,
    LocalEntryNotFoundError,
    OfflineModeIsEnabled,
    RepositoryNotFoundError,
    RevisionNotFoundError,
)
from huggingface_hub.utils import httpx

from gan_hub.loading import WEIGHTS_NAME, LoadError, shown

ZOO = Path(__file__).resolve().parents[2] / "model_cards"  # there in a source checkout only
NAMESPACE_VARIABLE, NAMESPACE = "GAN_HUB_NAMESPACE", "gan-hub"


def bundled() -> dict[str, Path]:
    """The zoo at hand: name → folder, sorted; empty where the package was installed without its checkout."""
    return {folder.name: folder for folder in sorted(ZOO.glob("*")) if (folder / "model_index.json").is_file()}


def resolve(source: str | os.PathLike, components: tuple[str, ...], **download) -> Path:
    """The folder of the model `source`: a folder, a bundled name, or a Hub id ("owner/name").

    From the Hub only the listed component folders and the small files at the root are fetched. `download` goes to
    `snapshot_download`: revision, token, cache_dir, local_files_only. Raises LoadError for what cannot be found.
    """
    folder = Path(source)
    # os.path and not Path's own methods: those raise OSError for a name that is too long to be one.
    if any(os.path.isfile(folder / name) for name in ("config.json", "model_index.json")):
        return folder
    name = os.fspath(source)
    if (
        isinstance(source, os.PathLike)
        or os.path.isdir(folder)
        or name.count("/") > 1
        or name.startswith((".", "/", "~"))
    ):
        raise LoadError(f"{folder}: not a model folder (no model_index.json in it).")
    if name in bundled():
        return bundled()[name]
    if not re.fullmatch(r"[\w.-]{1,96}(/[\w.-]{1,96})?", name):
        raise LoadError(f"{shown(name)}: neither a folder, nor a bundled model ({_names()}), nor a Hub id.")
    repo_id = name if "/" in name else f"{os.environ.get(NAMESPACE_VARIABLE, NAMESPACE)}/{name}"
    return _download(repo_id, components, **download)


def _names() -> str:
    return ", ".join(bundled()) or "none at hand"


def download_file(repo_id: str, name: str, **download) -> Path:
    """One file of a Hub repository; nothing else of it is fetched. `download` and errors as in `resolve`."""
    path = _snapshot(repo_id, [name], **download, allow_patterns=[name]) / name
    if not os.path.isfile(path):
        raise LoadError(f"{repo_id}: no {name} in it.")
    return path


def _download(repo_id: str, components: tuple[str, ...], variant: str | None = None, **download) -> Path:
    weights = f"{WEIGHTS_NAME}.{variant}.safetensors" if variant else f"{WEIGHTS_NAME}.safetensors"
    beside = [f"{name}.safetensors" for name in ("reference", "segmentations", "concepts")]
    patterns = ["*.json", "README.md", *beside, "real_samples.*"]
    needed = [f"{component}/{file}" for component in components for file in ("config.json", weights)]
    # "*" also matches "/": without this line every component's config would be fetched, wanted or not.
    ignored = [f"{component}/*" for component in {"generator", "discriminator"} - set(components)]
    return _snapshot(repo_id, needed, **download, allow_patterns=patterns + needed, ignore_patterns=ignored)


def _snapshot(repo_id: str, needed: list[str], **download) -> Path:
    """The folder of a download; every way in which the Hub can fail becomes a LoadError of one sentence."""
    try:
        folder = snapshot_download(repo_id, **download)
    except GatedRepoError as error:
        raise LoadError(f"{repo_id}: a gated repository; accept its terms on the Hub and log in.") from error
    except RevisionNotFoundError as error:
        raise LoadError(f"{repo_id}: no revision {download.get('revision')!r} on the Hub.") from error
    except RepositoryNotFoundError as error:
        raise LoadError(f"{repo_id}: not on the Hub (or private); bundled models: {_names()}.") from error
    except (OfflineModeIsEnabled, LocalEntryNotFoundError) as error:
        raise LoadError(f"{repo_id}: not in the cache, and the Hub cannot be reached. Bundled: {_names()}.") from error
    except (ValueError, OSError, httpx.HTTPError) as error:  # ValueError: an odd name, or an answer that is no JSON
        folder = _cached(repo_id, needed, **download)
        if folder is None:
            raise LoadError(f"{repo_id}: download failed ({shown(str(error), 200)}).") from error
    return Path(folder)


def _cached(repo_id: str, needed: list[str], **download) -> str | None:
    """The snapshot of an earlier download, where all `needed` files are in it.

    snapshot_download itself falls back to the cache when the Hub cannot be reached or answers with an error, but not
    when it hangs up or a captive portal answers in its place.
    """
    try:
        folder = snapshot_download(repo_id, **download | {"local_files_only": True})
    except (ValueError, OSError):
        return None
    return folder if all(os.path.isfile(os.path.join(folder, name)) for name in needed) else None
