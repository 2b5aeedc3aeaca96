"""Score pairs of a right summary and the same summary with one fact swapped, and count how many come out right.

    python -m benchmarks.swapped --output build/swapped.jsonl

A pair comes out right if the right summary scores higher; a tie, and a summary without a score, count as wrong. The
first 18 pairs, one per kind, are reported alone too, so that they stay comparable with earlier figures.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from functools import partial
from pathlib import Path

from quals import QualsScorer

from benchmarks.common.command import command_parser, exit_status
from benchmarks.common.contrast import (
    RESAMPLES,
    kinds_table,
    load_pairs,
    metrics_table,
    outcomes,
    pairs_table,
    write_outcomes,
)

PAIRS = Path(__file__).with_name("pairs.jsonl")
FIRST = "first 18"


def main(argv: Sequence[str] | None = None) -> int:
    """Run; a user's mistake is one line on standard error and exit status 2."""
    parser = command_parser("benchmarks.swapped", __doc__)
    parser.add_argument("--checkpoint", help="folder or Hub name of a QAGen; without it the embedded one")
    parser.add_argument("--device", help="device to compute on; without it the best one")
    parser.add_argument("--output", type=Path, help="file for each pair's scores, as JSON lines")
    return exit_status("swapped", partial(run, parser.parse_args(argv)))


def run(arguments: argparse.Namespace) -> None:
    """Score the pairs, print the tables, and write the scores where --output says."""
    scorer = QualsScorer(arguments.checkpoint, device=arguments.device, weighting="information")
    own = "QUALS tokens"
    scored = outcomes(load_pairs(PAIRS), scorer)
    first = [outcome for outcome in scored if outcome.subset == FIRST]
    print(f"The {FIRST} pairs:\n\n{pairs_table(first, own)}\n\n{metrics_table(first)}")
    number = sum(outcome.metric == own for outcome in scored)
    print(f"\nAll {number} pairs, {own} by kind:\n\n{kinds_table(scored, own)}\n\n{metrics_table(scored)}")
    print(f"\nIn brackets: 95 % intervals, {RESAMPLES:,} resamples of sources. Scores: {scorer.signature}")
    if arguments.output is not None:
        write_outcomes(scored, arguments.output, scorer.signature)


if __name__ == "__main__":
    sys.exit(main())
