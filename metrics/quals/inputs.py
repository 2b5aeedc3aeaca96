"""Checks of what a caller gives the scorer."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any


def require(condition: bool, message: str) -> None:
    """Raise a ValueError with ``message`` unless ``condition`` holds."""
    if not condition:
        raise ValueError(message)


def whole_number(name: str, value: Any, least: int) -> None:
    """Raise a ValueError unless ``value`` is a whole number of at least ``least``."""
    whole = isinstance(value, int) and not isinstance(value, bool)
    require(whole and value >= least, f"{name} is {value!r}: give a whole number, {least} or more.")


def strict_zip(sources: Iterator[Any], summaries: Iterator[Any]) -> Iterator[tuple[str, str]]:
    """Sources and summaries in pairs, read as they are asked for.

    Raises:
        ValueError: something is no text, there are none, or more of one than of the other.
    """
    end = object()
    for place in range(2**62):
        source, summary = next(sources, end), next(summaries, end)
        if source is end and summary is end:
            require(place > 0, "There is nothing to score: give one source and one summary at least.")
            return
        if source is end or summary is end:
            raise ValueError(
                f"There are more {'summaries' if source is end else 'sources'} than {place}: each summary needs the "
                "source at its place."
            )
        for name, value in (("source", source), ("summary", summary)):
            if not isinstance(value, str):
                raise ValueError(f"The {name} at place {place} is {type(value).__name__}, not text: give strings.")
            check_characters(value, f"the {name} at place {place}")
        yield source, summary  # type: ignore[misc]


def check_characters(text: str, name: str) -> None:
    """Raise a ValueError if ``text`` holds a lone surrogate, which no tokenizer takes; ``name`` says which text it is.

    A Python string can hold one where bytes were decoded wrongly.
    """
    place = lone_surrogate(text)
    if place is not None:
        raise ValueError(
            f"{capital(name)} holds half a character (a lone surrogate) at {place}: decode it anew from its bytes."
        )


def lone_surrogate(text: str) -> int | None:
    """Where a text holds half a surrogate pair, which no encoding of Unicode can hold; None is nowhere."""
    try:
        text.encode()
    except UnicodeEncodeError as error:
        return error.start
    return None


def capital(name: str) -> str:
    """``name`` as the beginning of a sentence."""
    return name[0].upper() + name[1:]


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
