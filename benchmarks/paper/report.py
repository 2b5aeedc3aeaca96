"""The tables of runs again, from the scores that they wrote, and the figure of all their sets.

    python -m benchmarks.paper.report news.jsonl dialogue.jsonl --figure both.png

The files are what ``python -m benchmarks.paper --output`` wrote, of one or several sets; further test documents count
with the others. Those behind the project's own tables are in benchmarks/paper/results, without the summaries.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.common.command import command_parser, exit_status
from benchmarks.common.judging import free_judges
from benchmarks.paper.figure import write_figure
from benchmarks.paper.table import MLE, MODEL_LABELS, Scores, tables
from trainer_ext.io.tables import read_table


def main(argv: Sequence[str] | None = None) -> int:
    """Print; a mistake of the user's is one line on standard error and exit status 2."""
    parser = command_parser("benchmarks.paper.report", __doc__)
    parser.add_argument(
        "scores", type=Path, nargs="+", metavar="SCORES.jsonl", help="files that --output of the run wrote"
    )
    parser.add_argument("--figure", type=Path, help="file for the figure of all sets, .png or .svg")
    arguments = parser.parse_args(argv)
    return exit_status("report", partial(report, arguments.scores, arguments.figure))


def report(files: Sequence[Path], figure: Path | None) -> None:
    """Print the tables of all sets in the files, each on all its test documents, and draw them.

    Raises:
        ValueError: a file does not hold the experiment's scores, or two files hold the same set.
    """
    sets: dict[str, Scores] = {}
    for file in files:
        for name, scores in _by_set(read_table(file), file).items():
            if name in sets:
                raise ValueError(f"{file} has scores of {name}, as a file before it has: give each set once.")
            sets[name] = scores
    labels = MODEL_LABELS | {key: judge.label for key, judge in free_judges().items()}
    for name, scores in sets.items():
        print(f"## {name}\n")
        measured = {key: label for key, label in labels.items() if key in next(iter(scores.values()))}
        for table in tables(scores, measured):
            print(table, "\n")
    if figure is not None:
        every = [measured for scores in sets.values() for measured in scores.values()]
        drawn = {key: label for key, label in labels.items() if key != "words"}
        shared = {key: label for key, label in drawn.items() if all(key in measured for measured in every)}
        write_figure(sets, shared, figure)


def _by_set(rows: Sequence[Mapping[str, Any]], file: Path) -> dict[str, Scores]:
    """By set and method: scores, ``(seeds, documents)``."""
    cells: dict[str, dict[str, dict[int, dict[tuple[bool, int], Mapping[str, Any]]]]] = {}
    for row in rows:
        try:
            name, method, seed, document = row["set"], row["method"], row["seed"], row["document"]
        except KeyError as error:
            raise ValueError(f"{file} has a row without {error.args[0]}: give a file that --output wrote.") from error
        of_seed = cells.setdefault(name, {}).setdefault(method, {}).setdefault(seed, {})
        of_seed[bool(row.get("further")), document] = row
    for name, methods in cells.items():
        if MLE not in methods:
            raise ValueError(
                f"{file} has no rows of likelihood ({MLE}) for {name}, with which the others are compared."
            )
    measures = set().union(*rows) - {"set", "method", "seed", "document", "summary", "further"}
    return {
        name: {method: _scores(seeds, measures) for method, seeds in methods.items()} for name, methods in cells.items()
    }


def _scores(
    seeds: Mapping[int, Mapping[tuple[bool, int], Mapping[str, Any]]], measures: Collection[str]
) -> dict[str, Any]:
    ordered = [[rows[place] for place in sorted(rows)] for rows in seeds.values()]
    # None, no score, becomes NaN.
    return {
        key: np.array([[row.get(key) for row in rows] for rows in ordered], dtype=float) for key in measures
    }  # (S, D)


if __name__ == "__main__":
    raise SystemExit(main())
