"""What the page shows of a score, as HTML: the score in plain words, and one pair with its tokens and its places."""

from __future__ import annotations

import math
from collections.abc import Sequence

from .markup import BLUE, MUCH, ORANGE, WORDS_STYLE, count, escaped, grid_step, judgement, signed, with_minus, word_bars
from .pairs import find_answer, fold
from .results import QualsResult, ScoredPair, mean_score
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
.quals progress { appearance: none; width: 100%; height: .5rem; border: 0; background: var(--line); }
.quals progress::-webkit-progress-bar { background: var(--line); }
.quals progress::-webkit-progress-value { background: var(--summary); }
.quals progress::-moz-progress-bar { background: var(--summary); }
.quals li { margin: 0; padding: 0; }
.quals td, .quals th { text-align: start; padding: .15rem .9rem .15rem 0; border: 0; }
"""
        + WORDS_STYLE
    )
    .replace("BLUE", BLUE)
    .replace("ORANGE", ORANGE)
)


def reading(result: QualsResult) -> str:
    """The score in plain words."""
    if math.isnan(result.score):
        return _part(
            "<h2>No score</h2><p>No question-answer pair could be made from this summary, so nothing can be compared. "
            "That happens with summaries that are empty, very short or not in English.</p>"
        )
    windows = "The document was read in overlapping windows. Each pair counts with the window that supports it best."
    notes = [(windows, result.source_windows > 1), ("The end of the summary was not read.", result.summary_truncated)]
    return _part(
        f"<h2>QUALS {with_minus(signed(result.score))}</h2><p>{judgement(result.pairs, 'document')}</p>"
        '<p class="muted">A score of 0 means that the document supports the summary fully; lower is worse. Compare '
        f"summaries of the same document only. Much less likely means by more than {MUCH:g} nat per token. Settings: "
        f"{escaped(result.signature)}.</p>" + "".join(f'<p class="muted">{note}</p>' for note, holds in notes if holds)
    )


def pair_label(pair: ScoredPair) -> str:
    """A pair in one line."""
    question, answer = printable(pair.question), printable(pair.answer)
    return f"{with_minus(signed(pair.score))}   {question} \N{RIGHTWARDS ARROW} {answer}"


def pair_detail(result: QualsResult, pair: ScoredPair, depth: int) -> str:
    """One pair: its tokens' bars, and where its answer stands in the summary and in the document.

    Args:
        result: the score that the pair belongs to.
        pair: one of its pairs.
        depth: nats that a bar of full height stands for.
    """
    span = find_answer(pair.answer, fold(result.source))
    stands = (
        f'<blockquote class="source" dir="auto">{_excerpt(result.source, span)}</blockquote>'
        if span
        else '<p class="muted">The document does not have the answer in these words.</p>'
    )
    lines = count(grid_step(depth), "nat")
    return _part(
        f"<h3>{escaped(pair.question)} &rarr; {escaped(pair.answer)}</h3>"
        f'<p class="muted">Difference {with_minus(signed(pair.score))} nats per token: '
        f"{with_minus(signed(pair.log_likelihood_source))} given the document, "
        f"{with_minus(signed(pair.log_likelihood_summary))} given the summary.</p>"
        f'<p><span class="key a">given the summary (left)</span><span class="key b">given the document (right)</span>'
        f'<span class="muted">The longer a bar, the less expected the word; one line per {lines}. The answer is '
        f"shaded.</span></p>{word_bars(pair, depth)}"
        f'<h3>In the summary</h3><blockquote class="summary" dir="auto">'
        f"{_excerpt(result.summary, (pair.start, pair.end))}</blockquote>"
        f"<h3>In the document</h3>{stands}"
    )


def table_reading(scores: Sequence[float]) -> str:
    """What the scores of a file look like: their mean and the ten lowest."""
    known = sorted((score, number) for number, score in enumerate(scores, start=1) if not math.isnan(score))
    if not known:
        return _part("<h2>No score</h2><p>No question-answer pair could be made from any of the summaries.</p>")
    rows = "".join(f"<tr><td>{number}</td><td>{with_minus(signed(score))}</td></tr>" for score, number in known[:10])
    return _part(
        f"<h2>QUALS {with_minus(signed(mean_score(scores)))}, mean of {len(known)} of {count(len(scores), 'row')}</h2>"
        f"<p>The lowest:</p><table><thead><tr><th>row</th><th>QUALS</th></tr></thead><tbody>{rows}</tbody></table>"
    )


def progress(done: int, total: int, what: str) -> str:
    """How far the work is, with a bar; before anything is done, the bar moves on its own."""
    value = f' value="{done}"' if done else ""
    words = f"{done} of {total} {what} scored" if done else "Waiting for the model"
    return _part(f'<p>{words}</p><progress max="{total}"{value} aria-label="progress"></progress>')


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
