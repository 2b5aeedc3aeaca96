"""Mining: sample summaries from a summarizer, score them with a ranker, select what to learn from (CONSEQ).

Each step is a function over a data set and usable alone; :func:`mine` does all three, or some of them.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from datasets import Dataset
from transformers import PreTrainedTokenizerBase

from trainer_ext.io.chunks import ALONE, Workers, WorkFolder
from trainer_ext.io.progress import inform
from trainer_ext.mining.columns import CANDIDATES, require_dataset, with_columns
from trainer_ext.mining.generation import generate_summaries, special_tokens
from trainer_ext.mining.preparation import (
    checked_steps,
    full_documents,
    random_documents,
    require_rankable,
    require_samplable,
    source_prefix_of,
)
from trainer_ext.mining.ranker import Ranker
from trainer_ext.mining.rankers import resolve_ranker
from trainer_ext.mining.sampling import PAPER, SamplingSettings, sample_candidates
from trainer_ext.mining.scoring import score_candidates
from trainer_ext.mining.selection import DEFAULT, Selection, effective_rule, select_candidates
from trainer_ext.mining.summarizer import check_summarizer
from trainer_ext.mining.summary import MiningSummary, summarize
from trainer_ext.mining.texts import candidate_texts
from trainer_ext.options import STEPS

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
    "source_prefix_of",
]


def mine(
    model: torch.nn.Module | None,
    dataset: Dataset,
    *,
    tokenizer: PreTrainedTokenizerBase | None = None,
    ranker: Any = "quals",
    sampling: SamplingSettings = PAPER,
    selection: Selection = DEFAULT,
    steps: Sequence[str] = STEPS,
    source_prefix: str | None = None,
    source_column: str | None = None,
    reference_column: str | None = None,
    candidate_column: str | None = None,
    folder: Path | WorkFolder | None = None,
    workers: Workers = ALONE,
    max_documents: int | None = None,
    progress: bool | None = None,
    fingerprint: str | None = None,
) -> tuple[Dataset, MiningSummary]:
    """Sample, score and select candidates for contrastive training.

    Documents without a letter or digit in their source, or in their reference where there are references, are left out.

    Args:
        model: a fine-tuned encoder-decoder summarizer; None where ``steps`` leaves ``sample`` out.
        dataset: has ``input_ids``, perhaps ``attention_mask``, what else the model reads, and ``labels``; other columns
            are kept. It has the candidates or scores that earlier steps add, where ``steps`` leaves these out.
        tokenizer: the model's; not needed where all texts have columns.
        ranker: ``"quals"``, ``"rouge"``, ``"word_pairs"`` and what else :func:`resolve_ranker` takes.
        sampling, selection: settings of the steps.
        steps: which of ``"sample"``, ``"score"`` and ``"select"`` to do, neighbours in this order.
        source_prefix: text before each source that the ranker must not see; None finds the common beginning of all
            sources, see :func:`trainer_ext.mining.texts.find_prefix`.
        source_column, reference_column: columns of texts for the ranker, read instead of tokens.
        candidate_column: column of the candidates' texts, which ``sample`` adds and ``score`` reads instead of tokens.
        folder: keeps finished work, so that a run killed at any moment goes on. Work with other weights, data or
            settings is never used.
        workers: the processes that share the work, and then ``folder``.
        max_documents: size of a random subset to mine, drawn by the sampling seed; None mines all documents.
        progress: show bars; None shows them on a terminal.
        fingerprint: the model's, where it is known; None computes it.

    Returns:
        The documents with what the steps add (all three: the selected documents with ``candidate_labels``,
        ``candidate_scores`` and ``reference_score``), and a summary.

    Raises:
        ValueError: the model is not a summarizer, or something about the data, the ranker or the settings is wrong;
            what can be found out before sampling is.
        OSError: work could not be written, another run works in the folder, or another worker's work cannot be read.
    """
    steps, ranker, work = checked_steps(steps), resolve_ranker(ranker), WorkFolder.at(folder)
    require_dataset(dataset)
    names: dict[str, Any] = {"source_column": source_column, "reference_column": reference_column}
    signature, rouge_l, rule, selected = "", None, "", None
    dataset, empty = full_documents(dataset, max_documents, sampling.seed, tokenizer, reference_column, source_column)
    if source_prefix is None:
        source_prefix = source_prefix_of(dataset, tokenizer) if source_column is None and "score" in steps else ""
    if "score" in steps:
        signature = require_rankable(dataset, tokenizer, ranker, source_prefix, **names)
    if "sample" in steps:
        require_samplable(model, dataset, sampling, selection if "select" in steps else None, ranker, reference_column)
    work.require_writable()
    main = workers.rank == 0
    if main:
        _announce(dataset, empty, steps, sampling, ranker, source_prefix, work)
    options: dict[str, Any] = {"folder": work, "workers": workers, "progress": progress}
    if "sample" in steps and model is not None:
        checks: dict[str, Any] = {"special_tokens": special_tokens(model), "reference_column": reference_column}

        def check(first: Dataset) -> None:
            check_summarizer(first, tokenizer, beyond_chance=True, **checks)

        dataset = sample_candidates(model, dataset, sampling, check=check, fingerprint=fingerprint, **options)
        rouge_l = check_summarizer(dataset, tokenizer, **checks)
        if candidate_column is not None:
            dataset = with_columns(dataset, {candidate_column: candidate_texts(dataset, tokenizer)})
    if "score" in steps:
        names["candidate_column"] = candidate_column
        dataset = score_candidates(dataset, ranker, tokenizer, source_prefix=source_prefix, **names, **options)
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
    summary = summarize(
        dataset, selected, ranker=name, signature=signature, rule=rule, rouge_l=rouge_l, empty=len(empty)
    )
    if main and selected is not None:
        inform(
            f"Mining: the rule {rule} selected {summary.selected:,} rows from {summary.documents:,} documents, with "
            f"{summary.negatives:,} candidates to train away from."
        )
    return dataset if selected is None else selected, summary


def _announce(
    dataset: Dataset,
    empty: Sequence[int],
    steps: Sequence[str],
    sampling: SamplingSettings,
    ranker: Ranker,
    source_prefix: str,
    work: WorkFolder,
) -> None:
    """Say in the log what is mined, and how."""
    parts = [f"Mining: {len(dataset):,} documents"]
    if "sample" in steps:
        parts.append(f"{sampling.num_candidates} samples each")
    if "score" in steps:
        parts.append(f"ranked by {ranker.name}")
    where = f" Finished work is kept in {work.path}." if work.path is not None else ""
    inform(", ".join(parts) + f".{where}")
    if empty:
        rows = ", ".join(map(str, empty[:10])) + (", ..." if len(empty) > 10 else "")
        inform(f"Mining: {len(empty):,} documents are left out, without words in source or reference (rows {rows}).")
    if source_prefix:
        inform(f"Mining: {source_prefix!r} before each source is a prefix, which the ranker does not see.")
