"""Checks of what a caller gives the scorer."""

from __future__ import annotations

from collections.abc import Iterator
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
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise ValueError(
            f"{capital(name)} holds half a character (a lone surrogate) at {error.start}: decode it anew from its "
            "bytes."
        ) from error


def capital(name: str) -> str:
    """``name`` as the beginning of a sentence."""
    return name[0].upper() + name[1:]
