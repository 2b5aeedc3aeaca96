"""The ways to score a list of texts that the benchmark compares."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from quals import QualsScorer

from benchmarks.speed.plain import PlainQuals, PlainResult, Techniques

Texts = list[tuple[str, str]]


def read_texts(path: Path) -> Texts:
    """(document, summary) of every line.

    Raises:
        ValueError: a line is no JSON object with both.
    """
    texts = []
    with path.open(encoding="utf-8") as lines:
        for number, line in enumerate(lines, start=1):
            if not line.strip():
                continue
            try:
                row = json.loads(line)
                texts.append((row["document"], row["summary"]))
            except (ValueError, KeyError, TypeError) as error:
                raise ValueError(f"{path}, line {number} is no JSON object with document and summary.") from error
    return texts


@contextmanager
def ordinary_products() -> Iterator[None]:
    """Inside this context the scorers multiply matrices as torch does by itself, see :mod:`quals.products`."""
    setting: Any = getattr(torch.backends.mkldnn, "matmul", None)
    if not hasattr(setting, "fp32_precision"):  # of an older torch, which the scorers leave alone
        yield
        return
    before = setting.fp32_precision
    setting.fp32_precision = "ieee"
    try:
        yield
    finally:
        setting.fp32_precision = before


def run_plain(scorer: QualsScorer, techniques: Techniques, texts: Texts) -> list[PlainResult]:
    """One at a time, with some of the techniques."""
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
