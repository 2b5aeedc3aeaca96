"""Sentences of a summary, by spaCy's rules for English punctuation; no model is needed."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import lru_cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from spacy.language import Language


def sentence_spans(texts: Iterable[str]) -> Iterator[list[tuple[int, int]]]:
    """Character spans of each text's sentences, without white space around; one needs a letter or digit.

    Raises:
        ValueError: spaCy is not installed.
    """
    for parsed in _splitter().pipe(texts):
        spans = []
        for sentence in parsed.sents:
            text = sentence.text.strip()
            if any(map(str.isalnum, text)):
                start = sentence.start_char + sentence.text.index(text)
                spans.append((start, start + len(text)))
        yield spans


@lru_cache(maxsize=1)
def _splitter() -> Language:
    try:
        import spacy
    except ImportError as error:
        raise ValueError(
            "FactCC splits summaries into sentences by spacy, which is not installed: pip install 'quals[rivals]'."
        ) from error
    splitter = spacy.blank("en")
    splitter.add_pipe("sentencizer")
    splitter.max_length = 2**31  # the limit is for parsers
    return splitter
