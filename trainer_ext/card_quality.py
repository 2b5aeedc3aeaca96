"""QUALS and ROUGE of the trainer's model on some evaluation documents, before and after, for the model card."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import datasets
from quals import QualsScorer
from transformers import GenerationConfig, PreTrainedTokenizerBase

from trainer_ext.evaluation import SummaryQuality, measure_summaries
from trainer_ext.io.atomic import replacing
from trainer_ext.io.hashing import hash_json
from trainer_ext.mining import generate_summaries
from trainer_ext.mining.fingerprint import data_fingerprint
from trainer_ext.mining.texts import reference_texts, source_texts


@dataclass(frozen=True)
class CardQuality:
    """What to measure on, and how.

    Attributes:
        dataset: tokenized evaluation documents with labels.
        sources, references: their texts.
        tokenizer: the model's.
        generation: how summaries are decoded.
        batch_tokens: most source tokens of a batch.
    """

    dataset: datasets.Dataset
    sources: list[str]
    references: list[str]
    tokenizer: PreTrainedTokenizerBase
    generation: GenerationConfig
    batch_tokens: int

    def measure(self, model: Any, scorer: QualsScorer) -> SummaryQuality:
        """Summarize and score."""
        ids = generate_summaries(model, self.dataset, self.generation, self.batch_tokens)
        summaries = [text.strip() for text in self.tokenizer.batch_decode(ids, skip_special_tokens=True)]
        return measure_summaries(summaries, self.sources, self.references, scorer)

    def measure_once(self, model: Any, scorer: QualsScorer, weights: str, note: Path) -> SummaryQuality:
        """As :meth:`measure`, kept in ``note``, so that a run that goes on still knows how it began.

        Args:
            weights: fingerprint of the model.
            note: file; what it holds of other weights, documents or settings is replaced.
        """
        key = hash_json(
            weights=weights,
            data=data_fingerprint(self.dataset, ["input_ids", "labels"]),
            sources=self.sources,
            references=self.references,
            generation={k: v for k, v in self.generation.to_dict().items() if k != "transformers_version"},
            scorer=scorer.signature,
        )
        if note.is_file():
            known = json.loads(note.read_text(encoding="utf-8"))
            if known["key"] == key:
                return SummaryQuality(**known["before"])
        quality = self.measure(model, scorer)
        note.parent.mkdir(parents=True, exist_ok=True)
        with replacing(note) as file:
            file.write(json.dumps({"key": key, "before": quality.to_dict()}).encode())
        return quality


def card_quality(
    evaluation: Any,
    count: int,
    tokenizer: PreTrainedTokenizerBase | None,
    generation: GenerationConfig,
    batch_tokens: int,
    source_prefix: str = "",
    source_column: str | None = None,
    reference_column: str | None = None,
) -> CardQuality | None:
    """For the first ``count`` documents of the evaluation set, of several the first set.

    Returns:
        None where there is nothing to measure on: no documents wanted, no tokenizer, or a set without rows at hand,
        ``input_ids`` or ``labels``. Columns of texts are read where the evaluation set has them, else tokens are.
    """
    dataset = next(iter(evaluation.values()), None) if isinstance(evaluation, dict) else evaluation
    if not count or tokenizer is None or not isinstance(dataset, datasets.Dataset) or not len(dataset):
        return None
    columns = dataset.column_names
    if not {"input_ids", "labels"} <= set(columns):
        return None
    some = dataset.select(range(min(len(dataset), count)))
    sources = source_texts(some, tokenizer, source_prefix, source_column if source_column in columns else None)
    references = reference_texts(some, tokenizer, reference_column if reference_column in columns else None)
    generation.do_sample = False  # measured twice, so without chance
    return CardQuality(some, sources, references or [], tokenizer, generation, batch_tokens)
