"""A score's pairs as one HTML file that needs nothing else: no script, no font, no picture from outside."""

from __future__ import annotations

import math
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING

from quals.markup import (
    BLUE,
    ORANGE,
    TOKENS_STYLE,
    count,
    escaped,
    grid_step,
    signed,
    token_bars,
    token_texts,
    with_minus,
)

from trainer_ext.explain import NO_PAIRS, Explanation
from trainer_ext.io.atomic import replacing

if TYPE_CHECKING:
    from quals.results import ScoredPair

PAGE_SUFFIXES = (".html", ".htm")

# Should text ever slip through unescaped, the policy still lets nothing run and nothing load.
_HEAD = (
    """<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>QUALS explained</title>
<style>
:root {
  --ink: #1b1f24; --muted: #5b636d; --paper: #ffffff; --tint: #f3f5f7; --line: #dfe3e8;
  --summary: BLUE; --source: ORANGE; --mark: 219, 120, 0; --unit: 6.5rem;
}
@media (prefers-color-scheme: dark) {
  :root {
    --ink: #e8eaed; --muted: #a3abb5; --paper: #15181c; --tint: #20252b; --line: #343b44;
    --summary: #56b4e9; --source: #f0a030; --mark: 240, 160, 48;
  }
}
* { box-sizing: border-box; }
body { margin: 0 auto; padding: 1.5rem 1rem 4rem; max-width: 62rem; background: var(--paper); color: var(--ink);
  font: 1rem/1.55 system-ui, -apple-system, "Segoe UI", Roboto, "Noto Sans", sans-serif; overflow-wrap: anywhere; }
h1 { font-size: 1.5rem; line-height: 1.25; margin: 0 0 .5rem; }
h2 { font-size: 1.05rem; line-height: 1.35; margin: 0; }
.muted { color: var(--muted); font-size: .9rem; margin: .15rem 0; }
.text { white-space: pre-wrap; margin: .5rem 0; }
.summary { font-size: 1.1rem; border-inline-start: .25rem solid var(--summary); padding-inline-start: .9rem; }
.source { border-inline-start: .25rem solid var(--source); padding-inline-start: .9rem; }
mark { color: inherit; background: rgba(var(--mark), var(--weight)); border-bottom: .14em solid rgb(var(--mark));
  border-radius: .15em; }
a { color: inherit; text-decoration: none; }
a:focus-visible, summary:focus-visible { outline: .15rem solid var(--summary); outline-offset: .15rem; }
.legend { position: sticky; top: 0; background: var(--paper); padding: .5rem 0; display: flex; flex-wrap: wrap;
  gap: .25rem 1.25rem; align-items: center; border-bottom: 1px solid var(--line); font-size: .9rem; }
.key::before { content: ""; display: inline-block; width: .8em; height: .8em; margin-inline-end: .4em; }
.key.a::before { background: var(--summary); }
.key.b::before { background: var(--source); }
article { padding: 1.4rem 0 .3rem; scroll-margin-top: 3rem; }
article:target h2 { text-decoration: underline; text-decoration-color: var(--source); text-underline-offset: .2em; }
TOKENS_STYLE
details > summary { cursor: pointer; color: var(--muted); font-size: .9rem; }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; font-size: .85rem; margin: .4rem 0; font-variant-numeric: tabular-nums; }
th, td { text-align: end; padding: .15rem .7rem .15rem 0; border-bottom: 1px solid var(--line); font-weight: 400; }
thead th { color: var(--muted); }
th:first-child { text-align: start; }
@media print { .legend { position: static; } article { break-inside: avoid; } }
</style>
</head>
<body>
<main>
""".replace("BLUE", BLUE)
    .replace("ORANGE", ORANGE)
    .replace("TOKENS_STYLE\n", TOKENS_STYLE)
)
_TAIL = "</main>\n</body>\n</html>\n"


def write_page(explanation: Explanation, path: Path) -> None:
    """Write an explanation as a self-contained HTML file; ``path`` changes only on success.

    Raises:
        OSError: the file could not be written.
    """
    with replacing(path) as file:
        file.write(html_page(explanation).encode("utf-8"))


