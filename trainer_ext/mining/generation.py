"""Summaries from a model, as lists of token ids that look like labels. Sampling and evaluation share this."""

from __future__ import annotations

import copy
import inspect
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from datasets import Dataset
from quals.batching import encode_texts, token_budget_batches
from quals.errors import DataError
from quals.matmul import fast_products
from transformers import GenerationConfig

from trainer_ext.io.progress import Progress, without_noise
from trainer_ext.mining.columns import LABELS, batches, require_dataset
from trainer_ext.model_state import attend_as_configured
from trainer_ext.one_pass import base_model, decoder_inputs

_TOKENS = ("pad_token_id", "bos_token_id", "eos_token_id", "decoder_start_token_id")
# Settings of a generation config that say how long a summary is and which tokens it must or must not have.
_KEPT = (
    "max_length",
    "max_new_tokens",
    "min_length",
    "min_new_tokens",
    "forced_bos_token_id",
    "forced_eos_token_id",
    "suppress_tokens",
    "begin_suppress_tokens",
    "bad_words_ids",
    "exponential_decay_length_penalty",
)


def kept_generation_settings(model: torch.nn.Module) -> dict[str, Any]:
    """Lengths, special and forced tokens of the model's generation config; nothing about search.

    A special token that it lacks is taken from the model's config.
    """
    source: Any = getattr(model, "generation_config", None)
    kept = {name: getattr(source, name, None) for name in (*_TOKENS, *_KEPT)}
    for name in _TOKENS:
        if kept[name] is None:
            kept[name] = getattr(model.config, name, None)
    return {name: value for name, value in kept.items() if value is not None}


def is_decoder_only(model: Any) -> bool:
    """Whether the model generates by going on with a prompt, as Llama and GPT do."""
    return not getattr(model.config, "is_encoder_decoder", False)


def special_tokens(model: torch.nn.Module) -> set[int]:
    """Ids that do not stand for text: padding, begin and end, the decoder's start."""
    kept = kept_generation_settings(model)
    named = [kept[name] for name in _TOKENS if name in kept]
    return {token for ids in named for token in (ids if isinstance(ids, list) else [ids])}


def source_columns(dataset: Dataset, model: torch.nn.Module | None = None) -> list[str]:
    """The columns that the model reads: ``input_ids``, ``attention_mask``, and what else its encoder takes.

    Args:
        dataset: tokenized documents.
        model: an encoder-decoder, whose ``forward`` may name further inputs, such as LED's ``global_attention_mask``;
            None takes the first two only.

    Raises:
        DataError: the model reads a column that does not hold one whole number per token.
    """
    columns = ["input_ids", *["attention_mask"] * ("attention_mask" in dataset.column_names)]
    if model is None:
        return columns
    known = inspect.signature(base_model(model).forward).parameters
    for name in dataset.column_names:
        if name in known and name not in columns and name != LABELS and not name.startswith("decoder_"):
            if not _is_per_token(dataset, name):
                raise DataError(
                    f"The model reads the column {name!r}, which does not hold one whole number per token, so that "
                    "samples would be made without it: remove or rename the column."
                )
            columns.append(name)
    return columns


def _is_per_token(dataset: Dataset, name: str) -> bool:
    row = dataset.select_columns(["input_ids", name]).with_format(None)[0] if len(dataset) else {}
    value = row.get(name, [])
    return (
        isinstance(value, list)
        and len(value) == len(row.get("input_ids", []))
        and all(type(item) is int for item in value)
    )


def source_lengths(dataset: Dataset) -> list[int]:
    """Tokens of each source, without what the ``attention_mask``, where there is one, calls padding.

    Raises:
        ValueError: there are no rows or no ``input_ids``, or a row has no token; the message names the row, from 0.
    """
    require_dataset(dataset)
    lengths = [len(ids) for batch in batches(dataset, source_columns(dataset)) for ids in _real(batch)["input_ids"]]
    if not lengths:
        raise DataError("The data set has no rows: there is nothing to summarize.")
    if 0 in lengths:
        row = lengths.index(0)
        raise DataError(f"Row {row} has no source tokens (its input_ids are empty or all padding): drop the row.")
    return lengths


