"""Show why a summary scored as it did: its pairs in the terminal, as a figure and as a page."""

from __future__ import annotations

import math
import unicodedata
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from quals.results import ScoredPair, SummaryScore

BLUE, ORANGE = "#0072B2", "#DB7800"  # told apart in every common kind of colour blindness, and 3:1 against white
NO_PAIRS = "No question-answer pair survived, so QUALS is undefined for this summary (NaN)."


@dataclass(frozen=True)
class Explanation:
    """A score with the texts it belongs to.

    Attributes:
        source, summary: the texts.
        result: of the scorer.
        signature: of the scorer's settings.
    """

    source: str
    summary: str
    result: SummaryScore
    signature: str

    @property
    def worst_first(self) -> list[ScoredPair]:
        """The pairs, those first that the source supports least."""
        return sorted(self.result.pairs, key=lambda pair: pair.score)

    @property
    def headline(self) -> str:
        """The score and what it is the mean of."""
        count = len(self.result.pairs)
        return f"QUALS {signed(self.result.score)}, the mean of {count} pair{'' if count == 1 else 's'}"

    @property
    def notes(self) -> list[str]:
        """What a reader must know of how the texts were read."""
        notes = []
        if self.result.source_truncated:
            notes.append("The end of the source was not read.")
        if self.result.source_windows > 1:
            notes.append(f"The source was read in {self.result.source_windows} windows.")
        if self.result.summary_truncated:
            notes.append("The end of the summary was not read.")
        return notes

    @property
    def depth(self) -> int:
        """Nats that the longest bar needs, in whole nats; one scale for all pairs keeps them comparable."""
        values = (
            -value
            for pair in self.result.pairs
            for value in (*pair.token_log_probs_summary, *pair.token_log_probs_source)
            if math.isfinite(value)
        )
        return max(2, math.ceil(max(values, default=0.0)))


def signed(value: float) -> str:
    """A number with three decimals; NaN is 'undefined', and -0.0004 is 0.000 without a sign."""
    if math.isnan(value):
        return "undefined"
    return f"{0.0 if abs(value) < 0.0005 else value:.3f}"


def printable(text: str) -> str:
    """The text without characters that steer a terminal or are no characters; every run of white space is a space."""
    spaced = " ".join(text.split())
    return "".join("\ufffd" if _steers(character) else character for character in spaced)


def _steers(character: str) -> bool:
    return unicodedata.category(character) in _UNPRINTABLE or character in _DIRECTIONS


def token_texts(pair: ScoredPair) -> list[str]:
    """The pair's tokens as people read them; pieces that continue a word begin with a middle dot."""
    words = [_pieces(token, pair.tokens) for token in pair.tokens]
    words[pair.answer_tokens - 1] = "\N{RIGHTWARDS ARROW}"
    words[-1] = "end"
    return [printable(word) or "\N{OPEN BOX}" for word in words]


_UNPRINTABLE = {"Cc", "Cs", "Cn", "Co"}
_DIRECTIONS = set("\u200e\u200f\u061c\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")  # reorder what is around
_JOIN = "\N{MIDDLE DOT}"


def _pieces(token: str, tokens: tuple[str, ...]) -> str:
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
