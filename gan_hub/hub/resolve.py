"""Where a model lies: local folder → bundled zoo (model_cards/<name>/) → Hub repository."""

import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from huggingface_hub import HfApi, get_cached_repo_tree, snapshot_download
from huggingface_hub.errors import (
    CachedRepoTreeNotFoundError,
    GatedRepoError,
    LocalEntryNotFoundError,
    OfflineModeIsEnabled,
    RepositoryNotFoundError,
    RevisionNotFoundError,
)
from huggingface_hub.hf_api import RepoFile
from huggingface_hub.utils import httpx

from gan_hub.hub import diagnose
from gan_hub.hub.addresses import HubModel, is_address, parse
from gan_hub.hub.timeouts import hub_timeout, is_timeout
from gan_hub.messages import short_repr
from gan_hub.model_folder.strict import MANIFEST_NAME, WEIGHTS_NAME, LoadError, Manifest, read_bytes

BUNDLED_MODELS_DIR = Path(__file__).resolve().parents[2] / "model_cards"  # there in a source checkout only
NAMESPACE_VARIABLE, NAMESPACE = "GAN_HUB_NAMESPACE", "gan-hub"
MAX_BYTES = 50_000_000_000  # of one file of a model

Model = TypeVar("Model")


def bundled_models() -> dict[str, Path]:
    """The zoo at hand: name → folder, sorted; empty where the package was installed without its checkout."""
    return {
        folder.name: folder
        for folder in sorted(BUNDLED_MODELS_DIR.glob("*"))
        if (folder / "model_index.json").is_file()
    }


def resolve(source: str | os.PathLike, components: tuple[str, ...], **download) -> Path:
    """The folder of the model `source`: a folder, a bundled name, or a Hub id ("owner/name").

    Understood as a Hub id are also `owner/name@revision`, `hf://owner/name` and the address of a model's page, as pasted
    from a browser; ~ is expanded in a path, and blanks around a text are dropped. From the Hub only the listed component
    folders and the small files at the root are fetched. `download` is variant, and what goes to `snapshot_download`:
    revision, token, cache_dir, local_files_only, force_download. A Hub that is silent is waited for some 30 seconds.
    Raises LoadError, in one sentence, for what cannot be found, and for things that are no model.
    """
    return _fetched(source, components, **download)[0]


def load_from(
    source: str | os.PathLike,
    components: tuple[str, ...],
    read: Callable[[Path], Model],
    whole: bool = False,
    **download,
) -> Model:
    """`read(folder)` of the model `source`, which is found as by `resolve`.

    Where files of a download turn out to be damaged, these are downloaded once more, which is told on stderr, and read
    again. A LoadError of `read` says in the end what `source` is instead, if it is no model (`whole`: no pipeline), or
    where undamaged files are to be had.
    """
    folder, model = _fetched(source, components, **download)
    try:
        return read(folder)
    except LoadError as error:
        names = [file.path for file in _files_on_hub(model, folder, **download)] if model else None
        instead = diagnose.describe_folder(folder, names) if whole else None
        if instead is not None:
            raise LoadError(f"{model.repo_id if model else folder}: {instead}.") from error
        damaged = _damaged(folder)
        if not damaged:
            raise
        if model is None:
            raise LoadError(f"{error}{_of_the_zoo(folder)}") from error
    if not download.get("force_download") and not _download_again(model, folder, damaged, **download):
        raise LoadError(
            f"{folder / damaged[0]}: damaged in the cache; with a connection, force_download=True downloads it again."
        )
    try:
        return read(folder)
    except LoadError as error:
        raise LoadError(f"{error} It was downloaded anew: {model.repo_id} itself is damaged on the Hub.") from error


