"""Uploading a finished model folder to the Hub."""

from pathlib import Path

from huggingface_hub import HfApi, constants, get_token
from huggingface_hub.errors import HfHubHTTPError, HFValidationError
from huggingface_hub.utils import build_hf_headers, get_session, hf_raise_for_status, httpx, validate_repo_id

from gan_hub.loading import PICKLE_SUFFIXES, LoadError, Manifest, read_bytes, shown

CHECK_SECONDS = 10  # for an answer of the Hub, which huggingface_hub itself waits for without end


def check_push(repo_id: str, token: str | None = None) -> None:
    """Asks the Hub, before anything is computed, whether `upload` to `repo_id` will be let in; nothing is created.

    Raises LoadError for a name that is none, without a login, for a token or an owner that may not write there, as far as
    the Hub tells, and where it cannot be reached.
    """
    try:
        validate_repo_id(repo_id)
    except HFValidationError as error:
        raise LoadError(
            f"{shown(repo_id)}: no name of a repository, which is OWNER/NAME (letters, digits, -_.)."
        ) from error
    token = token or get_token()
    if token is None:
        raise LoadError(f"{repo_id}: nobody is logged in to the Hub; run `hf auth login`, or set HF_TOKEN.")
    me = _ask(repo_id, "whoami-v2", token)
    owner = repo_id.split("/")[0] if "/" in repo_id else me.get("name")
    roles = {org.get("name"): org.get("roleInOrg") for org in me.get("orgs", [])} | {me.get("name"): "admin"}
    said = f"{repo_id}: the Hub knows this login as {shown(me.get('name'))}, which"
    if roles.get(owner, "none") in ("none", "read"):
        raise LoadError(f"{said} may not write to {shown(owner)}; its own are {', '.join(sorted(map(str, roles)))}.")
    if me.get("auth", {}).get("accessToken", {}).get("role") == "read":
        raise LoadError(
            f"{said} has a token for reading only; make one that may write at {constants.ENDPOINT}/settings/tokens."
        )
    _ask(repo_id, f"models/{owner}/{repo_id.split('/')[-1]}/auth-check/write", token)


def _ask(repo_id: str, path: str, token: str) -> dict:
    """What the Hub's interface answers, {} where it knows of no such thing: a repository that an upload will create."""
    address = f"{constants.ENDPOINT}/api/{path}"
    try:
        answer = get_session().get(address, headers=build_hf_headers(token=token), timeout=CHECK_SECONDS)
        if answer.status_code == 404:
            return {}
        hf_raise_for_status(answer)
        told = answer.json() if path == "whoami-v2" else {}
        return told if isinstance(told, dict) else {}
    except (HfHubHTTPError, OSError, ValueError, httpx.HTTPError) as error:
        status = getattr(getattr(error, "response", None), "status_code", None)
        why = {
            401: "it does not take this token; run `hf auth login` again",
            403: "this token may not write there",
        }.get(status, f"it cannot be asked ({shown(str(error), 200)})")
        raise LoadError(f"{repo_id}: the Hub would not take the model: {why}.") from error


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
