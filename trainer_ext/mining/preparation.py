"""What is known before the work: which documents there are, and whether model, data, ranker and rule go together."""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import Any

import torch
from datasets import Dataset
from quals.errors import DataError, OptionError
from transformers import PreTrainedTokenizerBase

from trainer_ext.mining.columns import LABELS, batches
from trainer_ext.mining.generation import source_lengths
from trainer_ext.mining.ranker import Ranker
from trainer_ext.mining.rankers import FunctionRanker
from trainer_ext.mining.sampling import SamplingSettings, sampling_config
from trainer_ext.mining.selection import Selection
from trainer_ext.mining.texts import find_prefix, folded, reference_texts, source_texts
from trainer_ext.options import STEPS
from trainer_ext.rouge import rouge_scorer

_TEXTS = 1000  # that tell a prefix


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


def full_documents(
    dataset: Dataset,
    count: int | None,
    seed: int,
    tokenizer: PreTrainedTokenizerBase | None,
    reference_column: str | None,
    source_column: str | None,
) -> tuple[Dataset, list[int]]:
    """The documents to mine; and the rows, from 0, of those that are left out because they are empty.

    Raises:
        DataError: none is left.
    """
    places = random_places(len(dataset), count, seed)
    some = dataset if len(places) == len(dataset) else dataset.select(places)
    texts = []
    if source_column is not None:
        texts.append(source_texts(some, tokenizer, column=source_column))
    if "input_ids" in some.column_names and tokenizer is not None:
        texts.append(source_texts(some, tokenizer))
    if reference_column is not None or (tokenizer is not None and LABELS in some.column_names):
        texts.append(reference_texts(some, tokenizer, reference_column) or [])
    full = [at for at in range(len(some)) if all(folded(column[at]) for column in texts)]
    if texts and len(some) and not full:
        raise DataError(
            f"None of {len(some)} documents has words in its source and its reference: there is nothing to mine."
        )
    kept = set(full)
    empty = [place for at, place in enumerate(places) if at not in kept]
    return (some.select(full) if empty else some), empty


def random_documents(dataset: Dataset, count: int | None, seed: int) -> Dataset:
    """``count`` documents drawn at random, in the data set's order; all of them if None, or if there are not more.

    Raises:
        OptionError: ``count`` is below 1.
    """
    places = random_places(len(dataset), count, seed)
    return dataset if len(places) == len(dataset) else dataset.select(places)


def random_places(length: int, count: int | None, seed: int) -> Sequence[int]:
    """``count`` of ``range(length)`` drawn at random, ascending; all of them if None, or if there are not more.

    Raises:
        OptionError: ``count`` is below 1.
    """
    if count is not None and count < 1:
        raise OptionError(f"max_documents is {count}: give 1 or more, or None for all.")
    places = range(length)
    return places if count is None or count >= length else sorted(random.Random(seed).sample(places, count))


def source_prefix_of(dataset: Any, tokenizer: PreTrainedTokenizerBase | None, model: Any = None) -> str:
    """The prefix before each source, such as ``"summarize: "``; "" where there is none.

    Args:
        dataset: has ``input_ids``. About a thousand rows, spread evenly, are read; other than a
            :class:`datasets.Dataset`, none.
        tokenizer: decodes them.
        model: its config's prefix for summarization (old T5 models have one) is taken where the data show none.
    """
    prefix = ""
    if tokenizer is not None and isinstance(dataset, Dataset) and "input_ids" in dataset.column_names:
        some = dataset.select(range(0, len(dataset), max(1, len(dataset) // _TEXTS)))
        prefix = find_prefix(source_texts(some, tokenizer))
    if prefix or model is None:
        return prefix
    tasks = getattr(model.config, "task_specific_params", None) or {}
    return str(tasks.get("summarization", {}).get("prefix", ""))


def require_rankable(
    dataset: Dataset,
    tokenizer: PreTrainedTokenizerBase | None,
    ranker: Ranker,
    source_prefix: str = "",
    source_column: str | None = None,
    reference_column: str | None = None,
) -> str:
    """The ranker's signature, once the texts of two rows were read, and ranked where the ranker is a function.

    Args:
        dataset: what is to be ranked.
        tokenizer, source_prefix, source_column, reference_column: as for :func:`mine`.
        ranker: a resolved ranker, see :func:`resolve_ranker`.

    Raises:
        ValueError: a column is missing or does not hold texts, the ranker has no signature, fails, or needs references
            that are not there, or the package rouge-score is not installed.
    """
    few = dataset.select(range(min(2, len(dataset))))
    sources = source_texts(few, tokenizer, source_prefix, source_column)
    references = reference_texts(few, tokenizer, reference_column)
    if references is None:
        ranker.require_no_reference()
    else:
        rouge_scorer("rougeL", stem=False)
    signature = ranker.signature
    if isinstance(ranker, FunctionRanker):  # the others are known to work
        ranker(sources, sources if references is None else references, references)
    return signature


def require_samplable(
    model: torch.nn.Module | None,
    dataset: Dataset,
    sampling: SamplingSettings,
    selection: Selection | None,
    ranker: Ranker,
    reference_column: str | None = None,
) -> None:
    """Find out before the work whether the model can read the data, and whether a selection can be made of its samples.

    Args:
        model, dataset, sampling, ranker, reference_column: as for :func:`mine`.
        selection: None where nothing is selected.

    Raises:
        ValueError: they cannot; the message says why.
    """
    if model is None:
        raise OptionError("There is no model to sample from: give one, or leave sample out of steps.")
    sampling_config(model, sampling, dataset)
    require_readable(model, dataset)
    references = reference_column is not None or LABELS in dataset.column_names
    if references:
        rouge_scorer("rougeL", stem=False)  # check_summarizer needs it, after the first samples
    if selection is None:
        return
    if selection.rule == "two_sided" and not references:
        raise OptionError(
            "The rule two_sided selects by the references' scores, and there are no references: choose one_sided, or "
            "add labels."
        )
    summaries = sampling.num_candidates + (references and selection.references)
    if selection.rule == "per_document" and summaries < 2 * selection.num_extremes:
        raise OptionError(
            f"The rule per_document takes {selection.num_extremes} best and as many worst of {summaries} summaries per "
            "document: sample more candidates (num_candidates), or lower num_extremes."
        )


def require_readable(model: Any, dataset: Dataset) -> None:
    """Find out before the work whether the model has all tokens and positions of the sources.

    Raises:
        DataError: a row is longer than the model reads, has a token that it lacks, or no token; the message names the
            row, from 0.
    """
    lengths = source_lengths(dataset)
    vocabulary = model.get_input_embeddings().weight.shape[0]
    names = ("max_position_embeddings", "max_encoder_position_embeddings")
    limit = next((value for name in names if (value := getattr(model.config, name, None))), None)
    if limit is not None and max(lengths) > limit:
        row = next(row for row, length in enumerate(lengths) if length > limit)
        raise DataError(
            f"Row {row} has {lengths[row]} source tokens, and the model reads {limit}: tokenize with truncation=True "
            f"and max_length={limit} (max_source_length)."
        )
    row = 0
    for batch in batches(dataset, ["input_ids"]):
        for ids in batch["input_ids"]:
            if max(ids, default=0) >= vocabulary:
                raise DataError(
                    f"Row {row} has the token {max(ids)}, and the model has {vocabulary}: tokenize with the model's "
                    "own tokenizer, or resize its embeddings."
                )
            row += 1
