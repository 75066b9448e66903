"""Upload a model folder to the Hub: its files replace older ones there, and only a model's own old files are deleted."""

import hashlib
import re
import sys
from collections.abc import Collection, Mapping, Sequence, Set
from dataclasses import dataclass
from pathlib import Path

import torch
from huggingface_hub import CommitOperationAdd, CommitOperationDelete, HfApi
from huggingface_hub.errors import HfHubHTTPError, RevisionNotFoundError

from gan_hub.hub.cards import linked_files
from gan_hub.hub.reasons import HUB_ERRORS, reason
from gan_hub.hub.resolve import MAX_BYTES, download_file
from gan_hub.hub.timeouts import hub_timeout
from gan_hub.model_folder.files import (
    CARD_NAME,
    MANIFEST_NAME,
    PICKLE_SUFFIXES,
    REFERENCE_NAME,
    WEIGHTS,
    OnHub,
    find,
    names_on_hub,
)
from gan_hub.model_folder.manifest import Entry, Manifest, entry_of
from gan_hub.model_folder.strict import LoadError, parse_tensors, read_bytes, to_json

# Files beside the weights that an earlier push may have left: parts of a model, its scores and samples.
PARTS, SHOWN = names_on_hub(OnHub.PART), names_on_hub(OnHub.RECORD)
LICENSES = re.compile(r"(LICEN[CS]E|NOTICE|COPYING)[\w.-]*", re.IGNORECASE)
MAX_ATTEMPTS = 3  # while others push to the same repository


@dataclass(frozen=True)
class Upload:
    """What became of an upload.

    Attributes:
        address: of the commit, or of the one that had everything already.
        sent: the names of the files that changed there, relative with /; none where the Hub had them all.
        left: the names of the folder's files that are no part of a model, which stay at home.

    Example:
        >>> from gan_hub.hub.upload import Upload
        >>> done = Upload("https://huggingface.co/me/my-gan/commit/1a2b", sent=("README.md",), left=("notes.txt",))
        >>> done.sent
        ('README.md',)
    """

    address: str
    sent: tuple[str, ...]
    left: tuple[str, ...]


def upload(
    folder: Path,
    repo_id: str,
    *,
    variant: str | None = None,
    private: bool | None = None,
    token: str | bool | None = None,
    commit_message: str | None = None,
    create_pr: bool = False,
    revision: str | None = None,
) -> str:
    """Upload a model folder, creating its repository if needed.

    Old files of a model that this push does not bring are deleted, except variants of the very same weights: these stay
    with their reference, scores and real samples, and the new manifest lists them. Files that are no part of a model
    stay, and so does everything in a repository without a manifest of this format. What the Hub has already is not sent.

    Args:
        folder: the model's folder; it is checked against its own manifest first, and may hold no pickle. Only files of a
            model are sent: those of model_folder/files.py, what the card shows, and licences.
        repo_id: OWNER/NAME on the Hub.
        variant: send only the weights of this precision; the folder's others tell whether those on the Hub are this
            model's.
        private: whether a new repository is private; None is the Hub's default. True refuses one that is public.
        token: a token that may write there; None is the one of `hf auth login`.
        commit_message: of the commit, "Upload model" by default.
        create_pr: open a pull request instead of changing the branch.
        revision: the branch, made where it is missing; None is the main one.

    Returns:
        The commit's address; of the newest one there, if it has every file already.

    Raises:
        LoadError: in one sentence, for a folder that could not be loaded again and for whatever the Hub refuses; nothing
            is then changed.
    """
    push = Push.from_folder(folder, variant)
    options = {"private": private, "commit_message": commit_message, "create_pr": create_pr, "revision": revision}
    return push.send(repo_id, token=token, **options).address


