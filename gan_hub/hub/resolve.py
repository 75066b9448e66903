"""Find the folder of a model: a local folder, a bundled model (model_cards/NAME) or a repository on the Hub."""

import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TypedDict, TypeVar, Unpack

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

from gan_hub.hub import diagnose
from gan_hub.hub.addresses import HubModel, is_address, parse
from gan_hub.hub.reasons import HUB_ERRORS, reason
from gan_hub.hub.timeouts import hub_timeout
from gan_hub.messages import did_you_mean, short_repr
from gan_hub.model_folder.files import CONFIG_NAME, INDEX_NAME, MANIFEST_NAME, MAX_FILE_BYTES, fetched_names, find
from gan_hub.model_folder.manifest import Manifest
from gan_hub.model_folder.strict import LoadError, read_bytes

BUNDLED_MODELS_DIR = Path(__file__).resolve().parents[2] / "model_cards"  # there in a source checkout only
MAX_BYTES = MAX_FILE_BYTES

Model = TypeVar("Model")


class Download(TypedDict, total=False):
    """Options of a download from the Hub, as `snapshot_download` takes them."""

    revision: str | None
    token: str | bool | None
    cache_dir: str | os.PathLike[str] | None
    local_files_only: bool
    force_download: bool


class VariantDownload(Download, total=False):
    """The same for a model, with the variant of its weights."""

    variant: str | None


def bundled_models() -> dict[str, Path]:
    """Name → folder of each bundled model, sorted; empty where the package was installed without its checkout."""
    folders = sorted(BUNDLED_MODELS_DIR.glob("*"))
    return {folder.name: folder for folder in folders if (folder / INDEX_NAME).is_file()}


def resolve(source: str | os.PathLike[str], components: Sequence[str], **download: Unpack[VariantDownload]) -> Path:
    """The folder of a model, downloaded if it lies on the Hub.

    Args:
        source: a folder, the name of a bundled model, or a Hub id, which has a slash ("owner/name"). Also understood are
            `owner/name@revision`, `hf://owner/name` and the address of a model's page. ~ is expanded in a path, and
            blanks around a text are dropped.
        components: the networks to fetch from the Hub; besides them only the small files at the root are fetched.
        download: variant of the weights, and revision, token, cache_dir, local_files_only, force_download.

    Returns:
        The folder. A silent Hub is waited for about 30 seconds.

    Raises:
        LoadError: in one sentence, for what cannot be found and for what is not a model.
    """
    return _fetch(source, components, **download)[0]


def place_of(source: str | os.PathLike[str]) -> str:
    """The folder or the Hub id that `source` means, with nothing downloaded; raises LoadError as `resolve` does."""
    place = _locate(source)
    return str(place) if isinstance(place, Path) else place.repo_id


def load_from(
    source: str | os.PathLike[str],
    components: Sequence[str],
    read: Callable[[Path], Model],
    whole: bool = False,
    **download: Unpack[VariantDownload],
) -> Model:
    """Read a model from the folder that `resolve` finds; damaged files of a download are fetched once more.

    Args:
        source: the model, as for `resolve`.
        components: the networks to fetch, as for `resolve`.
        read: the function that reads the folder.
        whole: whether `read` reads a whole pipeline; an error then says what the folder is instead.
        download: as for `resolve`.

    Returns:
        What `read` returns. A second download is reported on stderr.

    Raises:
        LoadError: from `read`; the message also says where to get undamaged files.
    """
    folder, model = _fetch(source, components, **download)
    try:
        return read(folder)
    except LoadError as error:
        names = [file.path for file in _files_on_hub(model, folder, download)] if model else None
        instead = diagnose.describe_folder(folder, names) if whole else None
        if instead is not None:
            raise LoadError(f"{model.repo_id if model else folder}: {instead}.") from error
        damaged = _damaged(folder)
        if not damaged:
            raise
        if model is None:
            raise LoadError(f"{error}{_how_to_restore(folder)}") from error
    if not download.get("force_download") and not _download_again(model, folder, damaged, download):
        raise LoadError(
            f"{folder / damaged[0]}: damaged in the cache; with a connection, force_download=True downloads it again."
        )
    try:
        return read(folder)
    except LoadError as error:
        raise LoadError(f"{error} It was downloaded anew: {model.repo_id} itself is damaged on the Hub.") from error


