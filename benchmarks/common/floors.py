"""The floors: which share of a summary's words, or word pairs, also occurs in the document."""

from __future__ import annotations

import math

from quals.pairs import fold


def ngram_share(document: str, summary: str, order: int) -> float:
    """Share of the summary's word n-grams, repeats counted, that occur in the document; 0 to 1.

    Words are compared without case, accents and punctuation. NaN where the summary has fewer words than ``order``.
    """
    wanted = _ngrams(summary, order)
    if not wanted:
        return math.nan
    known = set(_ngrams(document, order))
    return sum(ngram in known for ngram in wanted) / len(wanted)


def _ngrams(text: str, order: int) -> list[tuple[str, ...]]:
    words = [word.folded for word in fold(text)]
    return list(zip(*(words[start:] for start in range(order)), strict=False))