def html_page(explanation: Explanation) -> str:
    """The whole page. Everything that comes from the texts is escaped."""
    return _HEAD + "\n".join(_body(explanation)) + "\n" + _TAIL


def _body(explanation: Explanation) -> Iterator[str]:
    scored = bool(explanation.result.pairs)
    yield f"<h1>{with_minus(explanation.headline) if scored else 'QUALS undefined'}</h1>"
    meaning = "0 is fully supported by the source; the further below, the less. " if scored else f"{NO_PAIRS} "
    yield f'<p class="muted">{meaning}Settings {escaped(explanation.signature)}.</p>'
    for note in explanation.notes:
        yield f'<p class="muted">{note}</p>'
    yield '<section aria-label="Summary">'
    yield f'<p class="text summary" dir="auto">{_marked(explanation)}</p>'
    yield "</section>"
    source = f'<p class="text source" dir="auto">{escaped(explanation.source)}</p>'
    yield f"<details><summary>Source</summary>{source}</details>"
    if not scored:
        return
    lines = f"a line every {count(grid_step(explanation.depth), 'nat')}"
    yield (
        '<p class="legend"><span class="key a">under the summary (left)</span>'
        '<span class="key b">under the source (right)</span>'
        '<span class="muted">Log-probability of each token: the longer the bar, the less expected; '
        f"{lines}. The answer is shaded.</span></p>"
    )
    yield "<div>"
    for number, pair in enumerate(explanation.worst_first, start=1):
        yield from _article(number, pair, explanation.depth)
    yield "</div>"


def _article(number: int, pair: ScoredPair, depth: int) -> Iterator[str]:
    words = token_texts(pair)
    values = list(zip(words, pair.token_log_probs_summary, pair.token_log_probs_source, strict=True))
    yield f'<article id="pair-{number}" aria-labelledby="title-{number}">'
    question, answer = (f'<bdi dir="auto">{escaped(text)}</bdi>' for text in (pair.question, pair.answer))
    yield f'<h2 id="title-{number}">{number}. {question} &rarr; {answer}</h2>'
    yield (
        f'<p class="muted">difference {with_minus(signed(pair.score))} '
        f"(source {with_minus(signed(pair.log_likelihood_source))}, "
        f"summary {with_minus(signed(pair.log_likelihood_summary))})</p>"
    )
    yield token_bars(pair, depth)
    yield '<details><summary>Numbers</summary><div class="scroll"><table>'
    yield "<thead><tr><th scope='col'>token</th><th scope='col'>summary</th><th scope='col'>source</th></tr></thead>"
    yield "<tbody>"
    for word, summary, source in values:
        row = f"<td>{with_minus(signed(summary))}</td><td>{with_minus(signed(source))}</td>"
        yield f'<tr><th scope="row"><bdi>{escaped(word)}</bdi></th>{row}</tr>'
    yield "</tbody></table></div></details>"
    yield "</article>"


def _marked(explanation: Explanation) -> str:
    """The summary, each stretch that pairs answer with marked by its worst difference and linked to that pair."""
    summary = explanation.summary
    worst = explanation.worst_first
    edges = sorted({0, len(summary), *(edge for pair in worst for edge in (pair.start, pair.end))})
    parts = []
    for start, end in pairwise(edges):
        stretch = escaped(summary[start:end])
        number = next((place for place, pair in enumerate(worst, 1) if pair.start <= start and end <= pair.end), None)
        if number is None:
            parts.append(stretch)
            continue
        pair = worst[number - 1]
        weight = 0.0 if math.isnan(pair.score) else min(0.6, max(0.0, -pair.score) * 0.25)
        title = escaped(f"worst pair: {pair.question} ({signed(pair.score)})")
        parts.append(
            f'<a href="#pair-{number}" title="{title}"><mark style="--weight:{weight:.3f}">{stretch}</mark></a>'
        )
    return "".join(parts)