def download_file(repo_id: str, name: str, **download: Unpack[Download]) -> Path:
    """Download one file of a Hub repository, and nothing else of it.

    A cached file of another size than on the Hub is downloaded once more. `download` and errors as in `resolve`.
    """
    folder = _snapshot(repo_id, [name], download, allow_patterns=[name])
    path, model = folder / name, HubModel(repo_id, None)
    if not os.path.isfile(path):
        raise LoadError(f"{repo_id}: no {name} in it.")
    sizes = {file.path: file.size for file in _files_on_hub(model, folder, download)}
    if path.stat().st_size != sizes.get(name, path.stat().st_size):
        _download_again(model, folder, [name], download)
    return path


# ------------------------------------------------------------------------------------------- what a name means


def _fetch(
    source: str | os.PathLike[str], components: Sequence[str], **download: Unpack[VariantDownload]
) -> tuple[Path, HubModel | None]:
    """(the folder, the model of the Hub that it was downloaded from, or None)."""
    place = _locate(source)
    if isinstance(place, Path):
        return place, None
    revision = download.get("revision") or place.revision
    if place.revision not in (None, revision):
        raise LoadError(
            f"{short_repr(source, 200)} names the revision {place.revision!r}, but revision={revision!r} is given."
        )
    download["revision"] = revision
    return _download(place.repo_id, components, download), place


def _locate(source: str | os.PathLike[str]) -> Path | HubModel:
    """The folder, local or bundled, or the repository on the Hub that `source` means."""
    if not isinstance(source, (str, os.PathLike)):
        raise LoadError(f"a model is given as a folder, a bundled name or a Hub id, not as {type(source).__name__}.")
    text = os.fsdecode(source)
    name = text.strip() if isinstance(source, str) and not os.path.lexists(text) else text
    folder = Path(os.path.expanduser(name))
    # os.path and not Path's own methods: those raise OSError for a name that is too long to be one.
    if name and any(os.path.isfile(folder / each) for each in (CONFIG_NAME, INDEX_NAME)):
        return folder
    if name and os.path.isdir(folder):
        raise LoadError(
            f"{folder}: {diagnose.describe_folder(folder) or 'not a model folder (its files cannot be read)'}."
        )
    bundled = bundled_models().get(name.rstrip("/"))  # shells complete the names of folders with a slash
    if isinstance(source, str) and bundled is not None:
        return bundled
    if name and os.path.lexists(folder):
        raise LoadError(f"{folder}: {diagnose.describe_file(folder)}.")
    if isinstance(source, os.PathLike) or _is_path(name):
        raise _no_such_path(os.path.expanduser(name))
    model = parse(name)
    if model is not None:
        return model
    if "/" in name:
        raise _no_such_path(os.path.expanduser(name))
    meant = did_you_mean(name[:100], bundled_models()) or "."
    raise LoadError(
        f"{short_repr(text)}: neither a folder, nor a bundled model ({_bundled_names()}), nor a Hub id, which is "
        f"owner/name{meant}"
    )


def _is_path(name: str) -> bool:
    """Whether a text that is nothing here can only have been meant as a path."""
    drive = name[:1].isalpha() and name[1:2] == ":"
    looks_so = name.startswith((".", "/", "~")) or drive or "\\" in name or name.lower().endswith(diagnose.ENDINGS)
    return looks_so and not is_address(name)


def _no_such_path(path: str) -> LoadError:
    kind = "file" if path.lower().endswith(diagnose.ENDINGS) else "folder"
    return LoadError(
        f"{short_repr(path, 300)}: not a model folder (there is no such {kind} here; a Hub id is owner/name)."
    )


def _bundled_names() -> str:
    return ", ".join(bundled_models()) or "none at hand"


# ------------------------------------------------------------------------------------------------ damaged files


def _damaged(folder: Path) -> list[str]:
    """The files that differ from the manifest of their folder, or the manifest alone where it cannot be read."""
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

    # A forged manifest may name any file of this machine: only those that a model has are looked at.
    return [name for name in manifest.files if find(name) and (folder / name).is_file() and not is_whole(name)]


