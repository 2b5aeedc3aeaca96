"""Documents to make claims about, and claims as rows for a classifier."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from datasets import Dataset
from transformers import PreTrainedTokenizerBase

from trainer_ext.recipes.claims import Claim
from trainer_ext.tables import read_table

# Columns that hold documents, in the order in which they are looked for: of summarization and of question-answer data.
_COLUMNS = ("document", "source", "article", "context", "text")
CONSISTENT, INCONSISTENT = 0, 1  # FactCC's own order
LABELS = {CONSISTENT: "CORRECT", INCONSISTENT: "INCORRECT"}  # its names


def read_documents(files: Sequence[str]) -> list[str]:
    """The different documents of JSON lines, CSV or parquet files, in order of their first appearance.

    Raises:
        ValueError: a file is no table, or has none of the columns that hold documents.
    """
    return list(dict.fromkeys(text for name in files for text in _texts(Path(name))))


def _texts(path: Path) -> Iterator[str]:
    rows = read_table(path)
    column = next((name for name in _COLUMNS if name in rows[0]), None)
    if column is None:
        raise ValueError(f"{path} has no column of documents: name it one of {', '.join(_COLUMNS)}.")
    for number, row in enumerate(rows, start=1):
        text = row.get(column)
        if not isinstance(text, str):
            raise ValueError(f"{path}, row {number}: {column!r} is no text; give every row a document.")
        if text.strip():
            yield text


def claim_rows(claims: Iterable[Claim], tokenizer: PreTrainedTokenizerBase, max_tokens: int) -> Dataset:
    """Rows ``input_ids``, ``attention_mask``, perhaps ``token_type_ids``, and ``labels`` (0 consistent, 1 not).

    A document that is too long beside its claim is cut at its end, so make claims of documents of a fitting length.
    """
    listed = list(claims)
    encoded = tokenizer(
        [claim.document for claim in listed],
        [claim.text for claim in listed],
        truncation="only_first",
        max_length=max_tokens,
    )
    labels = [CONSISTENT if claim.consistent else INCONSISTENT for claim in listed]
    return Dataset.from_dict({**encoded, "labels": labels})
