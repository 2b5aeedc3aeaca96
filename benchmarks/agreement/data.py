"""Sets of human judgements: JSON lines of document, summary, and what people thought of the summary's facts."""

from __future__ import annotations

import hashlib
import json
import random
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

CORRELATION = "correlation"
PARTIAL = "partial"
PAIRWISE = "pairwise"
SAMPLE_ROWS = 300  # of a set that is sampled
_MOST_OF_A_DOCUMENT = 6  # rows in a sample, so that it is of 50 documents at least where there are so many


@dataclass(frozen=True)
class Row:
    """One judged summary.

    Attributes:
        id: unique in its set.
        document, summary: the texts.
        human: the judgement, 0 (inconsistent) to 1 (consistent).
        label: 1 consistent, 0 inconsistent.
        group: the summarizer that wrote it, where the set is correlated partially; else empty.
        pair: shared by the two summaries of a comparison, where the set is one of pairs; else the id.
        origin: where the document is from; empty if not stated.
    """

    id: str
    document: str
    summary: str
    human: float
    label: int
    group: str
    pair: str
    origin: str

    @property
    def digest(self) -> str:
        """Short hash of both texts."""
        texts = json.dumps([self.document, self.summary]).encode()
        return hashlib.sha256(texts).hexdigest()[:16]


@dataclass(frozen=True)
class SetSpec:
    """How one file is read and compared.

    Attributes:
        name: of the set, and of its file with ``.jsonl``.
        kind: ``"correlation"``; ``"partial"``, a correlation that controls for the summarizer; or ``"pairwise"``.
        label: field of the label.
        score: field of a graded judgement, if there is one; else the label is the judgement.
        sampled: whether a seeded sample of the set is used unless a limit is given.
    """

    name: str
    kind: str = CORRELATION
    label: str = "label"
    score: str | None = None
    sampled: bool = False


SPECS = {
    spec.name: spec
    for spec in (
        SetSpec("frank_valid", kind=PARTIAL, score="score"),
        SetSpec("gofigure_human"),
        SetSpec("polytope_val", label="inaccuracy_label"),  # its `label` also counts what a summary leaves out
        SetSpec("goyal21"),
        SetSpec("rank19", kind=PAIRWISE),
        SetSpec("summedits", sampled=True),
        SetSpec("faceval", sampled=True),
        SetSpec("diasumfact", sampled=True),
        SetSpec("factcc_subset", sampled=True),
    )
}


def load_set(folder: Path, name: str, limit: int | None = None, seed: int = 0) -> list[Row]:
    """Rows of one set, sampled where the set asks for it.

    Args:
        folder: holds ``<name>.jsonl``.
        name: one of ``SPECS``.
        limit: most rows; None is all, or a sample of ``SAMPLE_ROWS`` where the set is a sampled one.
        seed: of the sample.

    Raises:
        ValueError: the name is unknown, the file is not there, or a row lacks a field.
    """
    if name not in SPECS:
        raise ValueError(f"There is no set {name!r}: give some of {', '.join(SPECS)}.")
    spec, path = SPECS[name], folder / f"{name}.jsonl"
    if not path.is_file():
        raise ValueError(f"{path} is not there: give the folder that holds the set, or leave it out with --sets.")
    rows = []
    with path.open(encoding="utf-8") as lines:
        for number, line in enumerate(lines, start=1):
            if line.strip():
                rows.append(_read_row(line, spec, f"{path}, line {number}"))
    if len({row.id for row in rows}) < len(rows):
        raise ValueError(f"{path} gives two rows the same id: ids must differ, for results are kept under them.")
    if spec.kind == PAIRWISE:
        _check_pairs(rows, path)
    if limit is None:
        limit = SAMPLE_ROWS if spec.sampled else len(rows)
    return sample_by_document(rows, limit, seed)


def sample_by_document(rows: Sequence[Row], limit: int, seed: int) -> list[Row]:
    """About ``limit`` rows at most: documents in random order, a few rows of each; both rows of a pair or none.

    The rows keep their order. All are returned where they are no more than ``limit``.
    """
    most = max(2, min(_MOST_OF_A_DOCUMENT, limit // 50))
    if len(rows) <= limit:
        return list(rows)
    rng = random.Random(seed)
    documents: dict[str, dict[str, list[int]]] = defaultdict(lambda: defaultdict(list))
    for index, row in enumerate(rows):
        documents[row.document][row.pair].append(index)
    chosen: list[int] = []
    for document in rng.sample(list(documents), len(documents)):
        units = list(documents[document].values())
        taken = 0
        for unit in rng.sample(units, len(units)):
            if taken + len(unit) > most or len(chosen) + len(unit) > limit:
                break
            chosen.extend(unit)
            taken += len(unit)
        if len(chosen) >= limit:
            break
    return [rows[index] for index in sorted(chosen)]


def _read_row(line: str, spec: SetSpec, where: str) -> Row:
    try:
        values = json.loads(line)
    except ValueError as error:
        raise ValueError(f"{where} is no JSON ({error}): the file must hold one JSON object a line.") from error
    if not isinstance(values, dict):
        raise ValueError(f"{where} is no JSON object: the file must hold one a line.")
    label = _field(values, spec.label, _label, where)
    human = float(label) if spec.score is None else _field(values, spec.score, _unit_interval, where)
    row_id = _field(values, "id", _text, where)
    return Row(
        id=row_id,
        document=_field(values, "document", _text, where),
        summary=_field(values, "summary", _text, where),
        human=human,
        label=label,
        group=_field(values, "model", _text, where) if spec.kind == PARTIAL else "",
        pair=_field(values, "pair", _text, where) if spec.kind == PAIRWISE else row_id,
        origin=str(values.get("origin") or ""),
    )


def _field(values: dict[str, Any], name: str, convert: Callable[[Any], Any], where: str) -> Any:
    try:
        return convert(values[name])
    except KeyError as error:
        raise ValueError(f"{where} has no field {name!r}, which this set needs.") from error
    except ValueError as error:
        raise ValueError(f"{where}: {name!r} must be {error}, and is {values[name]!r:.60}.") from error


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise ValueError("a string")
    return value


def _label(value: Any) -> int:
    if isinstance(value, bool) or value not in (0, 1):
        raise ValueError("0 or 1")
    return int(value)


def _unit_interval(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= 1:
        raise ValueError("a number from 0 to 1")
    return float(value)


def _check_pairs(rows: Sequence[Row], path: Path) -> None:
    pairs: dict[str, list[Row]] = defaultdict(list)
    for row in rows:
        pairs[row.pair].append(row)
    for pair, found in pairs.items():
        texts = {(row.document, row.origin) for row in found}
        if sorted(row.label for row in found) != [0, 1] or len(texts) != 1:
            raise ValueError(
                f"{path}: pair {pair!r} must be one consistent and one inconsistent summary of the same document."
            )
