"""How a pair is shown to people: words for tokens, and bars of their log-probabilities as HTML, all text escaped.

It imports nothing of this folder, which the Space's app is a part of and runs in as a script.
"""

from __future__ import annotations

import math
import unicodedata
from collections.abc import Iterable
from html import escape
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .results import ScoredPair

BLUE, ORANGE = "#0072B2", "#DB7800"  # told apart in every common kind of colour blindness, and 3:1 against white
# Of token_bars; the page around it sets --ink, --muted, --tint, --line, --summary, --source and --unit, a bar's height.
TOKENS_STYLE = """\
.tokens { display: flex; flex-wrap: wrap; row-gap: .9rem; margin: .7rem 0 .4rem; padding: 0; list-style: none; }
.tokens li { min-width: 2.3rem; max-width: 14rem; text-align: center; font-size: .85rem; }
.tokens .word { display: block; padding: .1rem .3rem; white-space: nowrap; overflow: hidden;
  text-overflow: ellipsis; }
.tokens .bars { display: flex; justify-content: center; gap: 2px; height: var(--unit);
  border-top: 1px solid var(--muted); background: repeating-linear-gradient(to bottom,
  transparent 0 calc(var(--step) - 1px), var(--line) calc(var(--step) - 1px) var(--step)); }
.tokens i { width: .8rem; min-height: 2px; }
.tokens i.a { background: var(--summary); }
.tokens i.b { background: var(--source); }
.tokens .answer { background: var(--tint); }
.tokens .answer .word { font-weight: 650; }
.tokens .aside .word { color: var(--muted); font-weight: 400; }
"""


def signed(value: float) -> str:
    """A number with three decimals; NaN is 'undefined', and -0.0004 is 0.000 without a sign."""
    if math.isnan(value):
        return "undefined"
    return f"{0.0 if abs(value) < 0.0005 else value:.3f}"


def count(number: int, noun: str) -> str:
    """As in "1 pair" and "2 pairs"."""
    return f"{number} {noun}{'' if number == 1 else 's'}"


def escaped(text: str) -> str:
    """Escaped, for element content and quoted attributes; what HTML does not allow as a character is replaced."""
    allowed = (letter if _is_allowed(letter) else "\ufffd" for letter in text)
    return escape("".join(allowed), quote=True)


def _is_allowed(letter: str) -> bool:
    code = ord(letter)
    if code < 0xA0:
        return letter in "\t\n" or 0x20 <= code < 0x7F
    return not 0xD800 <= code <= 0xDFFF and not 0xFDD0 <= code <= 0xFDEF and code & 0xFFFE != 0xFFFE


def with_minus(text: str) -> str:
    """A number's text with the minus sign of print."""
    return text.replace("-", "\N{MINUS SIGN}")


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


def depth(pairs: Iterable[ScoredPair]) -> int:
    """Nats that the longest bar needs, in whole nats; one scale for all pairs keeps them comparable."""
    values = (
        -value
        for pair in pairs
        for value in (*pair.token_log_probs_summary, *pair.token_log_probs_source)
        if math.isfinite(value)
    )
    return max(2, math.ceil(max(values, default=0.0)))


def grid_step(depth: int) -> int:
    """Nats between two lines behind the bars."""
    return max(1, math.ceil(depth / 4))


def token_bars(pair: ScoredPair, depth: int) -> str:
    """A list of the pair's tokens, each with a bar for the summary and one for the source.

    Args:
        pair: with its tokens' log-probabilities.
        depth: nats that a bar of full height stands for.
    """
    words = token_texts(pair)
    parts = [f'<ol class="tokens" dir="auto" style="--step: calc(var(--unit) * {grid_step(depth) / depth:.5f})">']
    values = zip(words, pair.token_log_probs_summary, pair.token_log_probs_source, strict=True)
    for place, (word, summary, source) in enumerate(values):
        kinds = ["answer"] if place >= pair.answer_tokens else []
        kinds += ["aside"] if place in (pair.answer_tokens - 1, len(words) - 1) else []
        label = escaped(f"{word}: summary {signed(summary)}, source {signed(source)}")
        parts.append(
            f'<li class="{" ".join(kinds)}" title="{label}"><span class="word">{escaped(word)}</span>'
            f'<span class="bars" role="img" aria-label="{label}">{_bar("a", summary, depth)}{_bar("b", source, depth)}'
            "</span></li>"
        )
    return "\n".join([*parts, "</ol>"])


def _bar(kind: str, value: float, depth: int) -> str:
    share = 0.0 if math.isnan(value) else min(1.0, max(0.0, -value / depth))
    return f'<i class="{kind}" style="height:{share:.2%}"></i>'
