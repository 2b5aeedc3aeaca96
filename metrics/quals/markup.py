"""How pairs are shown to people: numbers as text, and bars of words' log-probabilities as HTML with text escaped."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from html import escape

from .pairs import ScoredPair
from .words import scored_words

BLUE, ORANGE = "#0072B2", "#DB7800"  # told apart in every common kind of colour blindness, and 3:1 against white
MUCH = 1.0  # nats per token: a pair this much less likely given the source is less than 1/e as likely
NO_PAIRS = "No question-answer pair survived, so QUALS is undefined for this summary (NaN)."

# The style of word_bars. The page sets --ink, --muted, --tint, --line, --summary, --source, --mark (three numbers) and
# --unit, the height of the longest bar.
WORDS_STYLE = """\
.words { display: flex; flex-wrap: wrap; row-gap: .9rem; margin: .7rem 0 .4rem; padding: 0; list-style: none; }
.words li { min-width: 2.3rem; max-width: 14rem; text-align: center; font-size: .85rem; }
.words .word { display: block; padding: .1rem .3rem; white-space: nowrap; overflow: hidden;
  text-overflow: ellipsis; }
.words .bars { display: flex; justify-content: center; gap: 2px; height: var(--unit);
  border-top: 1px solid var(--muted); background: repeating-linear-gradient(to bottom,
  transparent 0 calc(var(--step) - 1px), var(--line) calc(var(--step) - 1px) var(--step)); }
.words i { width: .8rem; min-height: 2px; }
.words i.a { background: var(--summary); }
.words i.b { background: var(--source); }
.words .answer { background: var(--tint); }
.words .answer .word { font-weight: 650; }
.words .aside .word { color: var(--muted); font-weight: 400; }
.words .deciding .word { background: rgba(var(--mark), .3); box-shadow: inset 0 -.14em rgb(var(--mark)); }
"""


def signed(value: float) -> str:
    """A number with three decimals; NaN is 'undefined', and -0.0004 is 0.000 without a sign."""
    if math.isnan(value):
        return "undefined"
    return f"{0.0 if abs(value) < 0.0005 else value:.3f}"


def headline(score: float, pairs: Sequence[ScoredPair]) -> str:
    """The score, its unit, and what it was made of."""
    if shares(pairs):
        return f"QUALS {signed(score)} of what {count(len(pairs), 'pair')} tell{'s' * (len(pairs) == 1)}"
    return f"QUALS {signed(score)} nats per token, the mean of {count(len(pairs), 'pair')}"


def shares(pairs: Sequence[ScoredPair]) -> bool:
    """Whether their score is a share without a unit (``weighting="information"``), and not in nats per token."""
    return any(pair.token_log_probs_nothing for pair in pairs)


def judgement(pairs: Sequence[ScoredPair], text: str = "source") -> str:
    """One sentence on what the pairs say of the summary.

    Args:
        pairs: the pairs behind a score, at least one.
        text: what the page calls the source.
    """
    number = sum(pair.score < -MUCH for pair in pairs)
    verb = "is" if number <= 1 else "are"
    whole = (
        f"{number or 'None'} of {count(len(pairs), 'question-answer pair')} {verb} much less likely given the {text}"
    )
    return f"{whole}." if number else f"{whole}, which speaks for the summary but does not prove it."


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


def depth(pairs: Iterable[ScoredPair]) -> int:
    """Nats that the longest bar needs, in whole nats; one scale for all pairs keeps them comparable."""
    values = (-value for pair in pairs for word in scored_words(pair) for value in (word.summary, word.source))
    return max(2, math.ceil(max((value for value in values if math.isfinite(value)), default=0.0)))


def grid_step(depth: int) -> int:
    """Nats between two lines behind the bars."""
    return max(1, math.ceil(depth / 4))


def word_bars(pair: ScoredPair, depth: int) -> str:
    """A list of the pair's words, each with a bar for the summary and one for the source.

    Args:
        pair: a pair with its tokens' log-probabilities.
        depth: nats that a bar of full height stands for.
    """
    parts = [f'<ol class="words" dir="auto" style="--step: calc(var(--unit) * {grid_step(depth) / depth:.5f})">']
    for word in scored_words(pair):
        states = {"answer": word.is_answer, "aside": word.is_mark, "deciding": word.is_deciding}
        kinds = " ".join(name for name, holds in states.items() if holds)
        label = escaped(f"{word.text}: summary {signed(word.summary)}, source {signed(word.source)}")
        bars = _bar("a", word.summary, depth) + _bar("b", word.source, depth)
        parts.append(
            f'<li class="{kinds}" title="{label}"><span class="word">{escaped(word.text)}</span>'
            f'<span class="bars" role="img" aria-label="{label}">{bars}</span></li>'
        )
    return "\n".join([*parts, "</ol>"])


def _bar(kind: str, value: float, depth: int) -> str:
    share = 0.0 if math.isnan(value) else min(1.0, max(0.0, -value / depth))
    return f'<i class="{kind}" style="height:{share:.2%}"></i>'
