"""Why a request to the Hub failed, in the words of the person who made it."""

from collections.abc import Iterator

from huggingface_hub.errors import HFValidationError, OfflineModeIsEnabled
from huggingface_hub.utils import httpx

from gan_hub.hub.timeouts import HubBusyError, HubTimeoutError
from gan_hub.messages import short_repr

# What huggingface_hub raises where the Hub fails, or where something else answers in its place: its readers take the
# answer's shape for granted, so a damaged one ends in whatever it lacks. A file that could not be sent is a RuntimeError.
HUB_ERRORS = (
    ValueError,
    OSError,
    httpx.HTTPError,
    LookupError,
    TypeError,
    AttributeError,
    AssertionError,
    RuntimeError,
)
BY_STATUS = {
    401: "the Hub does not take this token (401); run `hf auth login` again",
    403: "the Hub does not allow it to this token (403)",
    404: "the Hub does not know it (404)",
    409: "the Hub says that it conflicts with what is there (409)",
    413: "the Hub does not take as much at once (413)",
    429: "the Hub is asked too often (429); try again in some minutes",
}


def reason(error: BaseException) -> str:
    """Say why the Hub failed, as a part of a sentence, by the first of an error and its causes that tells.

    Args:
        error: one of HUB_ERRORS, as huggingface_hub raised it.

    Returns:
        Words to follow a colon, such as "the Hub does not answer".
    """
    if str(error).startswith("Invalid metadata"):
        return f"the Hub does not take the first lines of README.md ({short_repr(' '.join(str(error).split()), 200)})"
    for each in _with_causes(error):
        if isinstance(each, HubBusyError):
            return str(each)
        if isinstance(each, (HubTimeoutError, httpx.TimeoutException)):
            return "the Hub does not answer"
        if isinstance(each, HFValidationError):
            return str(each).rstrip(".")
        status = getattr(getattr(each, "response", None), "status_code", 0)
        if status in BY_STATUS:
            return BY_STATUS[status]
        if status >= 500:
            return f"the Hub is out of order ({status}); try again later"
        if status >= 400:
            return f"the Hub refuses ({status}: {short_repr(str(each).strip().splitlines()[-1], 160)})"
        if isinstance(each, (OfflineModeIsEnabled, httpx.ConnectError, httpx.ProxyError)):
            return "the Hub cannot be reached"
    broken = next((each for each in _with_causes(error) if isinstance(each, (httpx.HTTPError, OSError))), None)
    if broken is not None:
        first_line = (str(broken).strip().splitlines() or [type(broken).__name__])[0]
        return f"the connection to the Hub broke ({short_repr(first_line, 160)})"
    return f"the Hub's answer makes no sense ({short_repr(f'{type(error).__name__}: {error}', 160)})"


def _with_causes(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__
