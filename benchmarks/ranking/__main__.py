"""Compare rankers with ratings of sampled summaries: is the truer of one document's samples ranked first?

    python -m benchmarks.ranking ratings.jsonl --margin 3

Each line has ``document``, ``summary`` and ``score``, a rating of the summary by people or another judge, higher being
better; perhaps ``reference`` too, for ROUGE. A document needs two summaries or more. Try this before a contrastive
training: it teaches what its ranker prefers.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from functools import partial
from pathlib import Path

import numpy as np
from quals.inputs import whole_number
from quals.loading import DTYPES

from benchmarks.common.command import command_parser, exit_status
from benchmarks.common.examples import Example
from benchmarks.common.judging import free_judges, judged
from benchmarks.common.ratings import read_ratings
from benchmarks.paper.judges import JUDGES, JudgingModels
from benchmarks.ranking.table import markdown
from trainer_ext.io.tables import read_table


def build_parser() -> argparse.ArgumentParser:
    """The command line."""
    parser = command_parser("benchmarks.ranking", __doc__)
    add = parser.add_argument
    add("ratings", type=Path, metavar="RATINGS", help="file of rated summaries, JSON lines, CSV or parquet")
    text = "least difference of two ratings that says which summary is better"
    add("--margin", type=float, default=1.0, help=text)
    add("--judges", nargs="*", choices=JUDGES, default=["quals"], help="metrics with a model that rank")
    add("--classifier", help="classifier of FactCC; without it the embedded one")
    add("--entailment", metavar="MODEL", help="classifier of natural language inference that ranks too")
    add("--pipeline", default="en_core_web_sm", help="spaCy pipeline of QAGS")
    add("--dtype", choices=tuple(DTYPES), default="float32", help="dtype of the models")
    add("--resamples", type=int, default=1000, help="number of bootstrap resamples of documents")
    add("--cache", type=Path, default=Path("build/ranking"), help="folder that keeps the scores")
    return parser


def run(arguments: argparse.Namespace) -> None:
    """Score what is missing and print the table.

    Raises:
        ValueError: an option or the file is wrong.
    """
    whole_number("--resamples", arguments.resamples, 1)
    if not arguments.margin > 0:
        raise ValueError(f"--margin is {arguments.margin}: give a number above 0.")
    ratings = read_ratings(arguments.ratings)
    references = {row["document"]: row.get("reference") for row in read_table(arguments.ratings)}
    rows = [Example(document, references[document] or "") for document, _ in ratings]
    truth = np.array(list(ratings.values()))  # (n,)
    of_document: dict[str, list[int]] = {}
    for place, row in enumerate(rows):
        of_document.setdefault(row.document, []).append(place)
    every = list(of_document.values())
    differing = sum(np.ptp(truth[group]) >= arguments.margin for group in every)
    if not differing:
        raise ValueError(
            f"In none of {len(every)} documents do two ratings differ by {arguments.margin:g}: give a smaller "
            "--margin, or ratings of several summaries per document."
        )
    models = JudgingModels(
        tuple(arguments.judges),
        questioner=None,
        reader=None,
        classifier=arguments.classifier,
        pipeline=arguments.pipeline,
        dtype=arguments.dtype,
        qags_sources="windows",
        qags_documents=None,
        entailment=arguments.entailment,
    )
    judges = models.load() | {
        name: judge for name, judge in free_judges().items() if all(references.values()) or not name.startswith("rouge")
    }
    scores = judged(judges, [summary for _, summary in ratings], rows, arguments.cache)
    scores["shorter"] = -scores.pop("words")
    labels = {name: judge.label for name, judge in judges.items()} | {"shorter": "the shorter, the better"}
    print(
        f"{len(ratings):,} summaries of {len(every):,} documents. In {differing:,} of them, ratings differ by ", end=""
    )
    print(f"{arguments.margin:g} or more.\n")
    print(markdown(scores, labels, truth, every, arguments.margin, arguments.resamples))
    print(f"\nIn brackets: 95 % intervals, {arguments.resamples:,} resamples of documents. A tie is half right.")
    signatures = [judge.signature for judge in judges.values() if "-v" in judge.signature]
    print(f"Scores in {arguments.dtype}: {'; '.join(signatures)}")


def main(argv: Sequence[str] | None = None) -> int:
    """Run; a user's mistake is one line on standard error and exit status 2."""
    arguments = build_parser().parse_args(argv)
    return exit_status("ranking", partial(run, arguments))


if __name__ == "__main__":
    sys.exit(main())
