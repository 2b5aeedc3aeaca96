"""Tables of every arm's means and of the arms' differences, with intervals over documents and seeds."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np

from benchmarks.common.differences import difference, document_means, mean_of
from trainer_ext.study.statistics import Floats

MLE = "mle"
METHODS = {
    MLE: "likelihood",
    "rouge": "ROUGE-ranked",
    "quals": "QUALS-ranked",
    "pairs": "ranked by word pairs (floor)",
    "best": "best sample alone",
    "rerank": "reranked, untrained",
    "cape": "CaPE",
    "rated": "ranked by --ratings",
}
RANKED = {MLE, "rouge", "quals"}  # what the first table compares
# The judges whose changes and signatures the tables have, and their names there.
MODEL_LABELS = {
    "qags": "QAGS",
    "factcc": "FactCC",
    "entailment": "entailment",
    "quals": "QUALS, nats per token",
    "readings": "readers' rating",
}
Scores = Mapping[str, Mapping[str, Floats]]
"""By method and measure: scores, ``(seeds, documents)`` or ``(documents,)``; NaN where there is no score."""


def tables(scores: Scores, labels: Mapping[str, str]) -> Iterator[str]:
    """The tables of one set: QUALS's ranking against ROUGE's and word pairs', all arms, and variants on their seed."""
    ranked = scores.keys() & RANKED
    if ranked == RANKED:
        yield markdown(scores, labels)
    if "quals" in scores and "pairs" in scores:
        yield versus(scores, labels, "quals", "pairs")
    arms = {method: judged for method, judged in scores.items() if method in METHODS}
    if arms.keys() - ranked or ranked != RANKED:
        yield variants_table(arms, labels)
    if scores.keys() - arms.keys():
        first_seed = {method: {judge: rows[0] for judge, rows in judged.items()} for method, judged in scores.items()}
        yield variants_table(first_seed, labels)


def versus(scores: Scores, labels: Mapping[str, str], one: str, other: str) -> str:
    """One row per measure: two methods' means, and by how much the first is above the second."""
    heads = [METHODS[one], METHODS[other], f"{METHODS[one]} minus {METHODS[other]}"]
    lines = [f"| | {' | '.join(heads)} |", "|---|---:|---:|---:|"]
    for name, label in labels.items():
        change, low, high = difference(scores[one][name], scores[other][name])
        means = " | ".join(f"{mean_of(scores[method][name]):.3f}" for method in (one, other))
        lines.append(f"| {label} | {means} | {change:+.3f} [{low:+.3f}, {high:+.3f}] |")
    return "\n".join(lines)


def markdown(scores: Scores, labels: Mapping[str, str]) -> str:
    """One data set's table: one row per measure.

    Means are over all documents with a score, differences over the documents that both sides score.
    """
    lines = [
        "| | likelihood | ROUGE-ranked | QUALS-ranked | QUALS-ranked minus ROUGE-ranked "
        "| QUALS-ranked minus likelihood | relative | by seed | scored |",
        "|---|---:|---:|---:|---:|---:|---:|---:|---:|",
    ]
    for name, label in labels.items():
        means = [mean_of(scores[method][name]) for method in (MLE, "rouge", "quals")]
        cells = [f"{mean:.3f}" for mean in means]
        for other in ("rouge", MLE):
            change, low, high = difference(scores["quals"][name], scores[other][name])
            cells.append(f"{change:+.3f} [{low:+.3f}, {high:+.3f}]")
        changes = np.atleast_2d(scores["quals"][name]) - np.atleast_2d(scores[MLE][name])  # (S, D), as the last cell's
        base = mean_of(np.where(np.isnan(document_means(changes)), np.nan, document_means(scores[MLE][name])))
        cells.append(f"{change / abs(base):+.1%}" if base else "")
        cells.append(", ".join(f"{mean_of(seed):+.3f}" for seed in changes))
        counts = [int((~np.isnan(document_means(scores[method][name]))).sum()) for method in (MLE, "rouge", "quals")]
        cells.append("/".join(map(str, counts)))
        lines.append(f"| {label} | {' | '.join(cells)} |")
    return "\n".join(lines)


def variants_table(scores: Scores, labels: Mapping[str, str]) -> str:
    """One row per method and variant: means, and the models' changes against likelihood."""
    lines = [f"| | {' | '.join(labels.values())} |", "|---|" + "---:|" * len(labels)]
    for method, measured in scores.items():
        cells = []
        for name in labels:
            change, low, high = difference(measured[name], scores[MLE][name])
            shown = f", {change:+.3f} [{low:+.3f}, {high:+.3f}]" if name in MODEL_LABELS and method != MLE else ""
            cells.append(f"{mean_of(measured[name]):.3f}{shown}")
        lines.append(f"| {METHODS.get(method, method)} | {' | '.join(cells)} |")
    return "\n".join(lines)


def chosen_table(
    written: Mapping[str, Floats],
    chosen: Mapping[str, tuple[Mapping[str, Floats], Mapping[str, Floats]]],
    labels: Mapping[str, str],
) -> str:
    """One row per measure: each ranker's targets and negatives, and how the targets differ from others.

    Args:
        written: scores of the summaries that the model itself writes.
        chosen: by ranker, the scores of its targets and negatives.
        labels: names of the measures.
    """
    kinds = ("targets", "negatives", "targets minus negatives", "targets minus written")
    heads = ["written", *(f"{METHODS[ranker]} {kind}" for ranker in chosen for kind in kinds)]
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