def sources_at(dataset: Dataset, places: Sequence[int], columns: Sequence[str]) -> dict[str, list[list[int]]]:
    """What the model reads of the sources at some places, by column, without padding and without the mask."""
    return _real(dataset.select_columns(list(columns)).with_format(None)[list(places)])


def _real(batch: dict[str, list[Any]]) -> dict[str, list[list[int]]]:
    masks = batch.get("attention_mask")
    others = {name: rows for name, rows in batch.items() if name != "attention_mask"}
    if masks is None:
        return {name: [list(row) for row in rows] for name, rows in others.items()}
    return {
        name: [
            [value for value, real in zip(row, mask, strict=True) if real]
            for row, mask in zip(rows, masks, strict=True)
        ]
        for name, rows in others.items()
    }


def length_chunks(lengths: Sequence[int], rows: int, budget: int) -> list[list[int]]:
    """Places of texts in chunks of similar length, longest first. Their order is part of what is repeatable.

    Args:
        lengths: tokens of each text.
        rows: decoder rows per text.
        budget: most ``texts * longest * rows`` in a chunk; a text that is larger is a chunk of its own.

    Example:
        >>> length_chunks([3, 9, 4, 4], rows=2, budget=20)
        [[1], [2, 3], [0]]
    """
    return list(token_budget_batches(lengths, budget, rows=[rows] * len(lengths), widths=lengths))


def generate_labels(
    model: torch.nn.Module, sources: Mapping[str, Sequence[Sequence[int]]], config: GenerationConfig
) -> list[list[list[int]]]:
    """Summaries of each source by one ``generate`` call, ``num_return_sequences`` per source, as label lists.

    Drops the decoder's start token, cuts after the first end token and removes padding. BART's rows are ``<s> ...
    </s>`` then, as its tokenizer makes labels. mBART's decoder starts with the last token of its labels, the language,
    which is put there: ``... </s> en_XX``.

    Args:
        model: an encoder-decoder, or a decoder-only model, whose sources are prompts.
        sources: ``input_ids`` and what else the model reads per token, without padding, see :func:`sources_at`.
        config: how to decode.
    """
    attend_as_configured(model)
    ends = config.eos_token_id if isinstance(config.eos_token_id, list) else [config.eos_token_id]
    pad = pad_token(config.to_dict())
    device = next(model.parameters()).device
    ids, mask = encode_texts(sources["input_ids"], pad, device)  # (B, S)
    others = {name: encode_texts(rows, 0, device)[0] for name, rows in sources.items() if name != "input_ids"}
    generate: Any = model.generate
    prompted = is_decoder_only(model)
    if prompted:  # goes on where the prompt ends, so that the padding comes first
        lengths = mask.sum(1).tolist()
        ids, mask, *rest = (
            torch.stack([row.roll(-length) for row, length in zip(rows, lengths, strict=True)])
            for rows in (ids, mask, *others.values())
        )
        others = dict(zip(others, rest, strict=True))
    with torch.no_grad(), fast_products(model):
        rows = generate(input_ids=ids, attention_mask=mask, **others, generation_config=config).tolist()  # (B * K, T)
    if prompted:
        rows = [row[ids.shape[1] - 1 :] for row in rows]  # the prompt's last token is the start
    labels = [_labels(row, set(ends), pad) for row in rows]
    if not prompted and _starts_with_the_last(model):
        labels = [ids + row[:1] * (ids[-1:] != row[:1]) for ids, row in zip(labels, rows, strict=True)]
    count = config.num_return_sequences or 1
    return [labels[first : first + count] for first in range(0, len(labels), count)]


