"""Sets of human judgements: JSON lines with a document, a summary, and what people judged the summary to be."""

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
SAMPLE_ROWS = 300  # of a sampled set
_MOST_OF_A_DOCUMENT = 6  # rows per document in a sample, so that it covers at least 50 documents where it can


@dataclass(frozen=True)
class Row:
    """One judged summary.

    Attributes:
        id: unique in its set.
        document, summary: the texts.
        human: the judgement, 0 (inconsistent) to 1 (consistent).
        label: 1 consistent, 0 inconsistent.
        group: the summarizer that wrote it, where the correlation is partial; else empty.
        pair: shared by the two summaries of a comparison in a pairwise set; else the id.
        origin: where the document is from, or the kind of error; empty if not stated.
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
        name: of the set, and of its file unless ``file`` names another.
        kind: ``"correlation"``; ``"partial"``, a correlation that controls for the summarizer; or ``"pairwise"``.
        label: field of the label.
        score: field of a graded judgement; without one the label is the judgement.
        sampled: whether a seeded sample of the set is used unless a limit is given.
        file: name of the file without ``.jsonl``.
        splits: which values of the field ``split`` count; empty for all.
        edited: whether each line is a pair: a right summary (``reference``) and its ``edited`` wrong version.
        origin: field of the origin.
    """

    name: str
    kind: str = CORRELATION
    label: str = "label"
    score: str | None = None
    sampled: bool = False
    file: str = ""
    splits: tuple[str, ...] = ()
    edited: bool = False
    origin: str = "origin"

    def path(self, folder: Path) -> Path:
        """The file of the set in a folder of sets."""
        return folder / f"{self.file or self.name}.jsonl"


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
        SetSpec("bump", kind=PAIRWISE, sampled=True, file="bump_pairs", edited=True, origin="error_type"),
        SetSpec("xent", sampled=True),
        SetSpec("defacto", sampled=True, splits=("val", "test")),
    )
}


def sets_in(folder: Path) -> list[str]:
    """The known sets whose files are in the folder.

    Raises:
        ValueError: there are none.
    """
    names = [name for name, spec in SPECS.items() if spec.path(folder).is_file()]
    if not names:
        raise ValueError(f"{folder} holds none of the sets: give a folder with some of {', '.join(SPECS)} as .jsonl.")
    return names


def load_set(folder: Path, name: str, limit: int | None = None, seed: int = 0) -> list[Row]:
    """Rows of one set, sampled where the set asks for it.

    Args:
        folder: holds the set's file.
        name: one of ``SPECS``.
        limit: most rows; None is all, or ``SAMPLE_ROWS`` of a sampled set.
        seed: seed of the sample.

    Raises:
        ValueError: the name is unknown, the file is missing, or a row lacks a field.
    """
    if name not in SPECS:
        raise ValueError(f"--sets has {name!r}, which is unknown: give some of {', '.join(SPECS)}.")
    spec = SPECS[name]
    path = spec.path(folder)
    if not path.is_file():
        raise ValueError(f"{path} is missing: give the folder that holds the set, or leave it out with --sets.")
    rows = []
    with path.open(encoding="utf-8") as lines:
        for number, line in enumerate(lines, start=1):
            if line.strip():
                rows += _read_rows(line, spec, f"{path}, line {number}")
    if len({row.id for row in rows}) < len(rows):
        raise ValueError(f"{path} gives two rows the same id: ids must differ, because results are kept under them.")
    if spec.kind == PAIRWISE:
        _check_pairs(rows, path)
    if limit is None:
        limit = SAMPLE_ROWS if spec.sampled else len(rows)
    return sample_by_document(rows, limit, seed)


def sample_by_document(rows: Sequence[Row], limit: int, seed: int) -> list[Row]:
    """At most about ``limit`` rows: documents in random order, a few rows of each, both rows of a pair or none.

    The rows keep their order. All are returned if there are at most ``limit``.
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


def _read_rows(line: str, spec: SetSpec, where: str) -> list[Row]:
    """The rows of one line: none if it is of another split, two if it is a pair."""
    try:
        values = json.loads(line)
    except ValueError as error:
        raise ValueError(f"{where} is not JSON ({error}): the file must hold one JSON object per line.") from error
    if not isinstance(values, dict):
        raise ValueError(f"{where} is not a JSON object: the file must hold one per line.")
    if spec.splits and _field(values, "split", _text, where) not in spec.splits:
        return []
    if not spec.edited:
        return [_read_row(values, spec, where)]
    row_id = _field(values, "id", _text, where)
    texts = {label: _field(values, name, _text, where) for label, name in ((1, "reference"), (0, "edited"))}
    return [
        _read_row({**values, "id": f"{row_id}-{label}", "pair": row_id, "summary": text, "label": label}, spec, where)
        for label, text in texts.items()
    ]


def _read_row(values: dict[str, Any], spec: SetSpec, where: str) -> Row:
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
        origin=str(values.get(spec.origin) or ""),
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
    for pair, members in pairs.items():
        texts = {(row.document, row.origin) for row in members}
        if sorted(row.label for row in members) != [0, 1] or len(texts) != 1:
            raise ValueError(
                f"{path}: pair {pair!r} must be one consistent and one inconsistent summary of the same document."
            )
