"""Measure how far scores move when the summary or the source has the same words in other typography.

    python -m benchmarks.typography

The words are the same, so every difference is an error.
"""

from __future__ import annotations

import argparse
import json
import math
import sys
from collections.abc import Sequence
from functools import partial
from pathlib import Path

from quals import QualsScorer

from benchmarks.common.command import command_parser, exit_status
from benchmarks.typography.variants import VARIANTS

TEXTS = Path(__file__).with_name("texts.jsonl")
Texts = list[tuple[str, str]]


def main(argv: Sequence[str] | None = None) -> int:
    """Run; a user's mistake is one line on standard error and exit status 2."""
    parser = command_parser("benchmarks.typography", __doc__)
    parser.add_argument("--checkpoint", help="folder or Hub name of a QAGen; without it the embedded one")
    parser.add_argument("--device", help="device to compute on; without it the best one")
    return exit_status("typography", partial(run, parser.parse_args(argv)))


def load_texts(path: Path = TEXTS) -> Texts:
    """(source, summary) of every line, in plain typography."""
    rows = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    return [(row["source"], row["summary"]) for row in rows]


def run(arguments: argparse.Namespace) -> None:
    """Score every text in every typography, and print by how much the scores differ."""
    scorer = QualsScorer(arguments.checkpoint, device=arguments.device)
    print(table(load_texts(), scorer))
    print(f"\nScores: {scorer.signature}")


def table(texts: Texts, scorer: QualsScorer) -> str:
    """One row per typography: its differences from plain, in nats per token, over the texts that it changes."""
    plain = _scores(scorer, texts)
    lines = [
        "| typography | of the summary: texts | mean | largest | of the source: texts | mean | largest |",
        "|---|---:|---:|---:|---:|---:|---:|",
    ]
    worst = 0.0
    for name, change in VARIANTS.items():
        cells = []
        for changed in (
            [(source, change(summary)) for source, summary in texts],
            [(change(source), summary) for source, summary in texts],
        ):
            places = [place for place, text in enumerate(texts) if changed[place] != text]
            if not places:
                cells += ["0", "", ""]
                continue
            scores = _scores(scorer, [changed[place] for place in places])
            apart = [_difference(plain[place], score) for place, score in zip(places, scores, strict=True)]
            worst = max(worst, *apart)
            cells += [str(len(apart)), f"{sum(apart) / len(apart):.3f}", f"{max(apart):.3f}"]
        lines.append(f"| {name} | {' | '.join(cells)} |")
    return "\n".join([*lines, "", f"Largest difference: {worst:.3f} nats per token, over {len(texts)} texts."])


def _scores(scorer: QualsScorer, texts: Texts) -> list[float]:
    results = scorer.score([source for source, _ in texts], [summary for _, summary in texts])
    return [result.score for result in results]


def _difference(plain: float, changed: float) -> float:
    """How far two scores are apart; infinite where only one is there."""
    if math.isnan(plain) or math.isnan(changed):
        return 0.0 if math.isnan(plain) and math.isnan(changed) else math.inf
    return abs(plain - changed)


if __name__ == "__main__":
    sys.exit(main())
