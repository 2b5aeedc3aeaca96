"""The targets and negatives that the rankers chose, for the judges to compare."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from datasets import Dataset, load_from_disk
from transformers import PreTrainedTokenizerBase

from benchmarks.common.examples import Example
from trainer_ext.mining.texts import candidate_texts, reference_texts


def chosen_texts(
    selected: Mapping[str, Path], examples: Sequence[Example], documents: int, tokenizer: PreTrainedTokenizerBase
) -> tuple[list[Example], dict[str, tuple[list[str], list[str]]]]:
    """The documents that all rankers selected, and each ranker's targets and worst negatives.

    Args:
        selected: by ranker, the folder of its selected rows.
        examples: the documents that were ranked.
        documents: most documents, in the order of ``examples``.
        tokenizer: tokenizer of the summarizer.
    """
    known = {ranker: _pairs(folder, tokenizer) for ranker, folder in selected.items()}
    common = set.intersection(*map(set, known.values()))
    shared = [example for example in examples if example.document in common][:documents]
    texts = {}
    for ranker, pairs in known.items():
        both = [pairs[example.document] for example in shared]
        texts[ranker] = ([target for target, _ in both], [negative for _, negative in both])
    return shared, texts


def _pairs(folder: Path, tokenizer: PreTrainedTokenizerBase) -> dict[str, tuple[str, str]]:
    """By document: its target and its worst negative."""
    rows = load_from_disk(str(folder))
    assert isinstance(rows, Dataset)
    targets = reference_texts(rows, tokenizer) or []
    negatives = [best_first[-1] for best_first in candidate_texts(rows, tokenizer)]
    return dict(zip(rows["document"], zip(targets, negatives, strict=True), strict=True))
