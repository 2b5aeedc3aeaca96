"""A study as a picture: who is better in each attribute and how surely, and whose attention checks failed."""

from __future__ import annotations

import textwrap
from pathlib import Path
from typing import Any

from quals.markup import BLUE, ORANGE
from quals.words import printable

from trainer_ext.io.pictures import INK, LINE, MUTED, picture_file
from trainer_ext.study.report import Report, Result, attention_notes, chance, winner

_NARROW = 0.06  # a part below this share has no room for its number
_LONGEST_NAME = 24  # characters of one system's name


def write_figure(report: Report, path: Path) -> None:
    """Draw documents' verdicts as PNG or SVG, by the suffix; ``path`` changes only on success.

    The same report gives the same bytes.

    Raises:
        OSError: the file could not be written.
    """
    from matplotlib.figure import Figure

    notes = _notes(report)
    height = 0.8 * len(report.results) + 0.2 * len(notes) + 1.6  # inches
    with picture_file(path) as save:
        figure = Figure((8, height), facecolor="white", layout="constrained")
        shares, differences = figure.subplots(1, 2, sharey=True, width_ratios=[3, 2])
        for row, result in enumerate(report.results):
            _shares(shares, row, result)
            _difference(differences, row, report, result)
        _describe(figure, shares, differences, report)
        figure.supxlabel("\n".join(notes), x=0.01, ha="left", fontsize=8.5, color=MUTED)
        save(figure)


def _shares(axes: Any, row: int, result: Result) -> None:
    """A bar of better, equal and worse documents."""
    tally = result.documents
    left = 0.0
    for count, color, ink in (
        (tally.better, BLUE, "white"),
        (tally.equal, LINE, INK),
        (tally.worse, ORANGE, INK),
    ):
        share = count / max(1, tally.total)
        axes.barh(row, share, left=left, height=0.55, color=color, edgecolor="white")
        if share >= _NARROW:
            axes.text(left + share / 2, row, str(count), ha="center", va="center", color=ink)
        left += share


def _difference(axes: Any, row: int, report: Report, result: Result) -> None:
    """The share of better less that of worse, with its interval, and who is better."""
    tally = result.documents
    if not tally.total:
        axes.text(0, row, "no judgement yet", ha="center", va="center", color=MUTED)
        return
    low, high = tally.difference_interval
    better = winner(report, result)
    color = MUTED if better is None else (BLUE if tally.difference > 0 else ORANGE)
    whiskers = [[tally.difference - low], [high - tally.difference]]
    axes.errorbar(tally.difference, row, xerr=whiskers, fmt="o", color=color, capsize=4)
    said = f"{_short(better)} better" if better else "undecided"
    axes.text(0, row - 0.28, f"{said}, {chance(result)}", ha="center", va="center", color=INK, backgroundcolor="white")


def _describe(figure: Any, shares: Any, differences: Any, report: Report) -> None:
    """Title, legend and axes."""
    from matplotlib.patches import Patch

    first, second = (_short(name) for name in report.systems)
    words = ((BLUE, f"{first} better"), (LINE, "equal"), (ORANGE, f"{second} better"))
    handles = [Patch(color=color, label=word) for color, word in words]
    title: Any = {"title": f"{first} against {second}", "title_fontproperties": {"size": 12, "weight": "bold"}}
    figure.legend(handles=handles, ncols=3, loc="outside upper left", frameon=False, alignment="left", **title)
    names = [textwrap.fill(result.name, 16) for result in report.results]
    shares.set(xlim=(0, 1), xlabel="documents", xticks=[])
    shares.set_yticks(range(len(names)), names)
    shares.set_ylim(len(names) - 0.5, -0.5)
    differences.set(
        xlim=(-1.1, 1.1), xlabel="share better less share worse, 95% interval", xticks=[-1, -0.5, 0, 0.5, 1]
    )
    differences.axvline(0, color=LINE, linewidth=1, zorder=0)
    for axes in (shares, differences):
        axes.spines[:].set_visible(False)
        axes.tick_params(length=0, labelcolor=INK)


def _notes(report: Report) -> list[str]:
    judges = len(report.raters) - len(report.excluded)
    basis = f"Verdicts by the majority of {judges} rater{'' if judges == 1 else 's'}; p: exact sign test."
    return [line for note in (basis, *attention_notes(report)) for line in textwrap.wrap(printable(note), 110)]


def _short(name: str) -> str:
    shown = printable(name)
    return shown if len(shown) <= _LONGEST_NAME else f"{shown[: _LONGEST_NAME - 1]}\N{HORIZONTAL ELLIPSIS}"
