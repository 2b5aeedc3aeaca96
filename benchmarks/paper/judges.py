"""The models that judge, loaded once in each of the processes that share the judging."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import cache, partial

from quals import QualsScorer
from quals.inputs import whole_number
from tqdm.auto import tqdm

from benchmarks.common.judging import Judge, free_judges, scorer_judge
from benchmarks.paper.figure import MODEL_LABELS
from benchmarks.paper.processes import pool_of

JUDGES = ("quals", "qags", "factcc")
_CHUNK = 25  # summaries that a process takes at a time


@dataclass(frozen=True)
class JudgingModels:
    """Which they are.

    Attributes:
        names: of :data:`JUDGES`.
        questioner, reader: QAGS's; None for the embedded ones.
        classifier: FactCC's, likewise.
        pipeline: QAGS's, of spaCy.
        dtype: of all of them.
        qags_sources: how QAGS reads long documents.
        qags_documents: that QAGS judges at most; None for all.
    """

    names: tuple[str, ...]
    questioner: str | None
    reader: str | None
    classifier: str | None
    pipeline: str
    dtype: str
    qags_sources: str
    qags_documents: int | None

    def load(self) -> dict[str, Judge]:
        """The judges by name, in the order of the tables.

        Raises:
            ValueError: an option is out of range, or a model is none.
            ImportError: what QAGS needs is not installed.
        """
        found: dict[str, Judge] = {}
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
            found["qags"] = replace(scorer_judge(MODEL_LABELS["qags"], scorer), documents=self.qags_documents)
        if "factcc" in self.names:
            from factcc import FactCCScorer

            found["factcc"] = scorer_judge(MODEL_LABELS["factcc"], FactCCScorer(self.classifier, dtype=self.dtype))
        if "quals" in self.names:
            found["quals"] = scorer_judge(MODEL_LABELS["quals"], QualsScorer(dtype=self.dtype))
        return found


@contextmanager
def judges_of(models: JudgingModels, processes: int) -> Iterator[dict[str, Judge]]:
    """The judges, whose models so many processes share the work of, and those that need no model.

    All are loaded here first, so that one that is missing is known at once.
    """
    found = models.load()
    if processes == 1:
        yield found | free_judges()
        return
    with pool_of(processes) as pool:
        shared = {name: replace(judge, score=partial(_by_all, pool, models, name)) for name, judge in found.items()}
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
