"""Real document-summary pairs, split so that test documents are never trained on."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from datasets import Dataset
from transformers import PreTrainedTokenizerBase

from trainer_ext.io.tables import read_table


@dataclass(frozen=True)
class Example:
    """A document and its reference summary."""

    document: str
    summary: str


def read_examples(files: Sequence[Path], least_words: int = 5) -> list[Example]:
    """Pairs from JSON lines files with ``document`` and ``summary``; each document counts once.

    Args:
        files: the files.
        least_words: fewest words of a summary; a document must have three times as many words as its summary.

    Raises:
        ValueError: a file is not a table, or there are no usable pairs.
    """
    by_document: dict[str, Example] = {}
    for file in files:
        for row in read_table(file):
            document, summary = row.get("document"), row.get("summary")
            if not isinstance(document, str) or not isinstance(summary, str):
                raise ValueError(f"{file} has a row without the texts document and summary: give a file of pairs.")
            words = len(summary.split())
            if words >= least_words and len(document.split()) >= 3 * words:
                by_document.setdefault(document, Example(document, summary))
    if not by_document:
        raise ValueError(f"{', '.join(map(str, files))}: there are no usable pairs.")
    return list(by_document.values())


def split(examples: Sequence[Example], test_documents: int) -> tuple[list[Example], list[Example]]:
    """Training and test examples, by a hash of the document: the same at every run, whatever the order of the files.

    Raises:
        ValueError: there are too few documents.
    """
    if len(examples) <= 2 * test_documents:
        raise ValueError(f"There are {len(examples)} documents, too few to keep {test_documents} apart for the test.")
    order = by_hash(examples)
    return order[test_documents:], order[:test_documents]


def by_hash(examples: Sequence[Example]) -> list[Example]:
    """Ordered by a hash of the document: arbitrary, and the same whatever the given order."""
    return sorted(examples, key=lambda example: hashlib.sha256(example.document.encode()).hexdigest())


def tokenized(
    examples: Sequence[Example],
    tokenizer: PreTrainedTokenizerBase,
    max_source: int,
    max_target: int,
    prefix: str = "",
) -> Dataset:
    """Token ids of documents, after the prefix, and of summaries, cut to the given lengths.

    The documents' texts stay, without the prefix, for the ranker.
    """
    inputs: Any = tokenizer([prefix + example.document for example in examples], max_length=max_source, truncation=True)
    labels: Any = tokenizer([example.summary for example in examples], max_length=max_target, truncation=True)
    return Dataset.from_dict(
        {
            "input_ids": inputs["input_ids"],
            "attention_mask": inputs["attention_mask"],
            "labels": labels["input_ids"],
            "document": [example.document for example in examples],
        }
    )