def download_file(repo_id: str, name: str, **download) -> Path:
    """One file of a Hub repository; nothing else of it is fetched. `download` and errors as in `resolve`.

    Where the cache holds it in another size than the Hub, it is downloaded once more.
    """
    folder = _snapshot(repo_id, [name], **download, allow_patterns=[name])
    path, model = folder / name, HubModel(repo_id, None)
    if not os.path.isfile(path):
        raise LoadError(f"{repo_id}: no {name} in it.")
    sizes = {file.path: file.size for file in _files_on_hub(model, folder, **download)}
    if path.stat().st_size != sizes.get(name, path.stat().st_size):
        _download_again(model, folder, [name], **download)
    return path


# ----------------------------------------------------------------------------------------------- what was given


def _fetched(source: str | os.PathLike, components: tuple[str, ...], **download) -> tuple[Path, HubModel | None]:
    """(the folder at hand, the model of the Hub that it was downloaded from, if any)."""
    found = _locate(source)
    if isinstance(found, Path):
        return found, None
    revision = download.pop("revision", None) or found.revision
    if found.revision not in (None, revision):
        raise LoadError(
            f"{short_repr(source, 200)} names the revision {found.revision!r}, but revision={revision!r} is given."
        )
    return _download(found.repo_id, components, **download, revision=revision), found


def _locate(source: str | os.PathLike) -> Path | HubModel:
    """The folder, here or in the zoo, or the repository on the Hub that `source` means."""
    if not isinstance(source, (str, os.PathLike)):
        raise LoadError(f"a model is given as a folder, a bundled name or a Hub id, not as {type(source).__name__}.")
    text = os.fsdecode(source)
    name = text.strip() if isinstance(source, str) and not os.path.lexists(text) else text
    folder = Path(os.path.expanduser(name))
    # os.path and not Path's own methods: those raise OSError for a name that is too long to be one.
    if name and any(os.path.isfile(folder / each) for each in ("config.json", "model_index.json")):
        return folder
    if name and os.path.isdir(folder):
        raise LoadError(
            f"{folder}: {diagnose.describe_folder(folder) or 'not a model folder (its files cannot be read)'}."
        )
    if (
        isinstance(source, str) and name.rstrip("/") in bundled_models()
    ):  # shells complete the names of folders with a slash
        return bundled_models()[name.rstrip("/")]
    if name and os.path.lexists(folder):
        raise LoadError(f"{folder}: {diagnose.describe_file(folder)}.")
    if isinstance(source, os.PathLike) or _is_path(name):
        raise _no_such(os.path.expanduser(name))
    model = parse(name)
    if model is None and "/" in name:
        raise _no_such(os.path.expanduser(name))
    if model is None:
        raise LoadError(f"{short_repr(text)}: neither a folder, nor a bundled model ({_names()}), nor a Hub id.")
    if "/" not in model.repo_id:
        return model._replace(repo_id=f"{os.environ.get(NAMESPACE_VARIABLE, NAMESPACE)}/{model.repo_id}")
    return model


def _is_path(name: str) -> bool:
    """Whether a text that is nothing here can only have been meant as a path."""
    drive = name[:1].isalpha() and name[1:2] == ":"
    looks_so = name.startswith((".", "/", "~")) or drive or "\\" in name or name.lower().endswith(diagnose.ENDINGS)
    return looks_so and not is_address(name)


def _no_such(path: str) -> LoadError:
    kind = "file" if path.lower().endswith(diagnose.ENDINGS) else "folder"
    return LoadError(
        f"{short_repr(path, 300)}: not a model folder (there is no such {kind} here; a Hub id is owner/name)."
    )


def _names() -> str:
    return ", ".join(bundled_models()) or "none at hand"


# ------------------------------------------------------------------------------------------------ damaged files


def _damaged(folder: Path) -> list[str]:
    """The files of a folder that are not what its manifest says, or that alone where it cannot be read."""
    try:
        manifest = Manifest(folder)
    except LoadError:
        return [MANIFEST_NAME] if (folder / MANIFEST_NAME).is_file() else []

    def is_whole(name: str) -> bool:
        try:
            manifest.verify(name, read_bytes(folder / name, MAX_BYTES))
        except LoadError:
            return False
        return True

    return [name for name in manifest.files if (folder / name).is_file() and not is_whole(name)]