def pad_token(settings: Mapping[str, Any]) -> int:
    """The padding that generation settings name; where they name none, the end."""
    end, pad = settings.get("eos_token_id"), settings.get("pad_token_id")
    first = end[0] if isinstance(end, list) else end
    return int(first or 0 if pad is None else pad)


def generate_summaries(
    model: torch.nn.Module,
    dataset: Dataset,
    generation_config: GenerationConfig,
    batch_tokens: int = 8192,
    progress: bool | None = None,
) -> list[list[int]]:
    """The model's own summary of every source, decoded without sampling.

    Args:
        model: an encoder-decoder; in evaluation mode meanwhile.
        dataset: has ``input_ids``, perhaps ``attention_mask`` and what else the model reads.
        generation_config: beams, lengths and so on; what it leaves open is taken from the model's generation config.
        batch_tokens: most source tokens in a batch, padding and beams counted.
        progress: show a bar; None shows one on a terminal.

    Returns:
        Label lists (see :func:`generate_labels`), in the data set's order.

    Raises:
        ValueError: the config samples, or the data set has nothing to summarize.
    """
    if generation_config.do_sample:
        raise ValueError("generate_summaries does not sample: set do_sample=False, or use sample_candidates.")
    config = copy.deepcopy(generation_config)
    config.update(do_sample=False, num_return_sequences=1, return_dict_in_generate=False)
    kept = kept_generation_settings(model)
    config.update(**{name: kept[name] for name in _TOKENS if getattr(config, name) is None and name in kept})
    beams = config.num_beams or getattr(getattr(model, "generation_config", None), "num_beams", None) or 1
    lengths, columns = source_lengths(dataset), source_columns(dataset, model)
    chunks = length_chunks(lengths, beams, batch_tokens)
    labels: list[list[int]] = [[] for _ in lengths]
    bar = Progress("Summaries", "document", len(lengths), calls=len(chunks), bar=progress)
    with evaluating(model), without_noise(), bar:
        for chunk in chunks:
            summaries = generate_labels(model, sources_at(dataset, chunk, columns), config)
            for place, (ids,) in zip(chunk, summaries, strict=True):
                labels[place] = ids
            bar.add(len(chunk))
    return labels


@contextmanager
def evaluating(model: torch.nn.Module) -> Iterator[None]:
    """Evaluation mode in the block; afterwards every module is in the mode that it was in."""
    training = [module for module in model.modules() if module.training]
    model.eval()
    try:
        yield
    finally:
        for module in training:
            module.training = True


@contextmanager
def generating_with(model: torch.nn.Module, config: GenerationConfig) -> Iterator[None]:
    """``config`` instead of the model's own generation config in the block.

    ``generate`` would fill what a given config leaves open from the model's own, penalties and beams included.
    """
    owners: list[tuple[Any, Any]] = [
        (module, vars(module)["generation_config"])
        for module in model.modules()
        if "generation_config" in vars(module)  # PEFT's wrappers only pass it on
    ]
    try:
        for module, _ in owners:
            module.generation_config = config
        yield
    finally:
        for module, own in owners:
            module.generation_config = own


def _labels(row: list[int], ends: set[int | None], pad: int) -> list[int]:
    ids = row[1:]  # the decoder's start, which for BART is </s> and for T5 the padding
    end = next((place for place, token in enumerate(ids) if token in ends), len(ids))
    return [token for token in ids[:end] if token != pad] + ids[end : end + 1]


def _starts_with_the_last(model: torch.nn.Module) -> bool:
    """Whether the model takes the last label, whatever that is, as the decoder's first input."""
    labels = torch.tensor([[[5, 6], [6, 5]]])  # (1, 2, 2)
    try:
        inputs = decoder_inputs(model, labels)  # (2, 2)
    except (ValueError, TypeError):  # its config does not name a start; its generation config may
        return False
    return inputs[:, 0].tolist() == [6, 5]
