"""Figures as markdown tables and as JSON lines."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from benchmarks.agreement.aggregations import EXPERIMENTS, WEIGHTED
from benchmarks.agreement.evaluation import Figure
from benchmarks.agreement.scoring import FLOORS, WINDOWS
from trainer_ext.io.atomic import json_line, replacing

_COMPARED = (
    "QUALS tokens",
    "QUALS answer",
    "QUALS information",
    "QUALS information" + WINDOWS,
    "QUALS tokens" + WINDOWS,
)
MAIN = (*FLOORS, *_COMPARED)
EXTRA = (*(name for plain in WEIGHTED for name in (plain, plain + WINDOWS) if name not in _COMPARED), *EXPERIMENTS)


def markdown(figures: Sequence[Figure], metrics: Sequence[str], intervals: bool = True) -> str:
    """A table with one line per set and statistic and one column per metric of ``metrics`` that was measured.

    A value above both floors on the same units is bold. ``n`` is how many units the first metric after the floors
    scored, of all.
    """
    lines_of: dict[tuple[str, str], dict[str, Figure]] = {}
    for figure in figures:
        lines_of.setdefault((figure.set, figure.statistic), {})[figure.metric] = figure
    columns = [metric for metric in metrics if any(metric in line for line in lines_of.values())]
    lines = ["| " + " | ".join(["set", "n", "statistic", *columns]) + " |", "|---|---:|---|" + "---:|" * len(columns)]
    seen: set[str] = set()
    for (name, statistic), line in lines_of.items():
        if statistic == "Spearman":  # for yes or no it says what AUROC says
            continue
        scored = next(figure for metric, figure in line.items() if metric not in FLOORS)
        count = f"{scored.scored}/{scored.units}" if name not in seen else ""
        cells = [_cell(line[metric], intervals) for metric in columns]
        lines.append("| " + " | ".join([name if name not in seen else "", count, statistic, *cells]) + " |")
        seen.add(name)
    return "\n".join(lines)


def write_json_lines(figures: Sequence[Figure], path: Path, run: Mapping[str, Any]) -> None:
    """Write one figure per line, each with the run's own values; the file is whole or as it was."""
    lines = []
    for figure in figures:
        values = {**asdict(figure), "coverage": figure.coverage, "experiment": figure.metric in EXTRA, **run}
        lines.append(json_line({key: _plain(value) for key, value in values.items()}))
    with replacing(path) as file:
        file.writelines(lines)


def _cell(figure: Figure, intervals: bool) -> str:
    if math.isnan(figure.value):
        return "–"  # noqa: RUF001
    value = f"{figure.value:.2f}"
    if figure.floor is not None and figure.value > figure.floor:
        value = f"**{value}**"
    if intervals and not math.isnan(figure.low):
        value += f" [{figure.low:.2f}, {figure.high:.2f}]"
    return value


def _plain(value: Any) -> Any:
    return None if isinstance(value, float) and math.isnan(value) else value
