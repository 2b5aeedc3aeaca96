"""Means of every arm, what the arms differ by, with intervals over documents, as tables."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from benchmarks.common.differences import difference, document_means, mean_of
from trainer_ext.study.statistics import Floats

MLE = "mle"
_METHODS = {MLE: "likelihood", "rouge": "ROUGE-ranked", "quals": "QUALS-ranked"}
Found = Mapping[str, Mapping[str, Floats]]
"""Of each method each measure's scores, ``(seeds, documents)`` or ``(documents,)``; NaN where there is none."""


def markdown(found: Found, labels: Mapping[str, str]) -> str:
    """One data set's table: a row for each measure.

    Means are over all documents with a score, differences over those that both sides have a score of.
    """
    lines = [
        "| | likelihood | ROUGE-ranked | QUALS-ranked | QUALS- less ROUGE-ranked | QUALS-ranked less likelihood "
        "| of it | by seed | scored |",
        "|---|---:|---:|---:|---:|---:|---:|---:|---:|",
    ]
    for name, label in labels.items():
        means = [mean_of(found[method][name]) for method in (MLE, "rouge", "quals")]
        cells = [f"{mean:.3f}" for mean in means]
        for other in ("rouge", MLE):
            change, low, high = difference(found["quals"][name], found[other][name])
            cells.append(f"{change:+.3f} [{low:+.3f}, {high:+.3f}]")
        changes = np.atleast_2d(found["quals"][name]) - np.atleast_2d(found[MLE][name])  # (S, D), as the last cell's
        base = mean_of(np.where(np.isnan(document_means(changes)), np.nan, document_means(found[MLE][name])))
        cells.append(f"{change / abs(base):+.1%}" if base else "")
        cells.append(", ".join(f"{mean_of(mine):+.3f}" for mine in changes))
        counts = [int((~np.isnan(document_means(found[method][name]))).sum()) for method in (MLE, "rouge", "quals")]
        cells.append("/".join(map(str, counts)))
        lines.append(f"| {label} | {' | '.join(cells)} |")
    return "\n".join(lines)


def variants_table(found: Found, labels: Mapping[str, str], changes_of: Sequence[str]) -> str:
    """A row for each method and variant: the measures' means, with the change against likelihood of some of them."""
    lines = [f"| | {' | '.join(labels.values())} |", "|---|" + "---:|" * len(labels)]
    for method, scores in found.items():
        cells = []
        for name in labels:
            change, low, high = difference(scores[name], found[MLE][name])
            shown = f", {change:+.3f} [{low:+.3f}, {high:+.3f}]" if name in changes_of and method != MLE else ""
            cells.append(f"{mean_of(scores[name]):.3f}{shown}")
        lines.append(f"| {_METHODS.get(method, method)} | {' | '.join(cells)} |")
    return "\n".join(lines)


def chosen_table(
    written: Mapping[str, Floats],
    chosen: Mapping[str, tuple[Mapping[str, Floats], Mapping[str, Floats]]],
    labels: Mapping[str, str],
) -> str:
    """A row for each measure: each ranker's targets and negatives, and how the targets differ over documents.

    Args:
        written: scores of what the model itself writes of the documents.
        chosen: by ranker the scores of its targets and negatives.
        labels: of the measures.
    """
    kinds = ("targets", "negatives", "targets less negatives", "targets less written")
    heads = ["written", *(f"{_METHODS[ranker]} {kind}" for ranker in chosen for kind in kinds)]
    lines = [f"| | {' | '.join(heads)} |", "|---|" + "---:|" * len(heads)]
    for name, label in labels.items():
        cells = [f"{mean_of(written[name]):.3f}"]
        for targets, negatives in chosen.values():
            cells += [f"{mean_of(scores[name]):.3f}" for scores in (targets, negatives)]
            for other in (negatives, written):
                change, low, high = difference(targets[name], other[name])
                cells.append(f"{change:+.3f} [{low:+.3f}, {high:+.3f}]")
        lines.append(f"| {label} | {' | '.join(cells)} |")
    return "\n".join(lines)
