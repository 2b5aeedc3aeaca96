"""What goes wrong between here and the Hub: what happened, what it left behind, what to do."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager

from huggingface_hub import constants
from huggingface_hub.errors import HfHubHTTPError, HTTPError, OfflineModeIsEnabled  # type: ignore[attr-defined]

_UNCHANGED = "What stood there before is unchanged."
_UNKNOWN = "Whether the commit arrived is not known: it does so whole or not at all."
_AGAIN = "run the same command again, which sends only what is missing"
_SAID = 200  # characters of the Hub's own words


class PublishError(OSError):
    """Publishing stopped; the message says where, why, what it left behind and what to do."""


@contextmanager
def explained(doing: str, namespace: str, token: str, commits: bool = False) -> Iterator[None]:
    """Turn what huggingface_hub raises within into a :class:`PublishError`.

    Args:
        doing: what is tried, as in "Committing to model org/name".
        namespace: whose repository it is.
        token: is struck out, should the message hold it.
        commits: whether the attempt may have changed the repository although it failed.
    """
    try:
        yield
    except (HTTPError, OfflineModeIsEnabled, json.JSONDecodeError, RuntimeError) as error:
        cause = _cause(error)
        if cause is None:
            raise
        happened, advice = _told(cause, namespace)
        uncertain = commits and (not isinstance(cause, HfHubHTTPError) or cause.response.status_code >= 500)
        state = _UNKNOWN if uncertain else _UNCHANGED
        message = f"{doing} failed: {happened}. {state} {advice}"
        raise PublishError(message.replace(token, "***") if token else message) from error


def _cause(error: BaseException | None) -> HTTPError | OfflineModeIsEnabled | json.JSONDecodeError | None:
    """The Hub's error within; a failed upload arrives wrapped in a RuntimeError."""
    while error is not None and not isinstance(error, HTTPError | OfflineModeIsEnabled | json.JSONDecodeError):
        error = error.__cause__
    return error


def _told(error: HTTPError | OfflineModeIsEnabled | json.JSONDecodeError, namespace: str) -> tuple[str, str]:
    """What happened, and what to do."""
    endpoint = constants.ENDPOINT
    if isinstance(error, OfflineModeIsEnabled):
        return "HF_HUB_OFFLINE is set, so the Hub is not asked", "Unset it to publish."
    if isinstance(error, json.JSONDecodeError):
        return f"what {endpoint} answers is not what a Hub answers", "Check HF_ENDPOINT and the proxy."
    if not isinstance(error, HfHubHTTPError):
        return (
            f"the connection to {endpoint} broke or could not be made ({type(error).__name__})",
            f"Check the network, the proxy and HF_ENDPOINT, then {_AGAIN}.",
        )
    status = error.response.status_code
    happened, advice = _of_status(status, error.response.headers.get("Retry-After", ""), namespace, endpoint)
    said = " ".join((error.server_message or "").split())
    said = "".join(letter for letter in said if letter.isprintable()).rstrip(".")[:_SAID]
    return f"{happened} ({status}{f'; the Hub says: {said}' if said else ''})", advice


def _of_status(status: int, retry_after: str, namespace: str, endpoint: str) -> tuple[str, str]:
    if status == 401:
        return (
            "the Hub does not accept the token",
            f"Make one with write access at {endpoint}/settings/tokens and give it with `hf auth login`, or as "
            "HF_TOKEN, which comes first.",
        )
    if status == 403:
        return (
            f"the token may not do this in {namespace}",
            f"Take a token with write access to {namespace}, or name a repository in a namespace of your own.",
        )
    if status == 404:
        return "there is no such repository, or the token may not see it", "Check its name and HF_ENDPOINT."
    if status in (409, 412):
        return "something else is changing it at the same time", f"Look at what changed there, then {_AGAIN}."
    if status == 429:
        wait = f"{retry_after} seconds" if retry_after.isdigit() else "some minutes"
        return "the Hub got too many requests", f"Wait {wait}, then {_AGAIN}."
    if status >= 500:
        return "the Hub had an error of its own", f"Wait some minutes, then {_AGAIN}."
    return "the Hub refused", f"Mend what it names, then {_AGAIN}."
