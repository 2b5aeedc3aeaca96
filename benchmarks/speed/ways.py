"""The ways to score a list of texts that the benchmark compares."""

from __future__ import annotations

import json
from pathlib import Path

from quals import QualsScorer

from benchmarks.speed.plain import PlainQuals, PlainResult, Techniques

Texts = list[tuple[str, str]]


def read_texts(path: Path) -> Texts:
    """(document, summary) of every line."""
    rows = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines() if line.strip()]
    return [(row["document"], row["summary"]) for row in rows]


def run_plain(scorer: QualsScorer, techniques: Techniques, texts: Texts) -> list[PlainResult]:
    """One at a time, with some of the techniques."""
    plain = PlainQuals(scorer, techniques)
    return [plain.score(source, summary) for source, summary in texts]


def run_alone(scorer: QualsScorer, texts: Texts) -> list[float]:
    """The scorer, called for one summary at a time."""
    return [run_ours(scorer, [text])[0] for text in texts]


def run_ours(scorer: QualsScorer, texts: Texts) -> list[float]:
    """The scorer, called once."""
    results = scorer.score([source for source, _ in texts], [summary for _, summary in texts], progress=False)
    return [result.score for result in results]
