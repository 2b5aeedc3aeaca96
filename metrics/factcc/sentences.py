"""Sentences of a summary, by spaCy's rules for English punctuation; no model is needed."""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache
from threading import Lock
from typing import TYPE_CHECKING

from quals.errors import MissingExtraError

if TYPE_CHECKING:
    from spacy.language import Language
    from spacy.tokens import Doc


# spaCy does not say that a pipeline may parse in two threads at once.
_one_thread = Lock()


def sentence_spans(texts: Iterable[str]) -> list[list[tuple[int, int]]]:
    """Character spans of each text's sentences, without white space around; a sentence has a letter or digit.

    Raises:
        MissingExtraError: spaCy is not installed.

    Example:
        >>> sentence_spans(["It was late. Why?"])
        [[(0, 12), (13, 17)]]
    """
    with _one_thread:
        return [_spans(parsed) for parsed in _splitter().pipe(texts)]


def _spans(parsed: Doc) -> list[tuple[int, int]]:
    spans = []
    for sentence in parsed.sents:
        text = sentence.text.strip()
        if any(map(str.isalnum, text)):
            start = sentence.start_char + sentence.text.index(text)
            spans.append((start, start + len(text)))
    return spans


@lru_cache(maxsize=1)
def _splitter() -> Language:
    try:
        import spacy
    except ImportError as error:
        raise MissingExtraError(
            'FactCC splits summaries into sentences with spacy, which is not installed: pip install ".[rivals]" in a '
            "clone of the repository."
        ) from error
    splitter = spacy.blank("en")
    splitter.add_pipe("sentencizer")
    splitter.max_length = 2**31  # the limit is for parsers
    return splitter
