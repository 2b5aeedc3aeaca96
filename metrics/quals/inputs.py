"""Checks of what a caller gives: options, and texts in the forms that a scorer and a metric take."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import count
from typing import Any

from .errors import DataError, OptionError


def whole_number(name: str, value: Any, least: int) -> None:
    """Raise an OptionError unless ``value`` is a whole number of at least ``least``."""
    if not isinstance(value, int) or isinstance(value, bool) or value < least:
        raise OptionError(f"{name} is {value!r}: give a whole number, {least} or more.")


def one_of(name: str, value: Any, choices: Iterable[str]) -> None:
    """Raise an OptionError unless ``value`` is one of the choices."""
    if value not in (known := tuple(choices)):
        raise OptionError(f"{name} is {value!r}: give one of {known}.")


def paired_texts(sources: Iterable[str], summaries: Iterable[str]) -> tuple[Iterator[tuple[str, str]], int | None]:
    """Sources and summaries in pairs, and how many there are; None where only reading to the end would tell.

    Each text is checked once: those of two lists at once, so that a mistake at the end is known before the work; those
    of other iterables as they are read.

    Raises:
        DataError: a text is not a string, there is no text, or there are more sources than summaries or fewer. For
            other iterables than lists the iterator raises it.
    """
    for texts in (sources, summaries):
        if not isinstance(texts, Iterable) or isinstance(texts, str | bytes):
            raise DataError("sources and summaries must be lists of strings; for one summary give [source], [summary].")
    if not isinstance(sources, Sequence) or not isinstance(summaries, Sequence):
        return _checked_pairs(iter(sources), iter(summaries)), None
    if len(sources) != len(summaries):
        raise DataError(
            f"There are {len(sources)} sources and {len(summaries)} summaries: each summary needs the source at its "
            "place."
        )
    for _ in _checked_pairs(iter(sources), iter(summaries)):
        pass
    return zip(sources, summaries, strict=True), len(summaries)


def _checked_pairs(sources: Iterator[Any], summaries: Iterator[Any]) -> Iterator[tuple[str, str]]:
    end = object()
    for place in count():
        source, summary = next(sources, end), next(summaries, end)
        if source is end and summary is end:
            if place == 0:
                raise DataError("There is nothing to score: give one source and one summary at least.")
            return
        if source is end or summary is end:
            raise DataError(
                f"There are more {'summaries' if source is end else 'sources'} than {place}: each summary needs the "
                "source at its place."
            )
        yield _text(source, f"the source at place {place}"), _text(summary, f"the summary at place {place}")


def check_characters(text: str, name: str) -> None:
    """Raise a DataError if ``text`` holds a lone surrogate, which no tokenizer takes; ``name`` says which text it is.

    A Python string holds one where bytes were decoded wrongly.
    """
    place = lone_surrogate(text)
    if place is not None:
        raise DataError(
            f"{capital(name)} holds half a character (a lone surrogate) at {place}: decode its bytes again."
        )


def lone_surrogate(text: str) -> int | None:
    """Where a text holds half a surrogate pair, which no encoding of Unicode can hold; None is nowhere."""
    try:
        text.encode()
    except UnicodeEncodeError as error:
        return error.start
    return None


def has_words(text: str) -> bool:
    """Whether a text has a letter or a digit, of any script."""
    return any(map(str.isalnum, text))


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
        DataError: a value is not text, a list is empty, the lengths differ, or the forms do; the message says where.
    """
    summaries, texts = _listed(predictions, "predictions"), _listed(sources, "sources")
    if len(summaries) != len(texts):
        raise DataError(
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
            raise DataError(f"{capital(name)} is a list, and others are one text: give all in one form.")
        return _text(value, name)
    if isinstance(value, str):
        raise DataError(f"{capital(name)} is one text, and others are lists: give all in one form.")
    return [_text(text, f"candidate {number} of {name}") for number, text in enumerate(_listed(value, name))]


def _is_list(value: Any) -> bool:
    return isinstance(value, Iterable) and not isinstance(value, (str, bytes, Mapping))


def _listed(value: Any, name: str) -> list[Any]:
    if not _is_list(value):
        kind = "one string" if isinstance(value, str) else type(value).__name__
        raise DataError(f"{capital(name)} must be a list of strings, and is {kind}.")
    values = list(value)
    if not values:
        raise DataError(f"{capital(name)} is an empty list: give one text at least.")
    return values


def _text(value: Any, name: str) -> str:
    if not isinstance(value, str):
        raise DataError(f"{capital(name)} must be a string, and is {type(value).__name__}.")
    check_characters(value, name)
    return str(value)
