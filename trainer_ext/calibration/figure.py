"""A reliability diagram: how often summaries of each predicted probability are consistent, by people's judgement."""

from __future__ import annotations

from pathlib import Path

from quals.markup import BLUE

from trainer_ext.calibration.quality import Quality
from trainer_ext.io.pictures import INK, LINE, MUTED, picture_file


def write_figure(quality: Quality, path: Path) -> None:
    """Draw the bins of a map as PNG or SVG, by the suffix; ``path`` changes only on success.

    The same quality gives the same bytes.

    Raises:
        OSError: the file could not be written.
    """
    from matplotlib.figure import Figure

    with picture_file(path, {"text.color": INK}) as save:
        figure = Figure((5, 5.4), facecolor="white", layout="constrained")
        axes = figure.subplots()
        x, y = [one.probability for one in quality.bins], [one.share.value for one in quality.bins]
        lows, highs = zip(*(one.share.interval for one in quality.bins), strict=True)
        whiskers = [[max(0.0, a - b) for a, b in zip(y, lows, strict=True)]]
        whiskers += [[max(0.0, b - a) for a, b in zip(y, highs, strict=True)]]
        axes.plot([0, 1], [0, 1], color=MUTED, linewidth=1, linestyle="--", label="perfect")
        axes.axhline(quality.base_rate, color=LINE, linewidth=1.5, zorder=0, label="base rate")
        axes.errorbar(x, y, yerr=whiskers, fmt="o", color=BLUE, capsize=3, label="a tenth of the rows, 95% interval")
        axes.set(xlim=(0, 1), ylim=(0, 1), aspect="equal")
        axes.set_xlabel("predicted probability", color=MUTED)
        axes.set_ylabel("share that people judged consistent", color=MUTED)
        axes.spines[:].set_visible(False)
        axes.grid(color=LINE, linewidth=0.6, zorder=-1)
        axes.tick_params(length=0, labelcolor=INK)
        axes.legend(frameon=False, loc="upper left")
        axes.set_title(
            f"Brier score {quality.brier.value:.3f}, of the base rate {quality.base_brier.value:.3f}\n"
            f"{quality.rows:,} summaries of {quality.documents:,} documents, cross-fitted by document",
            loc="left",
            fontsize=9.5,
        )
        save(figure)