def _of_the_zoo(folder: Path) -> str:
    return (
        f" For a bundled model that is `git checkout -- model_cards/{folder.name}`."
        if folder.parent == BUNDLED_MODELS_DIR
        else ""
    )


def _download_again(model: HubModel, folder: Path, names: list[str], **download) -> bool:
    """Fetches files of the snapshot `folder` anew, and its manifest; whether that could be done."""
    if download.get("local_files_only"):
        return False
    print(f"{model.repo_id}: {', '.join(names)} is damaged in the cache; downloading it again.", file=sys.stderr)
    place = {"revision": folder.name, **{key: download.get(key) for key in ("token", "cache_dir")}}
    try:
        with hub_timeout(model.repo_id):
            snapshot_download(model.repo_id, **place, allow_patterns=[*names, MANIFEST_NAME], force_download=True)
    except (ValueError, OSError, httpx.HTTPError):
        return False
    return True


# ------------------------------------------------------------------------------------------------ the Hub


def _download(repo_id: str, components: tuple[str, ...], variant: str | None = None, **download) -> Path:
    weights = f"{WEIGHTS_NAME}.{variant}.safetensors" if variant else f"{WEIGHTS_NAME}.safetensors"
    beside = [f"{name}.safetensors" for name in ("reference", "segmentations", "concepts")]
    patterns = ["*.json", "README.md", *beside, "real_samples.*"]
    needed = [f"{component}/{file}" for component in components for file in ("config.json", weights)]
    # "*" also matches "/": without this line every component's config would be fetched, wanted or not.
    ignored = [f"{component}/*" for component in {"generator", "discriminator"} - set(components)]
    return _snapshot(repo_id, needed, **download, allow_patterns=patterns + needed, ignore_patterns=ignored)


def _files_on_hub(model: HubModel, folder: Path, cache_dir: str | os.PathLike | None = None, **_) -> list[RepoFile]:
    """All files of the repository, of whose snapshot `folder` has some; none where the cache does not tell."""
    try:
        return get_cached_repo_tree(model.repo_id, revision=folder.name, cache_dir=cache_dir)
    except CachedRepoTreeNotFoundError:
        return []


def _snapshot(repo_id: str, needed: list[str], **download) -> Path:
    """The folder of a download; every way in which the Hub can fail becomes a LoadError of one sentence."""
    fresh = download.get("force_download")
    if fresh and download.get("local_files_only"):
        raise LoadError(f"{repo_id}: either force_download=True or local_files_only=True, not both.")
    try:
        with hub_timeout(repo_id):
            if fresh:  # else snapshot_download would be content with its cache, where the Hub cannot be reached
                HfApi(token=download.get("token")).model_info(repo_id, revision=download.get("revision"))
            folder = snapshot_download(repo_id, **download)
    except GatedRepoError as error:
        raise LoadError(f"{repo_id}: a gated repository; accept its terms on the Hub and log in.") from error
    except RevisionNotFoundError as error:
        raise LoadError(f"{repo_id}: no revision {download.get('revision')!r} on the Hub.") from error
    except RepositoryNotFoundError as error:
        raise LoadError(f"{repo_id}: not on the Hub (or private); bundled models: {_names()}.") from error
    except (OfflineModeIsEnabled, LocalEntryNotFoundError) as error:
        why = "does not answer" if is_timeout(error) else "cannot be reached"
        missing = "not downloaded anew: the Hub" if fresh else "not in the cache, and the Hub"
        raise LoadError(f"{repo_id}: {missing} {why}. Bundled: {_names()}.") from error
    except (ValueError, OSError, httpx.HTTPError) as error:  # ValueError: an odd name, or an answer that is no JSON
        folder = None if fresh else _cached(repo_id, needed, **download)
        if folder is None:
            why = "the Hub does not answer" if is_timeout(error) else short_repr(str(error), 200)
            raise LoadError(f"{repo_id}: download failed ({why}).") from error
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
