"""What the app shows of a score, as HTML: a reading in plain words, and one pair with its tokens and its places."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from .markup import (
    BLUE,
    MUCH,
    ORANGE,
    WORDS_STYLE,
    count,
    escaped,
    grid_step,
    signed,
    with_minus,
    word_bars,
)
from .pairs import find_answer, fold
from .results import ScoredPair
from .words import printable

_AROUND = 300  # characters of the document shown before and after an answer

# Gradio puts the class dark around everything.
STYLE = (
    (
        """
.quals { --ink: var(--body-text-color); --muted: #5b636d; --unit: 6.5rem;
  --tint: var(--background-fill-secondary); --line: var(--border-color-primary);
  --summary: BLUE; --source: ORANGE; --mark: 219, 120, 0; overflow-wrap: anywhere; }
.dark .quals { --muted: #a3abb5; --summary: #56b4e9; --source: #f0a030; --mark: 240, 160, 48; }
#pairs .wrap { flex-direction: column; }
.quals h2, .quals h3 { margin: 0 0 .4rem; line-height: 1.3; }
.quals p { margin: .3rem 0; }
.quals .muted { color: var(--muted); font-size: .9rem; }
.quals .problem { border-inline-start: .25rem solid var(--source); padding-inline-start: .9rem; }
.quals blockquote { margin: .4rem 0; padding-inline-start: .9rem; font-style: normal; white-space: pre-wrap;
  color: inherit; border-inline-start: .25rem solid var(--summary); }
.quals blockquote.source { border-color: var(--source); }
.quals mark { color: inherit; background: color-mix(in srgb, var(--source) 30%, transparent);
  border-bottom: .14em solid var(--source); border-radius: .15em; }
.quals blockquote.summary mark { background: color-mix(in srgb, var(--summary) 30%, transparent);
  border-color: var(--summary); }
.quals .key { margin-inline-end: 1rem; }
.quals .key::before { content: ""; display: inline-block; width: .8em; height: .8em; margin-inline-end: .4em; }
.quals .key.a::before { background: var(--summary); }
.quals .key.b::before { background: var(--source); }
.quals li { margin: 0; padding: 0; }
.quals td, .quals th { text-align: start; padding: .15rem .9rem .15rem 0; border: 0; }
"""
        + WORDS_STYLE
    )
    .replace("BLUE", BLUE)
    .replace("ORANGE", ORANGE)
)


@dataclass(frozen=True)
class Scored:
    """A score with its texts and its pairs, worst first."""

    document: str
    summary: str
    score: float
    pairs: tuple[ScoredPair, ...]
    notes: tuple[str, ...]
    signature: str


def reading(scored: Scored) -> str:
    """The score in plain words."""
    if math.isnan(scored.score):
        return _part(
            "<h2>No score</h2><p>No question-answer pair could be made from this summary, so nothing can be compared. "
            "That happens with summaries that are empty, very short or not in English.</p>"
        )
    number = sum(pair.score < -MUCH for pair in scored.pairs)
    all_pairs = f"{count(len(scored.pairs), 'question-answer pair')} made from the summary"
    if number:
        words = (
            f"<strong>{number} of {all_pairs}</strong> {'is' if number == 1 else 'are'} much less likely given the "
            "document. The document may not state what they ask: look at them below, worst first."
        )
    else:
        words = (
            f"None of {all_pairs} is much less likely given the document. Nothing here speaks against the summary, "
            "which does not prove it."
        )
    notes = "".join(f'<p class="muted">{escaped(note)}</p>' for note in scored.notes)
    return _part(
        f"<h2>QUALS {with_minus(signed(scored.score))}</h2><p>{words}</p>"
        f'<p class="muted">0 is a summary that the document supports in full; the further below, the less. Compare '
        f"summaries of the same document only. Much less likely: by more than {MUCH:g} nat a token. Settings: "
        f"{escaped(scored.signature)}.</p>{notes}"
    )


def pair_label(pair: ScoredPair) -> str:
    """A pair in one line."""
    question, answer = printable(pair.question), printable(pair.answer)
    return f"{with_minus(signed(pair.score))}   {question} \N{RIGHTWARDS ARROW} {answer}"


def pair_detail(scored: Scored, place: int, depth: int) -> str:
    """One pair: its tokens' bars, and where its answer stands in the summary and in the document."""
    pair = scored.pairs[place]
    span = find_answer(pair.answer, fold(scored.document))
    stands = (
        f'<blockquote class="source" dir="auto">{_excerpt(scored.document, span)}</blockquote>'
        if span
        else '<p class="muted">The answer does not stand in the document in these words.</p>'
    )
    lines = count(grid_step(depth), "nat")
    return _part(
        f"<h3>{escaped(pair.question)} &rarr; {escaped(pair.answer)}</h3>"
        f'<p class="muted">Difference {with_minus(signed(pair.score))} nats a token: '
        f"{with_minus(signed(pair.log_likelihood_source))} given the document, "
        f"{with_minus(signed(pair.log_likelihood_summary))} given the summary.</p>"
        f'<p><span class="key a">given the summary (left)</span><span class="key b">given the document (right)</span>'
        f'<span class="muted">The longer a bar, the less expected the word; a line every {lines}. The answer is shaded.'
        f"</span></p>{word_bars(pair, depth)}"
        f'<h3>In the summary</h3><blockquote class="summary" dir="auto">'
        f"{_excerpt(scored.summary, (pair.start, pair.end))}</blockquote>"
        f"<h3>In the document</h3>{stands}"
    )


def table_reading(scores: Sequence[float]) -> str:
    """What the scores of a file look like."""
    known = sorted((score, number) for number, score in enumerate(scores, start=1) if not math.isnan(score))
    if not known:
        return _part("<h2>No score</h2><p>No question-answer pair could be made from any of the summaries.</p>")
    mean = sum(score for score, _ in known) / len(known)
    rows = "".join(f"<tr><td>{number}</td><td>{with_minus(signed(score))}</td></tr>" for score, number in known[:10])
    return _part(
        f"<h2>QUALS {with_minus(signed(mean))}, the mean of {len(known)} of {count(len(scores), 'row')}</h2>"
        f"<p>The lowest:</p><table><thead><tr><th>row</th><th>QUALS</th></tr></thead><tbody>{rows}</tbody></table>"
    )


def problem(message: str) -> str:
    """Why there is no score."""
    return _part(f'<p class="problem">{escaped(message)}</p>')


def _part(html: str) -> str:
    return f'<div class="quals">{html}</div>'


def _excerpt(text: str, span: tuple[int, int]) -> str:
    """The text around a marked stretch."""
    start, end = span
    first, last = max(0, start - _AROUND), min(len(text), end + _AROUND)
    before, after = ("\N{HORIZONTAL ELLIPSIS}" if cut else "" for cut in (first > 0, last < len(text)))
    return (
        f"{before}{escaped(text[first:start])}<mark>{escaped(text[start:end])}</mark>{escaped(text[end:last])}{after}"
    )
