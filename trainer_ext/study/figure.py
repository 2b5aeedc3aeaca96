"""A study as a figure: a bar for each attribute, from better over equal to worse."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from quals.markup import BLUE, ORANGE
from quals.words import printable

from trainer_ext.io.atomic import replacing
from trainer_ext.study.report import Report, Result

FIGURE_SUFFIXES = (".png", ".svg")

# Inches.
_WIDTH, _ROW, _HEAD, _FOOT = 8.0, 0.8, 0.85, 0.35
_LEFT, _RIGHT = 2.05, 0.35
_DPI = 160
_NARROW = 0.06  # share below which a part has no room for its number
_LONGEST_NAME = 48  # characters

_INK, _MUTED, _NEUTRAL = "#1b1f24", "#626a73", "#dfe3e8"


def write_figure(report: Report, path: Path) -> None:
    """Draw documents' verdicts as PNG or SVG, by the suffix; ``path`` changes only on success.

    Raises:
        OSError: the file could not be written.
    """
    import matplotlib
    from matplotlib.figure import Figure

    kind = path.suffix.lower().removeprefix(".")
    height = _HEAD + _ROW * len(report.results) + _FOOT
    with matplotlib.rc_context({"svg.hashsalt": "quals", "font.family": "DejaVu Sans"}), replacing(path) as file:
        figure = Figure(figsize=(_WIDTH, height), facecolor="white")
        axes: Any = figure.add_axes(
            (_LEFT / _WIDTH, _FOOT / height, 1 - (_LEFT + _RIGHT) / _WIDTH, _ROW * len(report.results) / height)
        )
        axes.set(xlim=(0, 1), ylim=(len(report.results) - 0.5, -0.5))
        axes.set_axis_off()
        for row, result in enumerate(report.results):
            _bar(axes, row, result)
        _header(figure, report, height)
        # The same report gives the same bytes: no date.
        figure.savefig(file, format=kind, dpi=_DPI, metadata={"Date": None} if kind == "svg" else None)


def _bar(axes: Any, row: int, result: Result) -> None:
    tally = result.documents
    parts = ((tally.better, BLUE, "white"), (tally.equal, _NEUTRAL, _INK), (tally.worse, ORANGE, _INK))
    axes.text(-0.02, row - 0.08, result.name, ha="right", va="center", fontsize=10.5, color=_INK)
    if not tally.total:
        axes.text(0, row, "no judgement yet", ha="left", va="center", fontsize=10, color=_MUTED)
        return
    chance = "p < 0.001" if result.sign_test < 0.001 else f"p = {result.sign_test:.3f}"
    axes.text(-0.02, row + 0.19, chance, ha="right", va="center", fontsize=8.5, color=_MUTED)
    left = 0.0
    for count, color, ink in parts:
        share = count / tally.total
        axes.barh(row, share, left=left, height=0.62, color=color, edgecolor="white", linewidth=1)
        if share >= _NARROW:
            axes.text(left + share / 2, row, str(count), ha="center", va="center", fontsize=10, color=ink)
        left += share


def _header(figure: Any, report: Report, height: float) -> None:
    from matplotlib.patches import Rectangle

    first, second = (_short(name) for name in report.systems)
    left = _LEFT / _WIDTH
    figure.text(
        left, 1 - 0.28 / height, f"{first} against {second}", fontsize=12, weight="bold", color=_INK, parse_math=False
    )
    x = left
    for color, word in ((BLUE, "better"), (_NEUTRAL, "equal"), (ORANGE, "worse")):
        figure.add_artist(Rectangle((x, 1 - 0.62 / height), 0.13 / _WIDTH, 0.13 / height, color=color))
        figure.text(x + 0.2 / _WIDTH, 1 - 0.605 / height, word, fontsize=9.5, color=_INK)
        x += 0.95 / _WIDTH
    judges = len(report.raters) - len(report.excluded)
    note = f"documents, by the majority of {judges} rater{'' if judges == 1 else 's'}; p: exact sign test"
    figure.text(left, 0.12 / height, note, fontsize=8.5, color=_MUTED)


def _short(name: str) -> str:
    shown = printable(name)
    half = _LONGEST_NAME // 2
    return shown if len(shown) <= half else shown[: half - 1] + "\N{HORIZONTAL ELLIPSIS}"
