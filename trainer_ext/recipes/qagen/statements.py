"""Statements about sources, true and false, for training a QAGen to tell them apart."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from quals.errors import DataError
from quals.rows import checked_text, find_column
from quals.typography import plain

from trainer_ext.io.tables import read_table
from trainer_ext.recipes.factcc.claim_changes import ALL_CHANGES
from trainer_ext.recipes.factcc.claims import make_claims

if TYPE_CHECKING:
    from spacy.language import Language

# Names of columns, in the order in which they are looked for: those of summaries, and those of natural language
# inference.
SOURCES = ("source", "document", "premise", "context", "text")
STATEMENTS = ("statement", "claim", "hypothesis", "summary")
LABELS = ("consistent", "label")
_TRUE = ("true", "1", "consistent", "entailment", "supported", "correct")
_FALSE = ("false", "0", "inconsistent", "contradiction", "neutral", "not_entailment", "incorrect")


@dataclass(frozen=True)
class Statement:
    """A text about a source, and whether the source states it.

    Attributes:
        source: what is known.
        text: one or more sentences.
        consistent: whether each fact of the text is in the source. A text that the source neither states nor
            contradicts is not consistent.
    """

    source: str
    text: str
    consistent: bool


def read_statements(files: Sequence[str]) -> list[Statement]:
    """The different statements of JSON lines, CSV or parquet files, in order and in plain typography.

    A row has a source (``source``, ``document``, ``premise``), a statement (``statement``, ``claim``, ``hypothesis``,
    ``summary``), and whether the one states the other (``consistent``, ``label``): a boolean, 1 or 0, or a word such as
    ``entailment`` or ``neutral``.

    Raises:
        DataError: a file has no such columns, a text is not one, or a label is none of these.
    """
    return list(dict.fromkeys(statement for name in files for statement in _statements(Path(name))))


def make_statements(
    documents: Iterable[str], pipeline: Language, *, per_document: int = 2, seed: int = 17
) -> Iterator[Statement]:
    """True and false statements about documents, in pairs: a sentence, perhaps shortened, and one with a changed fact.

    They teach what is not stated. What is stated in other words they cannot teach: add summaries that people wrote.

    Args:
        documents: texts.
        pipeline: see :func:`qags.pipeline.load_pipeline`.
        per_document: most statements per document, two for each sentence that is used.
        seed: seed of all choices.
    """
    claims = make_claims(
        documents, pipeline, per_document=per_document, seed=seed, noise=0.0, shortened=0.5, changes=ALL_CHANGES
    )
    for claim in claims:
        yield Statement(claim.document, claim.text, claim.consistent)


def without_conflicts(statements: Iterable[Statement]) -> list[Statement]:
    """The statements less those that are called consistent in one place and inconsistent in another."""
    listed = list(statements)
    labels: dict[tuple[str, str], set[bool]] = {}
    for statement in listed:
        labels.setdefault((statement.source, statement.text), set()).add(statement.consistent)
    return [s for s in listed if len(labels[s.source, s.text]) == 1]


def _statements(path: Path) -> Iterator[Statement]:
    rows = read_table(path)
    source, text, label = (
        find_column(rows[0], names, str(path), "name it so") for names in (SOURCES, STATEMENTS, LABELS)
    )
    for number, row in enumerate(rows, start=1):
        statement = Statement(
            plain(checked_text(row.get(source), source, number, path)).strip(),
            plain(checked_text(row.get(text), text, number, path)).strip(),
            _consistent(row, label, number, path),
        )
        if statement.source and statement.text:
            yield statement


def _consistent(row: Mapping[str, Any], column: str, number: int, path: Path) -> bool:
    word = str(row.get(column)).casefold()
    if word not in _TRUE + _FALSE:
        raise DataError(
            f"{path}, row {number}: {column!r} is {row.get(column)!r}; give true or false, 1 or 0, or one of "
            f"{', '.join((*_TRUE[2:], *_FALSE[2:]))}."
        )
    return word in _TRUE
