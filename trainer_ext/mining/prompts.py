"""Prompts for decoder-only models, and mined rows as preference pairs with these prompts."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import datasets
from datasets import Dataset
from quals.errors import DataError, OptionError
from quals.loading import longest_input
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from trainer_ext.mining.columns import CANDIDATES, LABELS, values
from trainer_ext.mining.generation import kept_generation_settings
from trainer_ext.mining.selection import Selection

INSTRUCTION = "Summarize this text in one or two sentences. State only what it states.\n\n"
PROMPT = "prompt"  # the text that the model was asked with, before any chat template
_END = "\n\nSummary:\n"  # where there is no chat template
_PLACE = "\ue000"  # a letter of nobody's, where the source goes


def with_prompts(
    dataset: Dataset,
    model: PreTrainedModel,
    tokenizer: PreTrainedTokenizerBase,
    source: str,
    reference: str | None,
    instruction: str = "",
    max_source_length: int | None = None,
    max_length: int | None = None,
) -> Dataset:
    """With ``input_ids``, ``prompt`` and, if there are references, ``labels``. What looks like a special token is text.

    The chat template, where the tokenizer has one, is asked for an answer without thinking. A source that is too long
    is cut so that the prompt and a summary fit; ``prompt`` has it as far as it was read.

    Args:
        dataset: has the columns of texts.
        model, tokenizer: what will read the prompts.
        source, reference: names of these columns.
        instruction: text before each source; "" takes :data:`INSTRUCTION`.
        max_source_length: most tokens of a source; None is what the model reads beside instruction and summary.
        max_length: most tokens of a summary; None takes the model's ``max_new_tokens`` or the longest reference.

    Raises:
        OptionError: nothing of a source would fit.
    """
    instruction = instruction or INSTRUCTION
    columns: dict[str, list[Any]] = {}
    end = [] if tokenizer.eos_token_id is None else [tokenizer.eos_token_id]
    plain: dict[str, Any] = {"add_special_tokens": False, "split_special_tokens": True, "verbose": False}
    if reference is not None:
        columns[LABELS] = [ids + end for ids in tokenizer(values(dataset, reference), **plain)["input_ids"]]
    longest = max(map(len, columns.get(LABELS, [])), default=0)
    room = max_length or kept_generation_settings(model).get("max_new_tokens") or longest
    before, after = _around(tokenizer, instruction)
    limit = longest_input(model, tokenizer) - room - len(before) - len(after)
    length = min(limit, limit if max_source_length is None else max_source_length)
    if length < 1:
        raise OptionError(
            f"The model reads {longest_input(model, tokenizer)} tokens, of which {len(before) + len(after)} are the "
            f"instruction and {room} the summary, so that no source fits: lower max_length or shorten the instruction."
        )
    texts = values(dataset, source)
    encoded = tokenizer(texts, return_offsets_mapping=tokenizer.is_fast, **plain)
    columns["input_ids"] = [before + ids[:length] + after for ids in encoded["input_ids"]]
    columns[PROMPT] = []
    tail = "" if tokenizer.chat_template else _END
    for row, (text, ids) in enumerate(zip(texts, encoded["input_ids"], strict=True)):
        if len(ids) > length:
            cut = encoded["offset_mapping"][row][length - 1][1] if tokenizer.is_fast else None
            text = text[:cut] if cut is not None else str(tokenizer.decode(ids[:length]))
        columns[PROMPT].append(instruction + text + tail)
    return datasets.concatenate_datasets([dataset, Dataset.from_dict(columns)], axis=1)


def pair_selection(selection: Selection, references: bool) -> Selection:
    """The selection for pairs: ``auto`` is ``per_document``, whose best summary of a document is the chosen one.

    Raises:
        OptionError: the rule does not choose what leads what.
    """
    rule = "per_document" if selection.rule == "auto" else selection.rule
    if rule == "all" or (rule != "per_document" and not references):
        raise OptionError(
            f"The rule {rule} gives no pairs {'' if references else 'without references '}of a chosen and a rejected "
            "summary: take per_document, or go without the step select."
        )
    return replace(selection, rule=rule)


def preference_pairs(mined: Dataset, reference: str, chat: bool) -> Dataset:
    """Pairs in TRL's form: ``prompt``, ``chosen`` and ``rejected``, as texts or, for a chat, as messages.

    Args:
        mined: the selected rows, with prompts and ``candidates``; each of these is the rejected one of a pair.
        reference: column of the chosen summaries.
        chat: whether to write messages.
    """
    pairs: dict[str, list[Any]] = {"prompt": [], "chosen": [], "rejected": []}

    def said(role: str, text: str) -> Any:
        return [{"role": role, "content": text}] if chat else text

    rows = zip(values(mined, PROMPT), values(mined, reference), values(mined, CANDIDATES), strict=True)
    for prompt, chosen, candidates in rows:
        for rejected in candidates:
            pairs["prompt"].append(said("user", prompt))
            pairs["chosen"].append(said("assistant", chosen.strip()))
            pairs["rejected"].append(said("assistant", rejected.strip()))
    return Dataset.from_dict(pairs)


def _around(tokenizer: PreTrainedTokenizerBase, instruction: str) -> tuple[list[int], list[int]]:
    """Tokens before and after a source."""
    if tokenizer.chat_template:
        messages = [{"role": "user", "content": instruction + _PLACE}]
        text: Any = tokenizer.apply_chat_template(
            messages, tokenize=False, add_generation_prompt=True, enable_thinking=False
        )
        before, found, after = text.rpartition(_PLACE)
        if not found:
            raise DataError("The tokenizer's chat template does not show what the user says: mend the template.")
    else:
        before, after = (tokenizer.bos_token or "") + instruction, _END
    first, last = (
        tokenizer(part, add_special_tokens=False, split_special_tokens=False)["input_ids"] for part in (before, after)
    )
    return list(first), list(last)
