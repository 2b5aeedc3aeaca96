"""Judges of summaries, which score document by document; their scores are kept on disk, text by text."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from benchmarks.common.examples import Example
from trainer_ext.evaluation import rouge
from trainer_ext.io.keyed_file import KeyedFile
from trainer_ext.mining.rankers import ngram_share
from trainer_ext.study.statistics import Floats

Score = Callable[[list[str], list[str], list[str]], list[float]]
"""From sources, summaries and references to one score per summary, NaN where there is no score."""


@dataclass(frozen=True)
class Judge:
    """A measure.

    Attributes:
        label: its name in tables.
        signature: names its settings; scores with the same signature can be compared.
        score: see :data:`Score`.
        documents: how many documents it judges, the first ones; None judges all.
    """

    label: str
    signature: str
    score: Score
    documents: int | None = None


def free_judges() -> dict[str, Judge]:
    """The judges that need no model."""
    kinds = {"rouge1": "ROUGE-1 F1", "rouge2": "ROUGE-2 F1", "rougeL": "ROUGE-L F1"}
    judges = {kind: Judge(label, "rouge-score", _rouge(kind)) for kind, label in kinds.items()}
    judges["bigrams"] = Judge("word pairs that the document has (floor)", "1", _bigrams)
    judges["words"] = Judge("words in a summary", "1", _words)
    return judges


def _bigrams(sources: list[str], summaries: list[str], references: list[str]) -> list[float]:
    return [ngram_share(source, summary, 2) for source, summary in zip(sources, summaries, strict=True)]


def _words(sources: list[str], summaries: list[str], references: list[str]) -> list[float]:
    return [float(len(summary.split())) for summary in summaries]


def _rouge(kind: str) -> Score:
    def score(sources: list[str], summaries: list[str], references: list[str]) -> list[float]:
        return [rouge([summary], [reference])[kind] for summary, reference in zip(summaries, references, strict=True)]

    return score


def scorer_judge(label: str, scorer: object) -> Judge:
    """A judge that wraps a scorer with ``score(sources, summaries)`` and ``signature``."""

    def score(sources: list[str], summaries: list[str], references: list[str]) -> list[float]:
        return [result.score for result in scorer.score(sources, summaries)]  # type: ignore[attr-defined]

    return Judge(label, str(scorer.signature), score)  # type: ignore[attr-defined]


def judged(
    judges: Mapping[str, Judge], summaries: Sequence[str], examples: Sequence[Example], folder: Path
) -> dict[str, Floats]:
    """Every judge's scores, shape ``(documents,)``, NaN where there is no score.

    ``folder`` keeps them text by text, so that a summary which several arms write is scored once. Only one process at a
    time may use it: a second one would overwrite the scores of the first.
    """
    rows = [(e.document, text, e.summary) for e, text in zip(examples, summaries, strict=True)]
    keys = [hashlib.sha256(json.dumps(row).encode()).hexdigest()[:24] for row in rows]
    scores_of = {}
    for name, judge in judges.items():
        short = hashlib.sha256(judge.signature.encode()).hexdigest()[:8]
        file = KeyedFile(folder / f"{name}-{short}.json", key=judge.signature)
        known: dict[str, float | None] = file.read() or {}
        part = slice(judge.documents)
        missing = {key: row for key, row in zip(keys[part], rows[part], strict=True) if key not in known}
        if missing:
            sources, texts, references = map(list, zip(*missing.values(), strict=True))
            scores = judge.score(sources, texts, references)
            known |= {key: None if math.isnan(score) else score for key, score in zip(missing, scores, strict=True)}
            file.write(known)
        scores_of[name] = np.full(len(rows), np.nan)
        scores_of[name][part] = np.array([known[key] for key in keys[part]], dtype=float)  # None is NaN
    return scores_of
