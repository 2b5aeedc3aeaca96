"""ROUGE by the package rouge-score, with words in every script."""

from __future__ import annotations

import unicodedata
from functools import cache
from itertools import groupby
from typing import Any

from quals.errors import require_extra

# Blocks of letters beyond U+0370 that belong to the Latin script: phonetic, accented, letterlike, ligatures, wide.
_LATIN = ((0x1D00, 0x1DBF), (0x1E00, 0x1EFF), (0x2071, 0x214F), (0x2C60, 0x2C7F), (0xA720, 0xA7FF), (0xAB30, 0xAB6F))
_WIDE_LATIN = ((0xFB00, 0xFB06), (0xFF10, 0xFF19), (0xFF21, 0xFF5A))
# Scripts that put no spaces between words: Chinese, Japanese, Thai, Lao, Burmese, Khmer.
_UNSPACED = ((0x0E00, 0x0EFF), (0x1000, 0x109F), (0x1780, 0x17FF), (0x3005, 0x3007), (0x3040, 0x30FF), (0x31F0, 0x31FF))
_UNSPACED_HAN = ((0x3400, 0x4DBF), (0x4E00, 0x9FFF), (0xF900, 0xFAFF), (0xFF66, 0xFF9F), (0x20000, 0x3FFFF))


class Words:
    """rouge-score's own words of Latin text; of other scripts their words, or single signs where no spaces are used.

    Text without letters of other scripts has the same words as in rouge-score, so its scores are the same. rouge-score
    alone finds no words beyond ASCII: findings/rouge-is-zero-beyond-ascii.sh.
    """

    def __init__(self, stem: bool) -> None:
        from rouge_score.tokenizers import DefaultTokenizer

        self._latin = DefaultTokenizer(stem)

    def tokenize(self, text: str) -> list[str]:
        """The words in their order."""
        if all(_kind(sign) == "latin" for sign in text):
            return list(self._latin.tokenize(text))
        words: list[str] = []
        for kind, signs in groupby(unicodedata.normalize("NFC", text), _kind):
            run = "".join(signs)
            if kind == "latin":
                words += self._latin.tokenize(run)
            elif kind == "word":
                words.append(run.casefold())
            else:
                words += _signs(run)
        return words


def rouge_scorer(*kinds: str, stem: bool) -> Any:
    """A ``rouge_score.rouge_scorer.RougeScorer``, whose scores are from 0 to 1.

    Args:
        kinds: ``"rouge1"``, ``"rouge2"``, ``"rougeL"``.
        stem: compare the stems of English words.

    Example:
        >>> rouge_scorer("rouge1", stem=True).score("the cats sat", "a cat sat")["rouge1"].fmeasure
        0.6666666666666666
        >>> rouge_scorer("rouge1", stem=True).score("кошка спит", "кошка ест")["rouge1"].fmeasure
        0.5

    Raises:
        MissingExtraError: the package rouge-score is not installed.
    """
    require_extra("train", "rouge_score")
    from rouge_score.rouge_scorer import RougeScorer

    return RougeScorer(list(kinds), use_stemmer=stem, tokenizer=Words(stem))


@cache
def _kind(sign: str) -> str:
    """What a sign belongs to: ``"latin"`` (with all punctuation and spaces), a ``"word"``, or single ``"signs"``."""
    code = ord(sign)
    letter = sign.isalpha() or sign.isdecimal() or unicodedata.category(sign).startswith("M")
    if code < 0x370 or not letter or _within(code, _LATIN + _WIDE_LATIN):
        return "latin"
    return "signs" if _within(code, _UNSPACED + _UNSPACED_HAN) else "word"


def _within(code: int, blocks: tuple[tuple[int, int], ...]) -> bool:
    return any(first <= code <= last for first, last in blocks)


def _signs(run: str) -> list[str]:
    """Letters, each with the marks that follow it."""
    signs: list[str] = []
    for sign in run:
        if signs and unicodedata.category(sign).startswith("M"):
            signs[-1] += sign
        else:
            signs.append(sign)
    return signs