def _how_to_restore(folder: Path) -> str:
    """How to restore a damaged bundled model; "" for any other."""
    if folder.parent != BUNDLED_MODELS_DIR:
        return ""
    return f" For a bundled model that is `git checkout -- model_cards/{folder.name}`."


def _download_again(model: HubModel, folder: Path, names: list[str], download: Download) -> bool:
    """Fetch files of the snapshot `folder` and its manifest again; False if that failed."""
    if download.get("local_files_only"):
        return False
    print(f"{model.repo_id}: {', '.join(names)} is damaged in the cache; downloading it again.", file=sys.stderr)
    try:
        with hub_timeout(model.repo_id):
            snapshot_download(
                model.repo_id,
                revision=folder.name,
                token=download.get("token"),
                cache_dir=_cache_dir(download),
                allow_patterns=[*names, MANIFEST_NAME],
                force_download=True,
            )
    except HUB_ERRORS:
        return False
    return True


# ------------------------------------------------------------------------------------------------ the Hub


def _download(repo_id: str, components: Sequence[str], download: VariantDownload) -> Path:
    beside, needed = fetched_names(tuple(components), download.get("variant"))
    return _snapshot(repo_id, needed, download, allow_patterns=beside + needed)


def _files_on_hub(model: HubModel, folder: Path, download: Download) -> list[RepoFile]:
    """All files of the repository of a downloaded snapshot; none where the cache does not know them."""
    try:
        return get_cached_repo_tree(model.repo_id, revision=folder.name, cache_dir=_cache_dir(download))
    except CachedRepoTreeNotFoundError:
        return []


def _snapshot(repo_id: str, needed: list[str], download: Download, allow_patterns: list[str]) -> Path:
    """The folder of a download; every way in which the Hub can fail becomes a LoadError of one sentence."""
    fresh = download.get("force_download", False)
    if fresh and download.get("local_files_only"):
        raise LoadError(f"{repo_id}: either force_download=True or local_files_only=True, not both.")

    def fetch(local_files_only: bool) -> str:
        return snapshot_download(
            repo_id,
            revision=download.get("revision"),
            token=download.get("token"),
            cache_dir=_cache_dir(download),
            local_files_only=local_files_only,
            force_download=fresh,
            allow_patterns=allow_patterns,
        )

    try:
        with hub_timeout(repo_id):
            if fresh:  # else snapshot_download would be content with its cache, where the Hub cannot be reached
                HfApi(token=download.get("token")).model_info(repo_id, revision=download.get("revision"))
            return Path(fetch(download.get("local_files_only", False)))
    except GatedRepoError as error:
        raise LoadError(f"{repo_id}: a gated repository; accept its terms on the Hub and log in.") from error
    except RevisionNotFoundError as error:
        raise LoadError(f"{repo_id}: no revision {download.get('revision')!r} on the Hub.") from error
    except RepositoryNotFoundError as error:
        raise LoadError(f"{repo_id}: not on the Hub (or private); bundled models: {_bundled_names()}.") from error
    except (OfflineModeIsEnabled, LocalEntryNotFoundError) as error:
        missing = "not downloaded anew" if fresh else "not in the cache"
        why = "the Hub was not asked" if download.get("local_files_only") else reason(error)
        raise LoadError(f"{repo_id}: {missing}, and {why}. Bundled: {_bundled_names()}.") from error
    except HUB_ERRORS as error:
        folder = None if fresh else _cached(fetch, needed)
        if folder is None:
            raise LoadError(f"{repo_id}: download failed: {reason(error)}.") from error
        return folder


def _cached(fetch: Callable[[bool], str], needed: list[str]) -> Path | None:
    """The snapshot of an earlier download, if all `needed` files are in it.

    snapshot_download itself falls back to the cache when the Hub cannot be reached or answers with an error, but not
    when it hangs up or a captive portal answers in its place.
    """
    try:
        folder = Path(fetch(True))
    except (ValueError, OSError):
        return None
    return folder if all(os.path.isfile(folder / name) for name in needed) else None


def _cache_dir(download: Download) -> str | None:
    cache_dir = download.get("cache_dir")
    return None if cache_dir is None else os.fspath(cache_dir)
