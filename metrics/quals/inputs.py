"""Checks of what a caller gives the scorer."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any


def require(condition: bool, message: str) -> None:
    """Raise a ValueError with ``message`` unless ``condition`` holds."""
    if not condition:
        raise ValueError(message)


def strict_zip(sources: Iterator[Any], summaries: Iterator[Any]) -> Iterator[tuple[str, str]]:
    """Sources and summaries in pairs, read as they are asked for.

    Raises:
        ValueError: something is no string, or there are more of one than of the other.
    """
    end = object()
    for place in range(2**62):
        source, summary = next(sources, end), next(summaries, end)
        if source is end and summary is end:
            return
        if source is end or summary is end:
            raise ValueError(
                f"There are more {'summaries' if source is end else 'sources'} than {place}: each summary needs the "
                "source at its place."
            )
        for name, value in (("source", source), ("summary", summary)):
            if not isinstance(value, str):
                raise ValueError(f"The {name} at place {place} is {type(value).__name__}, not text: give strings.")
        yield source, summary  # type: ignore[misc]