@dataclass(frozen=True)
class Push:
    """A model folder, its manifest, and the names of the files that are sent, relative with /."""

    folder: Path
    manifest: Manifest
    names: tuple[str, ...]
    left: tuple[str, ...]  # what is no file of a model

    @classmethod
    def from_folder(cls, folder: Path, variant: str | None) -> "Push":
        """Read a folder, all of which has to be as its manifest says; raises LoadError."""
        manifest = Manifest.of_model(folder)
        for name in manifest.files:
            manifest.verify(name, read_bytes(folder / name, MAX_BYTES))
        pickles = [path.name for path in folder.rglob("*") if path.suffix in PICKLE_SUFFIXES]
        if pickles:
            raise LoadError(f"{folder}: {pickles[0]} is a pickle; pickles are not published.")
        variants = {match[2] for match in map(WEIGHTS.fullmatch, manifest.files) if match}
        if variant is not None and variant not in variants:
            raise LoadError(f"{folder}: no weights of the variant {variant!r} in it.")
        card = folder / CARD_NAME
        linked = linked_files(read_bytes(card, MAX_BYTES).decode("utf-8", "replace")) if card.is_file() else []
        names = [path.relative_to(folder).as_posix() for path in sorted(folder.rglob("*")) if path.is_file()]
        names = [name for name in names if not any(part.startswith(".") for part in name.split("/"))]
        own = [name for name in names if _is_of_a_model(name, manifest, linked)]
        left = tuple(name for name in names if name not in own)
        return cls(folder, manifest, tuple(name for name in own if _is_sent(name, variant)), left)

    def send(
        self,
        repo_id: str,
        *,
        private: bool | None = None,
        token: str | bool | None = None,
        commit_message: str | None = None,
        create_pr: bool = False,
        revision: str | None = None,
    ) -> Upload:
        """Send it to the Hub.

        Args:
            repo_id, private, token, commit_message, create_pr, revision: as of `upload`.

        Returns:
            What became of it.

        Raises:
            LoadError: for whatever the Hub refuses; nothing is then changed.
        """
        api = HfApi(token=token)
        try:
            with hub_timeout("api/repos/create"):
                repo_id = api.create_repo(repo_id, private=private, exist_ok=True).repo_id
            for _ in range(MAX_ATTEMPTS):
                repository = _Repository.fetch(api, repo_id, revision)
                if private and not repository.is_private:
                    raise LoadError(f"{repo_id}: public already, so it is not as private as wanted; nothing was sent.")
                operations = repository.operations(self)
                if not operations:
                    return Upload(f"{api.endpoint}/{repo_id}/commit/{repository.commit}", (), self.left)
                try:
                    with hub_timeout(repo_id, whole=True):
                        commit = api.create_commit(
                            repo_id,
                            operations,
                            commit_message=commit_message or "Upload model",
                            create_pr=create_pr,
                            revision=revision,
                            parent_commit=repository.commit,  # the Hub refuses, if it is not the newest any more
                        )
                    return Upload(commit.pr_url or commit.commit_url, _names(operations), self.left)
                except HfHubHTTPError as error:
                    if error.response.status_code != 412:
                        raise
            raise LoadError(
                f"{repo_id}: others push to it, {MAX_ATTEMPTS} times in a row; nothing was changed, so push again."
            )
        except LoadError:
            raise
        except HUB_ERRORS as error:
            raise LoadError(f"{repo_id}: upload failed: {reason(error)}.") from error

    def weights(self, component: str) -> list[str]:
        """The names of all weight files of a network, sent or not."""
        return [name for name in self.manifest.files if name.startswith(f"{component}/") and WEIGHTS.fullmatch(name)]

    @property
    def components(self) -> set[str]:
        """The networks of the model."""
        return {match[1] for match in map(WEIGHTS.fullmatch, self.manifest.files) if match}


def _names(operations: Sequence[CommitOperationAdd | CommitOperationDelete]) -> tuple[str, ...]:
    return tuple(operation.path_in_repo for operation in operations)


def _is_of_a_model(name: str, manifest: Manifest, linked: Collection[str]) -> bool:
    """Whether a file has a place in a model's repository: one that is known, that the card shows, or a licence."""
    # Weights that the manifest does not list are left over from another model, and would not load.
    if name.endswith(".safetensors"):
        return name in manifest.files
    return find(name) is not None or name in linked or LICENSES.fullmatch(name) is not None


def _is_sent(name: str, variant: str | None) -> bool:
    """Whether a model's file belongs to a push; the manifest is written anew for what lies there afterwards."""
    weights = WEIGHTS.fullmatch(name)
    is_of_variant = variant is None or (weights[2] == variant if weights else name != REFERENCE_NAME)
    return is_of_variant and name != MANIFEST_NAME


