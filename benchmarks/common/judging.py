"""What is measured of summaries, document by document; each judge's scores are kept on disk, text by text."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from benchmarks.agreement.floors import ngram_share
from benchmarks.common.examples import Example
from trainer_ext.evaluation import rouge
from trainer_ext.io.atomic import replacing
from trainer_ext.study.statistics import Floats

Score = Callable[[list[str], list[str], list[str]], list[float]]
"""Sources, summaries and references to scores, NaN being none."""


@dataclass(frozen=True)
class Judge:
    """A measure.

    Attributes:
        label: for the table.
        signature: of its settings: scores with one signature can be compared.
        score: see :data:`Score`.
        documents: it judges the first so many only, None all.
    """

    label: str
    signature: str
    score: Score
    documents: int | None = None


def free_judges() -> dict[str, Judge]:
    """Those that need no model."""
    kinds = {"rouge1": "ROUGE-1 F1", "rouge2": "ROUGE-2 F1", "rougeL": "ROUGE-L F1"}
    found = {kind: Judge(label, "rouge-score", _rouge(kind)) for kind, label in kinds.items()}
    found["bigrams"] = Judge("word pairs that the document has (floor)", "1", _bigrams)
    found["words"] = Judge("words in a summary", "1", _words)
    return found


def _bigrams(sources: list[str], summaries: list[str], references: list[str]) -> list[float]:
    return [ngram_share(source, summary, 2) for source, summary in zip(sources, summaries, strict=True)]


def _words(sources: list[str], summaries: list[str], references: list[str]) -> list[float]:
    return [float(len(summary.split())) for summary in summaries]


def _rouge(kind: str) -> Score:
    def score(sources: list[str], summaries: list[str], references: list[str]) -> list[float]:
        return [rouge([one], [other])[kind] for one, other in zip(summaries, references, strict=True)]

    return score


def scorer_judge(label: str, scorer: object) -> Judge:
    """A judge out of a scorer with ``score(sources, summaries)`` and ``signature``."""

    def score(sources: list[str], summaries: list[str], references: list[str]) -> list[float]:
        return [result.score for result in scorer.score(sources, summaries)]  # type: ignore[attr-defined]

    return Judge(label, str(scorer.signature), score)  # type: ignore[attr-defined]


def judged(
    judges: Mapping[str, Judge], summaries: Sequence[str], examples: Sequence[Example], folder: Path
) -> dict[str, Floats]:
    """Every judge's scores, ``(documents,)``, NaN being none.

    ``folder`` keeps them text by text: what several arms say of a document in the same words is scored once. It is
    for one process at a time; of two, one's scores would be lost and computed again.
    """
    rows = [(e.document, text, e.summary) for e, text in zip(examples, summaries, strict=True)]
    keys = [hashlib.sha256(json.dumps(row).encode()).hexdigest()[:24] for row in rows]
    found = {}
    for name, judge in judges.items():
        signature = hashlib.sha256(judge.signature.encode()).hexdigest()[:8]
        file = folder / f"{name}-{signature}.json"
        known: dict[str, float | None] = json.loads(file.read_text(encoding="utf-8")) if file.is_file() else {}
        mine = slice(judge.documents)
        missing = {key: row for key, row in zip(keys[mine], rows[mine], strict=True) if key not in known}
        if missing:
            sources, texts, references = map(list, zip(*missing.values(), strict=True))
            scores = judge.score(sources, texts, references)
            known |= {key: None if math.isnan(score) else score for key, score in zip(missing, scores, strict=True)}
            folder.mkdir(parents=True, exist_ok=True)
            with replacing(file) as out:
                out.write(json.dumps(known).encode())
        found[name] = np.full(len(rows), np.nan)
        found[name][mine] = np.array([known[key] for key in keys[mine]], dtype=float)  # None is NaN
    return found
