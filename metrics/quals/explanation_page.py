"""One summary's score and pairs as one HTML file that needs nothing else: no script, font or picture from outside."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from .markup import (
    BLUE,
    NO_PAIRS,
    ORANGE,
    WORDS_STYLE,
    count,
    depth,
    escaped,
    grid_step,
    headline,
    judgement,
    signed,
    with_minus,
    word_bars,
)
from .pairs import ScoredPair
from .words import FAR, token_texts, unsupported_words

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
WORDS_STYLE
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
<main>""".replace("BLUE", BLUE)
    .replace("ORANGE", ORANGE)
    .replace("WORDS_STYLE\n", WORDS_STYLE)
)
_TAIL = "</main>\n</body>\n</html>\n"


def html_page(
    source: str, summary: str, score: float, pairs: Sequence[ScoredPair], signature: str, notes: Sequence[str]
) -> str:
    """The whole page. Everything that comes from the texts is escaped.

    Args:
        source, summary: the texts.
        score: the summary's score; NaN without pairs.
        pairs: the pairs behind it, in the order to show them.
        signature: the scorer's.
        notes: sentences on how the texts were read, as HTML.
    """
    return "\n".join([_HEAD, *_body(source, summary, score, pairs, signature, notes), _TAIL])


def _body(
    source: str, summary: str, score: float, pairs: Sequence[ScoredPair], signature: str, notes: Sequence[str]
) -> Iterator[str]:
    yield f"<h1>{with_minus(headline(score, pairs)) if pairs else 'QUALS undefined'}</h1>"
    yield f"<p>{judgement(pairs) if pairs else NO_PAIRS}</p>"
    yield (
        '<p class="muted">Nats per token: 0 means that the source supports the summary fully; the further below 0, '
        f"the less. Compare summaries of the same source only. Signature {escaped(signature)}.</p>"
    )
    for note in notes:
        yield f'<p class="muted">{note}</p>'
    yield '<section aria-label="Summary">'
    yield f'<p class="text summary" dir="auto">{_marked(summary, pairs)}</p>'
    yield "</section>"
    if pairs:
        yield (
            '<p class="muted">Coloured: words that are far less likely given the source in every pair that mentions '
            f"them (by {FAR:g} nats or more). A click leads to the worst such pair.</p>"
        )
    text = f'<p class="text source" dir="auto">{escaped(source)}</p>'
    yield f"<details><summary>Source</summary>{text}</details>"
    if not pairs:
        return
    longest = depth(pairs)
    yield (
        '<p class="legend"><span class="key a">given the summary (left)</span>'
        '<span class="key b">given the source (right)</span>'
        '<span class="muted">Log-probability of each word: the longer the bar, the less expected the word; a line '
        f"every {count(grid_step(longest), 'nat')}. The answer is shaded, deciding words are coloured.</span></p>"
    )
    yield "<div>"
    for number, pair in enumerate(pairs, start=1):
        yield from _article(number, pair, longest)
    yield "</div>"


def _article(number: int, pair: ScoredPair, longest: int) -> Iterator[str]:
    values = list(zip(token_texts(pair), pair.token_log_probs_summary, pair.token_log_probs_source, strict=True))
    yield f'<article id="pair-{number}" aria-labelledby="title-{number}">'
    question, answer = (f'<bdi dir="auto">{escaped(text)}</bdi>' for text in (pair.question, pair.answer))
    yield f'<h2 id="title-{number}">{number}. {question} &rarr; {answer}</h2>'
    yield (
        f'<p class="muted">difference {with_minus(signed(pair.score))} '
        f"(source {with_minus(signed(pair.log_likelihood_source))}, "
        f"summary {with_minus(signed(pair.log_likelihood_summary))})</p>"
    )
    yield word_bars(pair, longest)
    yield '<details><summary>Numbers</summary><div class="scroll"><table>'
    yield "<thead><tr><th scope='col'>token</th><th scope='col'>summary</th><th scope='col'>source</th></tr></thead>"
    yield "<tbody>"
    for word, summary, source in values:
        row = f"<td>{with_minus(signed(summary))}</td><td>{with_minus(signed(source))}</td>"
        yield f'<tr><th scope="row"><bdi>{escaped(word)}</bdi></th>{row}</tr>'
    yield "</tbody></table></div></details>"
    yield "</article>"


def _marked(summary: str, pairs: Sequence[ScoredPair]) -> str:
    """The summary, each unsupported word coloured by how far it is from support, and linked to its worst pair."""
    parts, end = [], 0
    for word in unsupported_words(summary, pairs):
        parts.append(escaped(summary[end : word.start]))
        weight = min(0.7, -word.change * 0.06)
        title = f"less likely given the source by {signed(-word.change)} nats or more"
        parts.append(
            f'<a href="#pair-{word.pair + 1}" title="{title}"><mark style="--weight:{weight:.3f}">'
            f"{escaped(summary[word.start : word.end])}</mark></a>"
        )
        end = word.end
    return "".join([*parts, escaped(summary[end:])])
