"""Ask the Hub, before anything is computed, whether it will take a model."""

from huggingface_hub import constants, get_token
from huggingface_hub.errors import HfHubHTTPError, HFValidationError
from huggingface_hub.utils import build_hf_headers, get_session, hf_raise_for_status, httpx, validate_repo_id

from gan_hub.messages import short_repr
from gan_hub.model_folder.strict import LoadError

CHECK_SECONDS = 10  # seconds for an answer; huggingface_hub itself would wait for ever


def check_push(repo_id: str, token: str | None = None, kind: str = "models") -> None:
    """Check that an upload to `repo_id` will be allowed; nothing is created on the Hub.

    Args:
        repo_id: OWNER/NAME.
        token: that the upload will use; None is the one of `hf auth login`.
        kind: of the repository, "models" or "spaces".

    Raises:
        LoadError: for a malformed name, without a login, for a token or an owner that may not write there, as far as the
            Hub tells, and if it cannot be reached.
    """
    try:
        validate_repo_id(repo_id)
    except HFValidationError as error:
        raise LoadError(
            f"{short_repr(repo_id)}: no name of a repository, which is OWNER/NAME (letters, digits, -_.)."
        ) from error
    token = token or get_token()
    if token is None:
        raise LoadError(f"{repo_id}: you are not logged in to the Hub; run `hf auth login`, or set HF_TOKEN.")
    user = _ask(repo_id, "whoami-v2", token)
    owner = repo_id.split("/")[0] if "/" in repo_id else user.get("name")
    roles = {org.get("name"): org.get("roleInOrg") for org in user.get("orgs", [])} | {user.get("name"): "admin"}
    login = f"{repo_id}: the Hub knows this login as {short_repr(user.get('name'))}, which"
    if roles.get(owner, "none") in ("none", "read"):
        raise LoadError(
            f"{login} may not write to {short_repr(owner)}; its own are {', '.join(sorted(map(str, roles)))}."
        )
    if user.get("auth", {}).get("accessToken", {}).get("role") == "read":
        raise LoadError(
            f"{login} has a token for reading only; make one that may write at {constants.ENDPOINT}/settings/tokens."
        )
    _ask(repo_id, f"{kind}/{owner}/{repo_id.split('/')[-1]}/auth-check/write", token)


def _ask(repo_id: str, path: str, token: str) -> dict:
    """The JSON answer of the Hub's API; {} for what is not there, such as a repository that an upload will create."""
    address = f"{constants.ENDPOINT}/api/{path}"
    try:
        answer = get_session().get(address, headers=build_hf_headers(token=token), timeout=CHECK_SECONDS)
        if answer.status_code == 404:
            return {}
        hf_raise_for_status(answer)
        content = answer.json() if path == "whoami-v2" else {}
        return content if isinstance(content, dict) else {}
    except (HfHubHTTPError, OSError, ValueError, httpx.HTTPError) as error:
        status = getattr(getattr(error, "response", None), "status_code", None)
        why = f"it cannot be asked ({short_repr(str(error), 200)})"
        if status == 401:
            why = "it does not take this token; run `hf auth login` again"
        if status == 403:
            why = "this token may not write there"
        raise LoadError(f"{repo_id}: the Hub would not take it: {why}.") from error
