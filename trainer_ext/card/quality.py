"""QUALS and ROUGE of the model on some evaluation documents, before and after the training, for the model card."""

from __future__ import annotations

import copy
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import datasets
from quals import QualsScorer
from transformers import GenerationConfig, PreTrainedTokenizerBase

from trainer_ext.arguments import ContrastiveOptions
from trainer_ext.dataset import as_dataset
from trainer_ext.evaluation import SummaryQuality, measure_summaries
from trainer_ext.io.hashing import hash_json
from trainer_ext.io.keyed_file import KeyedFile
from trainer_ext.io.progress import inform
from trainer_ext.mining import generate_summaries
from trainer_ext.mining.fingerprint import data_fingerprint
from trainer_ext.mining.texts import reference_texts, source_texts


@dataclass(frozen=True)
class CardQuality:
    """What to measure, and on which documents.

    Attributes:
        dataset: tokenized evaluation documents with labels.
        sources, references: their texts.
        tokenizer: the model's.
        generation: how summaries are decoded.
        batch_tokens: source tokens per batch, at most.
        longest_source: tokens of the longest source where sources are decoded from tokens, and may have been cut; None
            for whole texts.
    """

    dataset: datasets.Dataset
    sources: list[str]
    references: list[str]
    tokenizer: PreTrainedTokenizerBase
    generation: GenerationConfig
    batch_tokens: int
    longest_source: int | None = None

    def measure(self, model: Any, scorer: QualsScorer) -> SummaryQuality:
        """Summarize the documents, and score the summaries."""
        ids = generate_summaries(model, self.dataset, self.generation, self.batch_tokens)
        summaries = [text.strip() for text in self.tokenizer.batch_decode(ids, skip_special_tokens=True)]
        quality = measure_summaries(summaries, self.sources, self.references, scorer)
        return replace(quality, longest_source=self.longest_source)

    def measure_once(self, model: Any, scorer: QualsScorer, weights: str, note: Path) -> SummaryQuality:
        """Like :meth:`measure`, but kept in the file ``note``, so that a resumed run still knows how it began.

        Args:
            weights: fingerprint of the model.
            note: the file. A measurement of other weights, documents or settings in it is replaced.
        """
        key = hash_json(
            weights=weights,
            data=data_fingerprint(self.dataset, ["input_ids", "labels"]),
            sources=self.sources,
            references=self.references,
            generation={k: v for k, v in self.generation.to_dict().items() if k != "transformers_version"},
            scorer=scorer.signature,
        )
        file = KeyedFile(note, key)
        known = file.read()
        if known is not None:
            return SummaryQuality.from_dict(known)
        if self.longest_source is not None:
            inform(
                f"Card: QUALS compares with sources as the model reads them, {self.longest_source:,} tokens at most. "
                "Name whole texts by source_column."
            )
        quality = self.measure(model, scorer)
        file.write(quality.to_dict())
        return quality


def decoding_config(model: Any, args: Any) -> GenerationConfig:
    """How evaluation decodes, without chance: the model's generation config with the arguments' length and beams."""
    config = copy.deepcopy(model.generation_config)
    if getattr(args, "generation_max_length", None) is not None:
        config.max_length, config.max_new_tokens = args.generation_max_length, None
    if getattr(args, "generation_num_beams", None) is not None:
        config.num_beams = args.generation_num_beams
    config.do_sample = False  # both measurements must be repeatable
    return config


def card_quality(
    evaluation: Any,
    options: ContrastiveOptions,
    tokenizer: PreTrainedTokenizerBase | None,
    generation: GenerationConfig,
    source_prefix: str = "",
) -> CardQuality | None:
    """What to measure on the first ``card_documents`` documents of the evaluation set, or of the first of several.

    Texts are read from the named columns if the evaluation set has them, and decoded from tokens otherwise.

    Returns:
        None if there is nothing to measure: ``card_documents`` is 0, there is no tokenizer, or the set has no rows,
        ``input_ids`` or ``labels``.
    """
    dataset = next(iter(evaluation.values()), None) if isinstance(evaluation, dict) else evaluation
    if not options.card_documents or tokenizer is None or not isinstance(dataset, datasets.Dataset) or not len(dataset):
        return None
    first = as_dataset(dataset.select(range(min(len(dataset), options.card_documents))))
    columns = first.column_names
    if not {"input_ids", "labels"} <= set(columns):
        return None
    source, reference = (
        name if name in columns else None for name in (options.source_column, options.reference_column)
    )
    sources = source_texts(first, tokenizer, source_prefix, source)
    references = reference_texts(first, tokenizer, reference) or []
    cut = None if source else max(map(len, first["input_ids"]))
    return CardQuality(first, sources, references, tokenizer, generation, options.sampling_batch_tokens, cut)
