"""What goes wrong between here and the Hub: what happened, what it left behind, what to do."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from json import JSONDecodeError

from huggingface_hub import constants
from huggingface_hub.errors import HfHubHTTPError, HTTPError, OfflineModeIsEnabled  # type: ignore[attr-defined]
from huggingface_hub.utils import logging

_UNCHANGED = "What stood there before is unchanged."
_UNKNOWN = "Whether the commit arrived is not known: it arrives whole or not at all."
_AGAIN = "run the same command again, which sends only what is missing"
_SAID = 200  # characters of the Hub's own words
_MALFORMED = (KeyError, TypeError, AttributeError, ValueError)  # huggingface_hub reads answers without checking them


class PublishError(OSError):
    """Publishing stopped; the message says where, why, what it left behind and what to do."""


@contextmanager
def quiet() -> Iterator[None]:
    """Within, huggingface_hub logs errors only: what matters of its warnings is told in our own words."""
    verbosity = logging.get_verbosity()
    logging.set_verbosity_error()
    try:
        yield
    finally:
        logging.set_verbosity(verbosity)


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
    except PublishError:
        raise
    except (HTTPError, OfflineModeIsEnabled, RuntimeError, *_MALFORMED) as error:
        cause = _cause(error)
        if cause is None:
            raise
        happened, advice = _explanation(cause, namespace)
        refused = isinstance(cause, HfHubHTTPError) and cause.response.status_code < 500
        state = _UNKNOWN if commits and not refused and not _is_refused_card(cause) else _UNCHANGED
        message = f"{doing} failed: {happened}. {state} {advice}"
        raise PublishError(message.replace(token, "***") if token else message) from error


def _cause(error: BaseException | None) -> BaseException | None:
    """The error of the connection or of an answer; a failed upload arrives wrapped in a RuntimeError."""
    while error is not None and not isinstance(error, (HTTPError, OfflineModeIsEnabled, *_MALFORMED)):
        error = error.__cause__
    return error


def _is_refused_card(error: BaseException) -> bool:
    """huggingface_hub raises a plain ValueError where the Hub refuses the head of the README.md, before the commit."""
    return type(error) is ValueError and "README.md" in str(error)


def _explanation(error: BaseException, namespace: str) -> tuple[str, str]:
    """What happened, and what to do."""
    endpoint = constants.ENDPOINT
    if isinstance(error, OfflineModeIsEnabled):
        return "HF_HUB_OFFLINE is set, so the Hub is not asked", "Unset it to publish."
    if isinstance(error, HfHubHTTPError):
        status = error.response.status_code
        happened, advice = _of_status(status, error.response.headers.get("Retry-After", ""), namespace, endpoint)
        said = _one_line(error.server_message or "")
        return f"{happened} ({status}{f'; the Hub says: {said}' if said else ''})", advice
    if isinstance(error, HTTPError):
        return (
            f"the connection to {endpoint} broke or could not be made ({type(error).__name__})",
            f"Check the network, the proxy and HF_ENDPOINT, then {_AGAIN}.",
        )
    if _is_refused_card(error):
        return f"the Hub refuses the head of the card: {_one_line(str(error))}", f"Correct the card, then {_AGAIN}."
    reason = "" if isinstance(error, JSONDecodeError) else f" ({type(error).__name__}: {_one_line(str(error))})"
    return f"what {endpoint} answers is not what a Hub answers{reason}", "Check HF_ENDPOINT and the proxy."


def _one_line(text: str) -> str:
    return "".join(letter for letter in " ".join(text.split()) if letter.isprintable()).rstrip(".")[:_SAID]


def _of_status(status: int, retry_after: str, namespace: str, endpoint: str) -> tuple[str, str]:
    wait = f"{retry_after} seconds" if retry_after.isdigit() else "some minutes"
    known = {
        401: (
            "the Hub does not accept the token",
            f"Make one with write access at {endpoint}/settings/tokens and give it with `hf auth login`, or as "
            "HF_TOKEN, which comes first.",
        ),
        403: (
            f"the token may not do this in {namespace}",
            f"Take a token with write access to {namespace}, or name a repository in a namespace of your own.",
        ),
        404: ("there is no such repository, or the token may not see it", "Check its name and HF_ENDPOINT."),
        409: ("something else is changing it at the same time", f"Look at what changed there, then {_AGAIN}."),
        429: ("the Hub got too many requests", f"Wait {wait}, then {_AGAIN}."),
        500: ("the Hub had an error of its own", f"Wait some minutes, then {_AGAIN}."),
    }
    refused = ("the Hub refused", f"Correct what it names, then {_AGAIN}.")
    return known.get({412: 409}.get(status, min(status, 500)), refused)
