"""Whether the Hub will take a model, asked before anything is computed."""

from huggingface_hub import constants, get_token
from huggingface_hub.errors import HfHubHTTPError, HFValidationError
from huggingface_hub.utils import build_hf_headers, get_session, hf_raise_for_status, httpx, validate_repo_id

from gan_hub.messages import short_repr
from gan_hub.model_folder.strict import LoadError

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
            f"{short_repr(repo_id)}: no name of a repository, which is OWNER/NAME (letters, digits, -_.)."
        ) from error
    token = token or get_token()
    if token is None:
        raise LoadError(f"{repo_id}: nobody is logged in to the Hub; run `hf auth login`, or set HF_TOKEN.")
    me = _ask(repo_id, "whoami-v2", token)
    owner = repo_id.split("/")[0] if "/" in repo_id else me.get("name")
    roles = {org.get("name"): org.get("roleInOrg") for org in me.get("orgs", [])} | {me.get("name"): "admin"}
    said = f"{repo_id}: the Hub knows this login as {short_repr(me.get('name'))}, which"
    if roles.get(owner, "none") in ("none", "read"):
        raise LoadError(
            f"{said} may not write to {short_repr(owner)}; its own are {', '.join(sorted(map(str, roles)))}."
        )
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
        }.get(status, f"it cannot be asked ({short_repr(str(error), 200)})")
        raise LoadError(f"{repo_id}: the Hub would not take the model: {why}.") from error