@dataclass(frozen=True)
class _Repository:
    """A repository on the Hub at one commit."""

    repo_id: str
    token: str | bool | None
    commit: str | None
    is_private: bool
    hashes: Mapping[str, str | None]  # of each file: sha256 of a large one, else as git counts

    @classmethod
    def fetch(cls, api: HfApi, repo_id: str, revision: str | None) -> "_Repository":
        """Ask the Hub for the newest commit of a branch and its files; the branch is made where it is missing."""
        with hub_timeout(repo_id):
            try:
                info = api.model_info(repo_id, revision=revision, files_metadata=True)
            except RevisionNotFoundError:
                api.create_branch(repo_id, branch=revision or "main", exist_ok=True)
                info = api.model_info(repo_id, revision=revision, files_metadata=True)
        hashes = {file.rfilename: file.lfs.sha256 if file.lfs else file.blob_id for file in info.siblings or []}
        return cls(repo_id, api.token, info.sha, bool(info.private), hashes)

    @property
    def names(self) -> Set[str]:
        """The names of all its files."""
        return self.hashes.keys()

    def operations(self, push: Push) -> list[CommitOperationAdd | CommitOperationDelete]:
        """The changes of a commit that adds what is pushed and deletes what an older push left behind."""
        listed = self._listed()
        kept = {} if listed is None else self._files_that_stay(push, listed)
        entries = kept | {name: push.manifest.files[name] for name in push.names if name in push.manifest.files}
        manifest = to_json({"files": dict(sorted((name, entry) for name, entry in entries.items() if entry))})
        left_behind = {name for name in self.names if name in PARTS | SHOWN or WEIGHTS.fullmatch(name)}
        left_behind |= self.names & (listed or {}).keys() - {CARD_NAME, MANIFEST_NAME}
        deleted = set() if listed is None else left_behind - kept.keys() - {*push.names}
        added: dict[str, Path | bytes] = {name: push.folder / name for name in push.names}
        added[MANIFEST_NAME] = manifest.encode()
        return [
            *(
                CommitOperationAdd(name, content)
                for name, content in added.items()
                if not self._has(name, content, push)
            ),
            *(CommitOperationDelete(name, is_folder=False) for name in sorted(deleted)),
        ]

    def _has(self, name: str, content: Path | bytes, push: Push) -> bool:
        """Whether a file lies there with this very content."""
        known, entry = self.hashes.get(name), push.manifest.files.get(name)
        if known is None or (entry is not None and known == entry["sha256"]):
            return known is not None
        data = content if isinstance(content, bytes) else read_bytes(content, MAX_BYTES)
        return known in (hashlib.sha256(data).hexdigest(), hashlib.sha1(b"blob %d\0" % len(data) + data).hexdigest())

    def _listed(self) -> dict[str, Entry] | None:
        """The entries of its manifest, {} if that is damaged; None if this format was never pushed here."""
        if MANIFEST_NAME not in self.names:
            return None
        path = self._download(MANIFEST_NAME)
        try:
            return Manifest(path.parent).files
        except LoadError:
            effect = "weights there that are this very model's are kept and listed anew, all others go."
            print(f"{self.repo_id}: the manifest.json on the Hub is damaged; {effect}", file=sys.stderr)
            return {}

    def _files_that_stay(self, push: Push, listed: dict[str, Entry]) -> dict[str, Entry | None]:
        """Files that stay although they are not sent → their entries for the manifest, None for those without."""
        measured = {name: listed.get(name) for name in SHOWN & self.names if name not in push.names}
        variants: dict[str | None, set[str]] = {}
        for match in map(WEIGHTS.fullmatch, self.names):
            if match:
                variants.setdefault(match[2], set()).add(match[0])
        kept, same = {}, bool(variants)
        for names in variants.values():
            stays = not names <= {*push.names}
            if stays or measured:
                entries = self._entries_if_same(sorted(names), push, listed)
                same &= entries is not None
                kept |= entries or {} if stays else {}
        return kept | (measured if same else {})

    def _entries_if_same(self, names: list[str], push: Push, listed: dict[str, Entry]) -> dict[str, Entry] | None:
        """The manifest's entries of all weights of one variant; None if they are not the pushed model's."""
        if {name.split("/")[0] for name in names} != push.components:
            return None
        entries = {}
        for name in names:
            entries[name] = self._entry_if_same(name, push, listed.get(name))
            if entries[name] is None:
                return None
        return entries

    def _entry_if_same(self, name: str, push: Push, listed: Entry | None) -> Entry | None:
        if listed is not None and listed == push.manifest.files.get(name):
            return listed
        data = read_bytes(self._download(name), MAX_BYTES)
        entry = entry_of(data)
        if listed not in (None, entry) and name not in push.names:
            raise LoadError(
                f"{self.repo_id}: {name} on the Hub is not what its manifest.json lists, so it is not known whether it is "
                "this model's; delete it there, or push all weights of the model. Nothing was changed."
            )
        own = (read_bytes(push.folder / each, MAX_BYTES) for each in push.weights(name.split("/")[0]))
        return entry if any(_are_same_weights(_tensors(name, data), _tensors(name, each)) for each in own) else None

    def _download(self, name: str) -> Path:
        """A file, fresh from the Hub: a damaged one in the cache must not decide what is deleted."""
        return download_file(self.repo_id, name, revision=self.commit, token=self.token, force_download=True)


def _tensors(name: str, data: bytes) -> dict[str, torch.Tensor]:
    """The tensors of a safetensors file; none if it is damaged."""
    try:
        return parse_tensors(Path(name), data)
    except LoadError:
        return {}


def _are_same_weights(left: dict[str, torch.Tensor], right: dict[str, torch.Tensor]) -> bool:
    """Whether the weights are equal, up to a cast of float32 to the dtype of the other side."""
    return bool(right) and left.keys() == right.keys() and all(_is_equal(left[name], right[name]) for name in right)


def _is_equal(one: torch.Tensor, other: torch.Tensor) -> bool:
    if one.dtype == torch.float32:
        one = one.to(other.dtype)
    elif other.dtype == torch.float32:
        other = other.to(one.dtype)
    return one.dtype == other.dtype and torch.equal(one, other)
