"""Mining: sample summaries from a summarizer, score them with a ranker, select what to learn from (CONSEQ).

Each step is a function over a data set and usable alone; :func:`mine` is all three.
"""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import torch
from datasets import Dataset
from transformers import PreTrainedTokenizerBase

from trainer_ext.mining.check import check_summarizer
from trainer_ext.mining.columns import require_dataset
from trainer_ext.mining.generation import generate_summaries, special_tokens
from trainer_ext.mining.rankers import Ranker, resolve_ranker
from trainer_ext.mining.sampling import SamplingSettings, sample_candidates
from trainer_ext.mining.scoring import score_candidates
from trainer_ext.mining.selection import Selection, effective_rule, select_candidates
from trainer_ext.mining.store import ALONE, Workers
from trainer_ext.mining.summary import MiningSummary, summarize
from trainer_ext.mining.texts import reference_texts, source_texts
from trainer_ext.rouge import rouge_scorer

__all__ = [
    "MiningSummary",
    "Ranker",
    "SamplingSettings",
    "Selection",
    "Workers",
    "check_summarizer",
    "generate_summaries",
    "mine",
    "random_documents",
    "require_rankable",
    "resolve_ranker",
    "sample_candidates",
    "score_candidates",
    "select_candidates",
]

PAPER = SamplingSettings()
DEFAULT = Selection()


def mine(
    model: torch.nn.Module,
    dataset: Dataset,
    *,
    tokenizer: PreTrainedTokenizerBase,
    ranker: Any = "quals",
    sampling: SamplingSettings = PAPER,
    selection: Selection = DEFAULT,
    source_prefix: str = "",
    source_column: str | None = None,
    reference_column: str | None = None,
    folder: Path | None = None,
    workers: Workers = ALONE,
    max_documents: int | None = None,
    progress: bool | None = None,
) -> tuple[Dataset, MiningSummary]:
    """Sample, score and select candidates for contrastive training.

    Args:
        model: a fine-tuned encoder-decoder summarizer.
        dataset: has ``input_ids``, perhaps ``attention_mask`` and ``labels``; other columns are kept.
        tokenizer: the model's.
        ranker: see :func:`resolve_ranker`.
        sampling, selection: settings of the steps.
        source_prefix: what was put before each source, and is no part of it.
        source_column, reference_column: of raw texts for the ranker, in the stead of decoded tokens.
        folder: keeps finished work, so that a run killed at any moment goes on, and one with other weights, data or
            settings starts anew.
        workers: the processes that share the work, and then ``folder``.
        max_documents: mine a random subset of so many, drawn by the sampling seed.
        progress: show bars; None shows them on a terminal.

    Returns:
        The selected documents with ``candidate_labels``, ``candidate_scores`` and ``reference_score``, and a summary.

    Raises:
        ValueError: the model is no summarizer, or something about the data, the ranker or the settings is wrong; what
            can be found out before sampling is.
        OSError: work could not be written, or not be read from another worker.
    """
    require_dataset(dataset)
    resolved = resolve_ranker(ranker)
    signature = require_rankable(dataset, tokenizer, resolved, source_prefix, source_column, reference_column)
    dataset = random_documents(dataset, max_documents, sampling.seed)
    sampled = sample_candidates(model, dataset, sampling, folder=folder, workers=workers, progress=progress)
    rouge_l = check_summarizer(sampled, tokenizer, special_tokens(model), reference_column)
    scored = score_candidates(
        sampled,
        resolved,
        tokenizer,
        source_prefix=source_prefix,
        source_column=source_column,
        reference_column=reference_column,
        folder=folder,
        workers=workers,
        progress=progress,
    )
    rule = effective_rule(scored, selection, resolved.needs_reference)
    selected = select_candidates(scored, selection, needs_reference=resolved.needs_reference)
    summary = summarize(scored, selected, ranker=resolved.name, signature=signature, rule=rule, rouge_l=rouge_l)
    return selected, summary


def require_rankable(
    dataset: Dataset,
    tokenizer: PreTrainedTokenizerBase,
    ranker: Ranker,
    source_prefix: str = "",
    source_column: str | None = None,
    reference_column: str | None = None,
) -> str:
    """The ranker's signature, for texts of which two rows are tried.

    Args:
        others: as for :func:`mine`.

    Raises:
        ValueError: a column is missing or holds something else, the ranker has no signature or needs references that
            are not there, or the package rouge-score is not installed.
    """
    few = dataset.select(range(min(2, len(dataset))))
    source_texts(few, tokenizer, source_prefix, source_column)
    if reference_texts(few, tokenizer, reference_column) is None:
        ranker.require_no_reference()
    else:
        rouge_scorer("rougeL", stem=False)
    return ranker.signature


def random_documents(dataset: Dataset, count: int | None, seed: int) -> Dataset:
    """``count`` documents drawn at random, in the data set's order; all where None, or where there are not more.

    Raises:
        ValueError: ``count`` is below 1.
    """
    if count is None:
        return dataset
    if count < 1:
        raise ValueError(f"max_documents is {count}: give 1 or more, or None for all.")
    places = range(len(dataset))
    return dataset.select(sorted(random.Random(seed).sample(places, count))) if count < len(dataset) else dataset
