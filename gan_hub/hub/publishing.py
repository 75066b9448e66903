"""Uploading a finished model folder to the Hub."""

from pathlib import Path

from huggingface_hub import HfApi
from huggingface_hub.errors import HfHubHTTPError, HFValidationError
from huggingface_hub.utils import httpx

from gan_hub.loading import PICKLE_SUFFIXES, LoadError, Manifest, read_bytes, shown


def upload(
    folder: Path,
    repo_id: str,
    *,
    private: bool | None = None,
    token: str | bool | None = None,
    commit_message: str | None = None,
    create_pr: bool = False,
) -> str:
    """Creates the model repository `repo_id` where it is missing, uploads `folder`, returns the commit's address.

    The folder is checked against its own manifest first, and may hold no pickle: what could not be loaded again is not
    published. Raises LoadError, in one sentence, for that and for whatever the Hub refuses.
    """
    manifest = Manifest(folder)
    for name in manifest.files:
        manifest.verify(name, read_bytes(folder / name, 50_000_000_000))
    pickles = [path.name for path in folder.rglob("*") if path.suffix in PICKLE_SUFFIXES]
    if pickles:
        raise LoadError(f"{folder}: {pickles[0]} is a pickle; pickles are not published.")
    # Weights that the manifest does not list are left over from another model, and would not load.
    found = [path.relative_to(folder).as_posix() for path in folder.rglob("*.safetensors")]
    unlisted = [name for name in found if name not in manifest.files]
    api = HfApi(token=token)
    try:
        repo_id = api.create_repo(repo_id, private=private, exist_ok=True).repo_id
        commit = api.upload_folder(
            repo_id=repo_id,
            folder_path=folder,
            commit_message=commit_message or "Upload model",
            create_pr=create_pr,
            # An older version's files that this one does not have: its loader would refuse them, or show other images.
            delete_patterns=["judge.json", "scores.json", "real_samples.*", "*.safetensors"],
            ignore_patterns=[".*", "*/.*", *unlisted],
        )
    except (HfHubHTTPError, HFValidationError, OSError, httpx.HTTPError) as error:
        raise LoadError(f"{repo_id}: upload failed ({shown(str(error), 200)}).") from error
    return commit.commit_url
