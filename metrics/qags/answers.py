"""What can be asked for in a summary: its named entities and noun chunks (QAGS, Wang et al. 2020, section 4)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from quals.pairs import fold

from .overlap import squad_words

if TYPE_CHECKING:
    from spacy.language import Language
    from spacy.tokens import Doc

LONGEST = 100_000  # characters: parsing takes a gigabyte for so many, and question generators read less


def answer_spans(texts: Iterable[str], pipeline: Language, most: int = 10) -> Iterator[list[tuple[int, int]]]:
    """Character spans of each text's answers, ``most`` at most: entities first, then noun chunks, in the text's order.

    The authors draw 10 at random; these are always the same. Answers that differ in case, accents or punctuation alone
    are one, and an article alone is none: compared as answers are, without articles, it would equal finding nothing.
    Of a text longer than :data:`LONGEST` the beginning is looked at.
    """
    for parsed in pipeline.pipe(text[:LONGEST] for text in texts):
        yield _spans(parsed, most)


def _spans(parsed: Doc, most: int) -> list[tuple[int, int]]:
    found: dict[tuple[str, ...], tuple[int, int]] = {}
    chunks = parsed.noun_chunks if parsed.has_annotation("DEP") else ()  # a pipeline of rules may have no parser
    for span in [*parsed.ents, *chunks]:
        words = tuple(word.folded for word in fold(span.text))
        if squad_words(span.text):
            found.setdefault(words, (span.start_char, span.end_char))
    return list(found.values())[:most]
