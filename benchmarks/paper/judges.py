"""The models that judge, loaded once in each process that shares the work."""

from __future__ import annotations

import math
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import cache, partial
from pathlib import Path

from quals.inputs import whole_number
from tqdm.auto import tqdm

from benchmarks.common.judging import Judge, free_judges, scorer_judge
from benchmarks.common.quals_model import QualsModel
from benchmarks.common.ratings import ratings_hash, read_ratings
from benchmarks.paper.processes import pool_of
from benchmarks.paper.table import MODEL_LABELS

JUDGES = ("quals", "qags", "factcc")
_CHUNK = 25  # summaries that a process takes at a time


@dataclass(frozen=True)
class JudgingModels:
    """Which models judge, and how.

    Attributes:
        names: some of :data:`JUDGES`.
        questioner, reader: models of QAGS; None for the embedded ones.
        classifier: model of FactCC; None for the embedded one.
        entailment: classifier of natural language inference that judges too, as FactCC does; None for no such judge.
        readings: file of readers' ratings of the summaries, see :func:`~benchmarks.common.ratings.read_ratings`; None
            for no such judge.
        checkpoint: QAGen of QUALS; None for the embedded one.
        pipeline: spaCy pipeline of QAGS.
        dtype: dtype of all models.
        qags_sources: how QAGS reads long documents.
        qags_documents: most documents that QAGS judges; None for all.
    """

    names: tuple[str, ...]
    questioner: str | None
    reader: str | None
    classifier: str | None
    pipeline: str
    dtype: str
    qags_sources: str
    qags_documents: int | None
    entailment: str | None = None
    readings: Path | None = None
    checkpoint: str | None = None

    def load(self) -> dict[str, Judge]:
        """The judges by name, in the order of the tables.

        Raises:
            ValueError: an option is out of range, or a model cannot be loaded.
            ImportError: a package that QAGS needs is not installed.
        """
        judges: dict[str, Judge] = {}
        if self.qags_documents is not None:
            whole_number("--qags-documents", self.qags_documents, 1)
        if "qags" in self.names:
            from qags import QAGSScorer

            scorer = QAGSScorer(
                self.questioner,
                self.reader,
                pipeline=self.pipeline,
                dtype=self.dtype,
                long_sources=self.qags_sources,
            )
            judges["qags"] = replace(scorer_judge(MODEL_LABELS["qags"], scorer), documents=self.qags_documents)
        classifiers = {"factcc": self.classifier} if "factcc" in self.names else {}
        if self.entailment is not None:
            classifiers["entailment"] = self.entailment
        for name, checkpoint in classifiers.items():
            from factcc import FactCCScorer

            judges[name] = scorer_judge(MODEL_LABELS[name], FactCCScorer(checkpoint, dtype=self.dtype))
        if "quals" in self.names:
            judges["quals"] = scorer_judge(MODEL_LABELS["quals"], QualsModel(self.checkpoint, self.dtype).load())
        if self.readings is not None:
            judges["readings"] = _readers(self.readings)
        return judges


def _readers(path: Path) -> Judge:
    ratings = read_ratings(path)

    def score(sources: list[str], summaries: list[str], references: list[str]) -> list[float]:
        return [ratings.get((a, b.strip()), math.nan) for a, b in zip(sources, summaries, strict=True)]

    return Judge(MODEL_LABELS["readings"], f"readings-{ratings_hash(ratings)}", score)


@contextmanager
def judges_of(models: JudgingModels, processes: int) -> Iterator[dict[str, Judge]]:
    """All judges; ``processes`` processes share the work of those that need a model.

    Every model is loaded here first, so that a missing one is known at once.
    """
    loaded = models.load()
    if processes == 1:
        yield loaded | free_judges()
        return
    with pool_of(processes) as pool:
        shared = {name: replace(judge, score=partial(_by_all, pool, models, name)) for name, judge in loaded.items()}
        yield shared | free_judges()


def _by_all(
    pool: ProcessPoolExecutor,
    models: JudgingModels,
    name: str,
    sources: list[str],
    summaries: list[str],
    references: list[str],
) -> list[float]:
    rows = list(zip(sources, summaries, references, strict=True))
    chunks = [rows[start : start + _CHUNK] for start in range(0, len(rows), _CHUNK)]
    scored = pool.map(partial(_score, models, name), chunks)
    return [score for part in tqdm(scored, name, len(chunks), disable=None) for score in part]


def _score(models: JudgingModels, name: str, rows: list[tuple[str, str, str]]) -> list[float]:
    sources, summaries, references = map(list, zip(*rows, strict=True))
    return _loaded(models)[name].score(sources, summaries, references)


@cache
def _loaded(models: JudgingModels) -> dict[str, Judge]:
    return models.load()
