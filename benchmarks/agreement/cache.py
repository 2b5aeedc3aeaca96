"""Scores kept on disk row by row, so that a killed run resumes where it stopped."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from quals import QualsResult

from benchmarks.agreement.data import Row
from benchmarks.agreement.lines import append_lines, read_lines
from trainer_ext.io.keyed_file import KeyedFile


@dataclass(frozen=True)
class PairRecord:
    """One question-answer pair of a summary.

    Attributes:
        question, answer: as generated.
        answer_tokens: index of the first answer token in the two below.
        summary, source, nothing: natural log-probabilities of question, separator, answer and end token under each
            text, the last of which has no content.
    """

    question: str
    answer: str
    answer_tokens: int
    summary: tuple[float, ...]
    source: tuple[float, ...]
    nothing: tuple[float, ...]


@dataclass(frozen=True)
class ScoreRecord:
    """What is kept of a :class:`quals.QualsResult`: enough to weight and aggregate its pairs anew."""

    pairs: tuple[PairRecord, ...]
    source_windows: int
    source_truncated: bool

    @classmethod
    def of(cls, score: QualsResult) -> ScoreRecord:
        """The record of a score; log-probabilities to six decimals."""
        pairs = tuple(
            PairRecord(
                pair.question,
                pair.answer,
                pair.answer_tokens,
                tuple(round(value, 6) for value in pair.token_log_probs_summary),
                tuple(round(value, 6) for value in pair.token_log_probs_source),
                tuple(round(value, 6) for value in pair.token_log_probs_nothing),
            )
            for pair in score.pairs
        )
        return cls(pairs, score.source_windows, score.source_truncated)

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> ScoreRecord:
        """What ``asdict`` gave, after JSON made lists of its tuples."""
        pairs = tuple(
            PairRecord(
                pair["question"],
                pair["answer"],
                pair["answer_tokens"],
                *(tuple(pair[text]) for text in ("summary", "source", "nothing")),
            )
            for pair in values["pairs"]
        )
        return cls(pairs, values["source_windows"], values["source_truncated"])


class ScoreCache:
    """Records of one scorer, in ``<folder>/<signature>.jsonl``; a row is found by its id and its texts.

    A changed model or setting therefore reads another file, and a changed text is scored again.
    """

    def __init__(self, folder: Path, signature: str) -> None:
        self.path = folder / f"{signature}.jsonl"
        self._records = dict(read_lines(self.path, _keyed))

    def __len__(self) -> int:
        return len(self._records)

    def get(self, row: Row) -> ScoreRecord | None:
        """The row's record, or None if it has not been scored."""
        return self._records.get((row.id, row.digest))

    def add(self, rows: Sequence[Row], scores: Sequence[QualsResult]) -> None:
        """Append the rows' scores and flush them to disk."""
        records = [ScoreRecord.of(score) for score in scores]
        append_lines(
            self.path,
            ({"id": row.id, "texts": row.digest, **asdict(record)} for row, record in zip(rows, records, strict=True)),
        )
        for row, record in zip(rows, records, strict=True):
            self._records[row.id, row.digest] = record


def write_manifest(folder: Path, signatures: Mapping[str, str]) -> None:
    """Note which scorers the latest run used (policy for long sources -> signature), for a run without a model."""
    _manifest(folder).write(dict(signatures))


def read_manifest(folder: Path) -> dict[str, str]:
    """What :func:`write_manifest` noted.

    Raises:
        ValueError: the folder has no such note.
    """
    note = _manifest(folder)
    signatures: dict[str, str] | None = note.read()
    if signatures is None:
        raise ValueError(f"{note.path} does not say which scores to use: run once without --from-cache.")
    return signatures


def _manifest(folder: Path) -> KeyedFile:
    return KeyedFile(folder / "scorers.json", key="scorers of the latest run")


def _keyed(values: dict[str, Any]) -> tuple[tuple[str, str], ScoreRecord]:
    return (values["id"], values["texts"]), ScoreRecord.from_json(values)
