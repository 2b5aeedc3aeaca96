"""A pair's tokens as the words that people read, and the words of a summary that its source does not support."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass

from .pairs import ScoredPair, fold

FAR = 3.0  # nats: a word this much less likely given the source is a twentieth as likely


@dataclass(frozen=True)
class ScoredWord:
    """One word of a pair; its log-probability is the sum of its tokens'.

    Attributes:
        text: fit for a terminal and a page.
        summary, source: natural log-probabilities, at most 0.
        is_answer: whether it stands after the separator.
        is_mark: whether it is the separator or the end of the sequence.
    """

    text: str
    summary: float
    source: float
    is_answer: bool
    is_mark: bool

    @property
    def change(self) -> float:
        """Nats by which the word is likelier given the source than given the summary."""
        return self.source - self.summary

    @property
    def is_deciding(self) -> bool:
        """Whether the word alone is far less likely given the source."""
        return not self.is_mark and self.change <= -FAR


@dataclass(frozen=True)
class UnsupportedWord:
    """A word of a summary, ``summary[start:end]``, that is far less likely in all pairs that mention it.

    Attributes:
        start, end: character span in the summary.
        change: of the pair that supports the word best, in nats; at most ``-FAR``.
        pair: place of the first pair that mentions it.
    """

    start: int
    end: int
    change: float
    pair: int


def scored_words(pair: ScoredPair) -> list[ScoredWord]:
    """The pair's words in order; the separator is an arrow, the end of the sequence says "end"."""
    words: list[ScoredWord] = []
    texts = token_texts(pair)
    values = zip(texts, pair.token_log_probs_summary, pair.token_log_probs_source, strict=True)
    for place, (token, summary, source) in enumerate(values):
        is_mark = place in (pair.answer_tokens - 1, len(texts) - 1)
        text = token.removeprefix(_JOIN)
        continues = text != token and not is_mark and not _stands_alone(text)
        if continues and words and not words[-1].is_mark:
            last = words.pop()
            text, summary, source = last.text + text, last.summary + summary, last.source + source
        words.append(ScoredWord(text, summary, source, place >= pair.answer_tokens, is_mark))
    return words


def unsupported_words(summary: str, pairs: Sequence[ScoredPair]) -> list[UnsupportedWord]:
    """The words of ``summary`` that the source does not support, in order.

    A word counts as supported if any pair that mentions it, in its question or its answer, finds it nearly as likely
    given the source. Words that no pair mentions are left out.
    """
    changes: dict[str, list[tuple[float, int]]] = {}
    for place, pair in enumerate(pairs):
        for scored in scored_words(pair):
            for word in fold(scored.text):
                changes.setdefault(word.folded, []).append((scored.change, place))
    unsupported = []
    for word in fold(summary):
        known = changes.get(word.folded, [])
        best = max((change for change, _ in known), default=0.0)
        if best <= -FAR:
            unsupported.append(UnsupportedWord(word.start, word.end, best, min(place for _, place in known)))
    return unsupported


def token_texts(pair: ScoredPair) -> list[str]:
    """The pair's tokens as people read them; pieces that continue a word begin with a middle dot."""
    texts = [_piece(token, pair.tokens) for token in pair.tokens]
    texts[pair.answer_tokens - 1] = "\N{RIGHTWARDS ARROW}"
    texts[-1] = "end"
    return [printable(text) or "\N{OPEN BOX}" for text in texts]


def printable(text: str) -> str:
    """The text in one line, without characters that steer a terminal; these become replacement characters."""
    spaced = " ".join(text.split())
    return "".join("\ufffd" if _steers(character) else character for character in spaced)


def _steers(character: str) -> bool:
    return unicodedata.category(character) in _UNPRINTABLE or character in _DIRECTIONS


_UNPRINTABLE = {"Cc", "Cs", "Cn", "Co"}
_DIRECTIONS = set("\u200e\u200f\u061c\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")  # reorder what is around
_JOIN = "\N{MIDDLE DOT}"


def _stands_alone(piece: str) -> bool:
    """Whether a piece is no part of a word before it: punctuation, or a script that writes no spaces."""
    return not piece[:1].isalnum() or unicodedata.east_asian_width(piece[0]) in "WF"


def _piece(token: str, tokens: tuple[str, ...]) -> str:
    """One vocabulary entry as text, whichever of three ways its tokenizer marks the beginnings of words."""
    if any(other.startswith("\u2581") for other in tokens):  # SentencePiece
        return token[1:] if token.startswith("\u2581") else _JOIN + token
    if any(other.startswith("\u0120") for other in tokens):  # byte-level BPE
        first = token == tokens[0]  # no space before the first word of a target
        text = bytes(_BYTES.get(letter, 0x3F) for letter in token).decode("utf-8", "replace")
        return text[1:] if text.startswith(" ") else (text if first else _JOIN + text)
    return _JOIN + token[2:] if token.startswith("##") else token  # WordPiece


def _byte_alphabet() -> dict[str, int]:
    """Byte-level BPE writes printable Latin-1 bytes as themselves and the others as letters from U+0100 on."""
    plain = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    others = [byte for byte in range(256) if byte not in plain]
    return {**{chr(byte): byte for byte in plain}, **{chr(0x100 + i): byte for i, byte in enumerate(others)}}


_BYTES = _byte_alphabet()
