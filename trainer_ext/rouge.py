"""ROUGE, by the package rouge-score."""

from __future__ import annotations

from typing import Any


def rouge_scorer(*kinds: str, stem: bool) -> Any:
    """A ``rouge_score.rouge_scorer.RougeScorer``.

    Raises:
        ValueError: the package is not installed.
    """
    try:
        from rouge_score.rouge_scorer import RougeScorer
    except ImportError as error:
        raise ValueError("ROUGE needs the package rouge-score: pip install 'quals[train]'.") from error
    return RougeScorer(list(kinds), use_stemmer=stem)
