"""The ways to score a list of texts that the benchmark compares."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from quals import QualsScorer
from quals.rows import SOURCE_COLUMNS, SUMMARY_COLUMNS, checked_text, find_column

from benchmarks.speed.plain import PlainQuals, PlainResult, Techniques
from trainer_ext.io.tables import read_table

Texts = list[tuple[str, str]]


def read_texts(path: Path) -> Texts:
    """(source, summary) of every row of a table, such as JSON lines.

    Raises:
        ValueError: the file is not a table, or has no columns for these.
    """
    rows = read_table(path)
    source, summary = _columns(rows, path)
    return [
        (checked_text(row.get(source), source, number, path), checked_text(row.get(summary), summary, number, path))
        for number, row in enumerate(rows, start=1)
    ]


def read_samples(path: Path) -> list[tuple[str, list[str]]]:
    """Every source with its samples and, last, its reference: a table that ``quals mine --steps sample`` wrote.

    Raises:
        ValueError: the file is not such a table.
    """
    rows = read_table(path)
    source, reference = _columns(rows, path)
    column = find_column(rows[0], ["candidates"], str(path), "give what quals mine --steps sample wrote")
    samples = []
    for number, row in enumerate(rows, start=1):
        texts = [checked_text(text, column, number, path) for text in [*row[column], row.get(reference)]]
        samples.append((checked_text(row.get(source), source, number, path), texts))
    return samples


def _columns(rows: Sequence[Mapping[str, Any]], path: Path) -> tuple[str, str]:
    if not rows:
        raise ValueError(f"{path} has no rows: give a file of sources and summaries.")
    advice = "give a file of sources and summaries"
    return (
        find_column(rows[0], SOURCE_COLUMNS, str(path), advice),
        find_column(rows[0], SUMMARY_COLUMNS, str(path), advice),
    )


@contextmanager
def ordinary_products() -> Iterator[None]:
    """Within this context the scorers multiply matrices as torch does by default (see :mod:`quals.matmul`)."""
    setting: Any = getattr(torch.backends.mkldnn, "matmul", None)
    if not hasattr(setting, "fp32_precision"):  # an older torch, which the scorers leave alone
        yield
        return
    before = setting.fp32_precision
    setting.fp32_precision = "ieee"
    try:
        yield
    finally:
        setting.fp32_precision = before


def run_plain(scorer: QualsScorer, techniques: Techniques, texts: Texts) -> list[PlainResult]:
    """Score one text at a time, with some of the techniques."""
    plain = PlainQuals(scorer, techniques)
    with ordinary_products():
        return [plain.score(source, summary) for source, summary in texts]


def run_alone(scorer: QualsScorer, texts: Texts) -> list[float]:
    """The scorer, called for one summary at a time."""
    with ordinary_products():
        return [run_ours(scorer, [text])[0] for text in texts]


def run_batches(scorer: QualsScorer, texts: Texts) -> list[float]:
    """The scorer, called once, with the ordinary products."""
    with ordinary_products():
        return run_ours(scorer, texts)


def run_ours(scorer: QualsScorer, texts: Texts) -> list[float]:
    """The scorer, called once."""
    results = scorer.score([source for source, _ in texts], [summary for _, summary in texts], progress=False)
    return [result.score for result in results]
