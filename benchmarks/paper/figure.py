"""Draw what each arm changed, from the scores that the experiment wrote.

    python -m benchmarks.paper.figure news.jsonl dialogue.jsonl --figure both.png

The files are what ``python -m benchmarks.paper --output`` wrote, of one or several sets.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.common.command import command_parser, exit_status
from benchmarks.common.differences import difference, mean_of
from benchmarks.common.judging import free_judges
from benchmarks.paper.table import METHODS, MLE, Scores
from trainer_ext.io.atomic import replacing
from trainer_ext.io.tables import read_table

MODEL_LABELS = {
    "qags": "QAGS",
    "factcc": "FactCC",
    "entailment": "entailment",
    "readings": "readers' rating",
    "quals": "QUALS, nats per token",
}
_COLORS = {
    "rouge": "#DB7800",
    "quals": "#0072B2",
    "pairs": "#C9A400",
    "best": "#56B4E9",
    "rerank": "#009E73",
    "cape": "#CC79A7",
    "rated": "#626a73",
}


def main(argv: Sequence[str] | None = None) -> int:
    """Draw; a mistake of the user's is one line on standard error and exit status 2."""
    parser = command_parser("benchmarks.paper.figure", __doc__)
    parser.add_argument(
        "scores", type=Path, nargs="+", metavar="SCORES.jsonl", help="files that --output of the run wrote"
    )
    parser.add_argument("--figure", type=Path, required=True, help="file of the figure, .png or .svg")
    arguments = parser.parse_args(argv)
    return exit_status("figure", partial(draw, arguments.scores, arguments.figure))


def draw(files: Sequence[Path], figure: Path) -> None:
    """Write the figure of all sets in the files, each on all its test documents.

    Raises:
        ValueError: a file does not hold the experiment's scores, or two files hold the same set.
    """
    sets: dict[str, Scores] = {}
    for file in files:
        for name, scores in _by_set(read_table(file), file).items():
            if name in sets:
                raise ValueError(f"{file} has scores of {name}, as a file before it has: give each set once.")
            sets[name] = scores
    labels = MODEL_LABELS | {key: judge.label for key, judge in free_judges().items() if key != "words"}
    every = [measured for scores in sets.values() for measured in scores.values()]
    write_figure(
        sets, {key: label for key, label in labels.items() if all(key in measured for measured in every)}, figure
    )


def _by_set(rows: Iterable[Mapping[str, Any]], file: Path) -> dict[str, Scores]:
    """By set: the scores of the methods that are drawn, ``(seeds, documents)``."""
    cells: dict[str, dict[str, dict[int, dict[tuple[bool, int], Mapping[str, Any]]]]] = {}
    for row in rows:
        try:
            name, method, seed, document = row["set"], row["method"], row["seed"], row["document"]
        except KeyError as error:
            raise ValueError(f"{file} has a row without {error.args[0]}: give a file that --output wrote.") from error
        if method in (MLE, *_COLORS):
            of_seed = cells.setdefault(name, {}).setdefault(method, {}).setdefault(seed, {})
            of_seed[bool(row.get("further")), document] = row
    return {name: {method: _scores(seeds) for method, seeds in methods.items()} for name, methods in cells.items()}


def _scores(seeds: Mapping[int, Mapping[tuple[bool, int], Mapping[str, Any]]]) -> dict[str, Any]:
    ordered = [[rows[place] for place in sorted(rows)] for rows in seeds.values()]
    measures = ordered[0][0].keys() - {"set", "method", "seed", "document", "summary", "further"}
    # None, no score, becomes NaN.
    return {key: np.array([[row[key] for row in rows] for rows in ordered], dtype=float) for key in measures}  # (S, D)


def write_figure(sets: Mapping[str, Scores], labels: Mapping[str, str], path: Path) -> None:
    """Draw each arm's change against likelihood, in % of likelihood's mean; one panel per data set."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    arms = [arm for arm in _COLORS if all(arm in scores for scores in sets.values())]
    size = (5.2 * len(sets) + 2, (0.2 + 0.15 * len(arms)) * len(labels) + 1.8)
    figure, panels = pyplot.subplots(1, len(sets), figsize=size, sharey=True, layout="constrained")
    for panel, (name, scores) in zip(np.atleast_1d(panels), sets.items(), strict=True):
        for place, arm in enumerate(arms):
            offset, color = 0.6 * (place + 0.5) / len(arms) - 0.3, _COLORS[arm]
            for row, measure in enumerate(labels):
                unit = abs(mean_of(scores[MLE][measure])) or 1.0
                change, low, high = difference(scores[arm][measure], scores[MLE][measure])
                panel.plot([100 * low / unit, 100 * high / unit], [row + offset] * 2, color=color, linewidth=2)
                panel.plot(
                    100 * change / unit, row + offset, "o", color=color, label=METHODS[arm] if row == 0 else None
                )
        panel.axvline(0, color="#626a73", linewidth=0.8)
        panel.set_title(f"{name}, {scores[MLE][next(iter(labels))].shape[-1]:,} documents")
        panel.set_xlabel("change against likelihood alone, % of its mean")
        panel.grid(axis="x", color="#dfe3e8")
    first = np.atleast_1d(panels)[0]
    first.set_yticks(range(len(labels)), list(labels.values()))
    first.invert_yaxis()
    figure.legend(*first.get_legend_handles_labels(), loc="outside lower center", ncols=min(3, max(1, len(arms))))
    with replacing(path) as file:
        figure.savefig(file, format=path.suffix.removeprefix(".").lower(), dpi=150)
    pyplot.close(figure)


if __name__ == "__main__":
    raise SystemExit(main())
