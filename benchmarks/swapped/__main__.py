"""Score the swapped-fact set and say how many pairs come out right: ``python -m benchmarks.swapped``.

Each item is a text, a summary that holds in it, and the same summary with a fact swapped. An item comes out right if
the consistent summary scores higher; a tie, and a summary without a score, count as wrong.
"""

from __future__ import annotations

import argparse
import json
import math
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path

from quals import QualsResult, QualsScorer
from quals.results import WEIGHTINGS, mean_score, weighted_mean

from benchmarks.common.command import exit_status
from benchmarks.common.floors import ngram_share
from trainer_ext.io.atomic import json_line, replacing

PAIRS = Path(__file__).with_name("pairs.jsonl")
TIE = 1e-6  # differences below are rounding


@dataclass(frozen=True)
class SwappedPair:
    """A source with two summaries of it that differ in one fact.

    Attributes:
        kind: what was swapped; every item has its own.
        source: a text of 60 to 150 words.
        consistent, inconsistent: one or two sentences each.
    """

    kind: str
    source: str
    consistent: str
    inconsistent: str


@dataclass(frozen=True)
class Outcome:
    """One item's two scores by one metric, higher being more consistent; NaN where there is none."""

    kind: str
    metric: str
    consistent: float
    inconsistent: float

    @property
    def difference(self) -> float:
        """Consistent less inconsistent."""
        return self.consistent - self.inconsistent

    @property
    def right(self) -> bool:
        """Whether the consistent summary scores higher; False for a tie or without a score."""
        return self.difference > TIE  # NaN compares False


def load_pairs(path: Path = PAIRS) -> list[SwappedPair]:
    """The items of the set, in the order of the file."""
    with path.open(encoding="utf-8") as lines:
        return [SwappedPair(**json.loads(line)) for line in lines if line.strip()]


def outcomes(pairs: Sequence[SwappedPair], scorer: QualsScorer) -> list[Outcome]:
    """Every item by QUALS in each weighting, from one pass of the model, and by the two floors."""
    texts = [(pair.source, summary) for pair in pairs for summary in (pair.consistent, pair.inconsistent)]
    results = scorer.score([source for source, _ in texts], [summary for _, summary in texts])
    found = []
    for place, pair in enumerate(pairs):
        consistent, inconsistent = results[2 * place : 2 * place + 2]
        for weighting in WEIGHTINGS:
            scores = (_weighted(consistent, weighting), _weighted(inconsistent, weighting))
            found.append(Outcome(pair.kind, f"QUALS {weighting}", *scores))
        for name, order in (("unigrams", 1), ("bigrams", 2)):
            shares = [ngram_share(pair.source, summary, order) for summary in (pair.consistent, pair.inconsistent)]
            found.append(Outcome(pair.kind, name, *shares))
    return found


def _weighted(result: QualsResult, weighting: str) -> float:
    return mean_score(
        [
            weighted_mean(pair.token_log_probs_source, pair.answer_tokens, weighting)
            - weighted_mean(pair.token_log_probs_summary, pair.answer_tokens, weighting)
            for pair in result.pairs
        ]
    )


def table(found: Sequence[Outcome], scorer: QualsScorer) -> str:
    """The items by the scorer's own weighting as a markdown table, then how many each metric gets right."""
    own = f"QUALS {scorer.weighting}"
    lines = ["| swapped | consistent | inconsistent | difference | right |", "|---|---:|---:|---:|---|"]
    for outcome in found:
        if outcome.metric == own:
            values = (outcome.consistent, outcome.inconsistent, outcome.difference)
            cells = ["–" if math.isnan(value) else f"{value:.3f}" for value in values]  # noqa: RUF001
            lines.append(f"| {outcome.kind} | {' | '.join(cells)} | {'yes' if outcome.right else 'no'} |")
    lines += ["", "| metric | right | wrong | tie or no score (counted as wrong) |", "|---|---:|---:|---:|"]
    for metric in dict.fromkeys(outcome.metric for outcome in found):
        mine = [outcome for outcome in found if outcome.metric == metric]
        right, wrong = sum(outcome.right for outcome in mine), sum(outcome.difference < -TIE for outcome in mine)
        lines.append(f"| {metric} | {right} of {len(mine)} | {wrong} | {len(mine) - right - wrong} |")
    return "\n".join([*lines, "", f"Scores: {scorer.signature}"])


def main(argv: Sequence[str] | None = None) -> int:
    """Run; a mistake of the user's is one line on standard error and exit status 2."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.swapped", description=__doc__)
    parser.add_argument("--checkpoint", help="folder or Hub name of a QAGen (default: the embedded one)")
    parser.add_argument("--device", help="where to compute (default: the best one there is)")
    parser.add_argument("--output", type=Path, help="write each item's scores here, as JSON lines")
    arguments = parser.parse_args(argv)
    return exit_status("swapped", partial(run, arguments))


def run(arguments: argparse.Namespace) -> None:
    """Score the set, print the table, perhaps write the scores."""
    scorer = QualsScorer(arguments.checkpoint, device=arguments.device)
    found = outcomes(load_pairs(), scorer)
    print(table(found, scorer))
    if arguments.output is not None:
        _write(found, arguments.output, scorer.signature)


def _write(found: Sequence[Outcome], path: Path, signature: str) -> None:
    rows = []
    for outcome in found:
        values = {**asdict(outcome), "right": outcome.right, "signature": signature}
        rows.append({key: None if value != value else value for key, value in values.items()})  # NaN is no JSON
    with replacing(path) as file:
        file.writelines(map(json_line, rows))


if __name__ == "__main__":
    sys.exit(main())
