"""Mining: sample summaries from a summarizer, score them with a ranker, select what to learn from (CONSEQ).

Each step is a function over a data set and usable alone; :func:`mine` does all three, or some of them.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from datasets import Dataset
from quals.errors import OptionError
from transformers import PreTrainedTokenizerBase

from trainer_ext.mining.columns import CANDIDATES, LABELS, require_dataset, with_columns
from trainer_ext.mining.generation import generate_summaries, special_tokens
from trainer_ext.mining.ranker import Ranker
from trainer_ext.mining.rankers import resolve_ranker
from trainer_ext.mining.sampling import PAPER, SamplingSettings, sample_candidates
from trainer_ext.mining.scoring import score_candidates
from trainer_ext.mining.selection import DEFAULT, Selection, effective_rule, select_candidates
from trainer_ext.mining.store import ALONE, Workers, WorkFolder
from trainer_ext.mining.summarizer import check_summarizer
from trainer_ext.mining.summary import MiningSummary, summarize
from trainer_ext.mining.texts import candidate_texts, reference_texts, source_texts
from trainer_ext.rouge import rouge_scorer

__all__ = [
    "STEPS",
    "MiningSummary",
    "Ranker",
    "SamplingSettings",
    "Selection",
    "WorkFolder",
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

STEPS = ("sample", "score", "select")


def mine(
    model: torch.nn.Module | None,
    dataset: Dataset,
    *,
    tokenizer: PreTrainedTokenizerBase | None = None,
    ranker: Any = "quals",
    sampling: SamplingSettings = PAPER,
    selection: Selection = DEFAULT,
    steps: Sequence[str] = STEPS,
    source_prefix: str = "",
    source_column: str | None = None,
    reference_column: str | None = None,
    candidate_column: str | None = None,
    folder: Path | WorkFolder | None = None,
    workers: Workers = ALONE,
    max_documents: int | None = None,
    progress: bool | None = None,
) -> tuple[Dataset, MiningSummary]:
    """Sample, score and select candidates for contrastive training.

    Args:
        model: a fine-tuned encoder-decoder summarizer; None where ``steps`` leaves ``sample`` out.
        dataset: has ``input_ids``, perhaps ``attention_mask`` and ``labels``; other columns are kept. It has the
            candidates or scores that earlier steps add, where ``steps`` leaves these out.
        tokenizer: the model's; not needed where all texts have columns.
        ranker: ``"quals"``, ``"rouge"`` and what else :func:`resolve_ranker` takes.
        sampling, selection: settings of the steps.
        steps: which of ``"sample"``, ``"score"`` and ``"select"`` to do, neighbours in this order.
        source_prefix: text before each source that the ranker must not see.
        source_column, reference_column: columns of texts for the ranker, read instead of tokens.
        candidate_column: column of the candidates' texts, which ``sample`` adds and ``score`` reads instead of tokens.
        folder: keeps finished work, so that a run killed at any moment goes on. Work with other weights, data or
            settings is never used.
        workers: the processes that share the work, and then ``folder``.
        max_documents: size of a random subset to mine, drawn by the sampling seed; None mines all documents.
        progress: show bars; None shows them on a terminal.

    Returns:
        The documents with what the steps add (all three: the selected documents with ``candidate_labels``,
        ``candidate_scores`` and ``reference_score``), and a summary.

    Raises:
        ValueError: the model is not a summarizer, or something about the data, the ranker or the settings is wrong;
            what can be found out before sampling is.
        OSError: work could not be written, or another worker's cannot be read.
    """
    steps = checked_steps(steps)
    require_dataset(dataset)
    if "sample" in steps and model is None:
        raise OptionError("There is no model to sample from: give one, or leave sample out of steps.")
    ranker, signature, rouge_l, rule, selected = resolve_ranker(ranker), "", None, "", None
    texts: dict[str, Any] = {"source_column": source_column, "reference_column": reference_column}
    if "score" in steps:
        signature = require_rankable(dataset, tokenizer, ranker, source_prefix, **texts)
    if "sample" in steps and (reference_column is not None or LABELS in dataset.column_names):
        rouge_scorer("rougeL", stem=False)  # check_summarizer needs it, after the first samples
    dataset = random_documents(dataset, max_documents, sampling.seed)
    work: dict[str, Any] = {"folder": folder, "workers": workers, "progress": progress}
    if "sample" in steps and model is not None:
        options: dict[str, Any] = {"special_tokens": special_tokens(model), "reference_column": reference_column}

        def check(first: Dataset) -> None:
            check_summarizer(first, tokenizer, beyond_chance=True, **options)

        dataset = sample_candidates(model, dataset, sampling, check=check, **work)
        rouge_l = check_summarizer(dataset, tokenizer, **options)
        if candidate_column is not None:
            dataset = with_columns(dataset, {candidate_column: candidate_texts(dataset, tokenizer)})
    if "score" in steps:
        texts["candidate_column"] = candidate_column
        dataset = score_candidates(dataset, ranker, tokenizer, source_prefix=source_prefix, **texts, **work)
    if "select" in steps:
        rule = effective_rule(dataset, selection, ranker.needs_reference)
        selected = select_candidates(
            dataset,
            selection,
            needs_reference=ranker.needs_reference,
            reference_column=reference_column,
            candidate_column=candidate_column or CANDIDATES,
            tokenizer=tokenizer,
        )
    name = ranker.name if "score" in steps else ""
    summary = summarize(dataset, selected, ranker=name, signature=signature, rule=rule, rouge_l=rouge_l)
    return dataset if selected is None else selected, summary


def checked_steps(steps: Sequence[str]) -> tuple[str, ...]:
    """The steps in the order in which they are done.

    Raises:
        OptionError: there is no such step, none is given, or one in between is left out.
    """
    ordered = tuple(name for name in STEPS if name in steps)
    if not ordered or not set(steps) <= set(STEPS):
        raise OptionError(f"steps is {','.join(steps)!r}: give some of {','.join(STEPS)}.")
    if ordered == ("sample", "select"):
        raise OptionError("steps leaves out score, without which nothing can be selected: add it.")
    return ordered


def require_rankable(
    dataset: Dataset,
    tokenizer: PreTrainedTokenizerBase | None,
    ranker: Ranker,
    source_prefix: str = "",
    source_column: str | None = None,
    reference_column: str | None = None,
) -> str:
    """The ranker's signature, once the texts of two rows were tried.

    Args:
        dataset: what is to be ranked.
        tokenizer, source_prefix, source_column, reference_column: as for :func:`mine`.
        ranker: a resolved ranker, see :func:`resolve_ranker`.

    Raises:
        ValueError: a column is missing or does not hold texts, the ranker has no signature or needs references that
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
    """``count`` documents drawn at random, in the data set's order; all of them if None, or if there are not more.

    Raises:
        OptionError: ``count`` is below 1.
    """
    if count is None:
        return dataset
    if count < 1:
        raise OptionError(f"max_documents is {count}: give 1 or more, or None for all.")
    places = range(len(dataset))
    return dataset.select(sorted(random.Random(seed).sample(places, count))) if count < len(dataset) else dataset
