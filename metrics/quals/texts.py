"""Texts that a user gave the metric, checked before evaluate encodes them: it looks at the first of a list only."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from .inputs import capital, check_characters


def checked_texts(
    predictions: Any, sources: Any, nested: bool | None = None
) -> tuple[list[str] | list[list[str]], list[str]]:
    """Summaries and their sources as plain lists of strings.

    Args:
        predictions: any iterable of strings, or of iterables of strings: candidates for each source.
        sources: any iterable of strings, of the same length.
        nested: whether predictions must be lists of candidates; None takes the form of the first.

    Raises:
        ValueError: something is not text, a list is empty, the lengths differ, or the forms do; the message says where.
    """
    summaries, texts = _listed(predictions, "predictions"), _listed(sources, "sources")
    if len(summaries) != len(texts):
        raise ValueError(
            f"There are {len(summaries)} predictions and {len(texts)} sources: give a summary, or a list of "
            "candidates, for each source."
        )
    texts = [_text(text, f"the source at place {place}") for place, text in enumerate(texts)]
    if nested is None:
        nested = _is_list(summaries[0])
    return [_summary(summary, f"the prediction at place {n}", nested) for n, summary in enumerate(summaries)], texts


def _summary(value: Any, name: str, nested: bool) -> Any:
    if not nested:
        if _is_list(value):
            raise ValueError(f"{capital(name)} is a list, and others are one text: give all in one form.")
        return _text(value, name)
    if isinstance(value, str):
        raise ValueError(f"{capital(name)} is one text, and others are lists: give all in one form.")
    return [_text(text, f"candidate {number} of {name}") for number, text in enumerate(_listed(value, name))]


def _is_list(value: Any) -> bool:
    return isinstance(value, Iterable) and not isinstance(value, (str, bytes, Mapping))


def _listed(value: Any, name: str) -> list[Any]:
    if not _is_list(value):
        kind = "one string" if isinstance(value, str) else type(value).__name__
        raise ValueError(f"{capital(name)} must be a list of strings, and got {kind}.")
    values = list(value)
    if not values:
        raise ValueError(f"{capital(name)} must have one text at least, and got an empty list.")
    return values


def _text(value: Any, name: str) -> str:
    if not isinstance(value, str):
        raise ValueError(f"{capital(name)} must be a string, and got {type(value).__name__}.")
    check_characters(value, name)
    return str(value)
