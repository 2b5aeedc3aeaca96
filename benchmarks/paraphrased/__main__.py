"""Score pairs of a true summary in other words and a false one in the source's words; count how many come out right.

    python -m benchmarks.paraphrased --output build/paraphrased.jsonl

A metric that compares words puts these pairs in the wrong order. A pair comes out right if the true summary scores
higher; a tie, and a summary without a score, count as wrong.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from functools import partial
from pathlib import Path

import numpy as np
from quals import QualsScorer

from benchmarks.common.command import command_parser, exit_status
from benchmarks.common.contrast import (
    RESAMPLES,
    Outcome,
    kinds_table,
    load_pairs,
    metrics_table,
    outcomes,
    write_outcomes,
)

PAIRS = Path(__file__).with_name("pairs.jsonl")


def main(argv: Sequence[str] | None = None) -> int:
    """Run; a user's mistake is one line on standard error and exit status 2."""
    parser = command_parser("benchmarks.paraphrased", __doc__)
    parser.add_argument("--checkpoint", help="folder or Hub name of a QAGen; without it the embedded one")
    parser.add_argument("--device", help="device to compute on; without it the best one")
    parser.add_argument("--output", type=Path, help="file for each pair's scores, as JSON lines")
    return exit_status("paraphrased", partial(run, parser.parse_args(argv)))


def run(arguments: argparse.Namespace) -> None:
    """Score the pairs, print the tables, and write the scores where --output says."""
    scorer = QualsScorer(arguments.checkpoint, device=arguments.device, weighting="information")
    scored = outcomes(load_pairs(PAIRS), scorer)
    print(f"{metrics_table(scored)}\n\n{means_table(scored)}\n\n{kinds_table(scored, 'QUALS tokens')}")
    print(f"\nIn brackets: 95 % intervals, {RESAMPLES:,} resamples of sources. Scores: {scorer.signature}")
    if arguments.output is not None:
        write_outcomes(scored, arguments.output, scorer.signature)


def means_table(scored: Sequence[Outcome]) -> str:
    """One row per metric: the mean score of the true and of the false summaries."""
    lines = ["| metric | true, in other words | false, in the source's words |", "|---|---:|---:|"]
    for metric in dict.fromkeys(outcome.metric for outcome in scored):
        rows = [outcome for outcome in scored if outcome.metric == metric]
        means = [np.nanmean([getattr(row, side) for row in rows]) for side in ("consistent", "inconsistent")]
        lines.append(f"| {metric} | {means[0]:.3f} | {means[1]:.3f} |")
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(main())
