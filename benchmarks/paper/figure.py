"""The picture of what each arm changed."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from benchmarks.common.differences import difference, mean_of
from benchmarks.paper.table import METHODS, MLE, Scores
from trainer_ext.io.atomic import replacing

_COLORS = {
    "rouge": "#DB7800",
    "quals": "#0072B2",
    "pairs": "#C9A400",
    "best": "#56B4E9",
    "rerank": "#009E73",
    "cape": "#CC79A7",
    "rated": "#626a73",
}


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
