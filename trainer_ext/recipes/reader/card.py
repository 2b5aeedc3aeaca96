"""The model card of an extractive reader: what it was trained on, how, and what was measured."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from transformers import AutoConfig, TrainerState

from trainer_ext.recipes.qa_data import Passage
from trainer_ext.recipes.qagen.card import file_name

if TYPE_CHECKING:
    from trainer_ext.recipes.reader.train import ReaderQuality, ReaderRecipe


def write_card(
    folder: Path,
    recipe: ReaderRecipe,
    measured: Mapping[str, ReaderQuality],
    state: TrainerState,
    passages: Sequence[Passage],
) -> None:
    """Write ``README.md`` and ``quality.json`` into the reader's folder."""
    plain = {
        name: {key: None if isinstance(value, float) and math.isnan(value) else value for key, value in figures.items()}
        for name, figures in ((name, asdict(quality)) for name, quality in measured.items())
    }
    (folder / "quality.json").write_text(json.dumps(plain, indent=2) + "\n", encoding="utf-8")
    (folder / "README.md").write_text(_card(folder, recipe, measured, state, passages), encoding="utf-8")


def _card(
    folder: Path,
    recipe: ReaderRecipe,
    measured: Mapping[str, ReaderQuality],
    state: TrainerState,
    passages: Sequence[Passage],
) -> str:
    config = AutoConfig.from_pretrained(folder)
    credit = "\n".join(f"- {line}" for line in recipe.data_credit or map(file_name, recipe.train_files))
    base = recipe.base_credit or f"`{file_name(recipe.model.rstrip('/'))}`"
    evaluations = "\n".join(
        f"| {entry['step']} | {entry['eval_loss']:.3f} |" for entry in state.log_history if "eval_loss" in entry
    )
    rows = "\n".join(
        f"| {name} | {_share(one.answered_f1)} | {one.answered:,} | "
        f"{_share(one.unanswered_right)} | {one.unanswered:,} | {one.f1:.3f} | {one.exact:.3f} |"
        for name, one in measured.items()
    )
    questions = sum(len(passage.pairs) for passage in passages)
    return f"""---
library_name: transformers
pipeline_tag: question-answering
tags: [question-answering, qags, factual-consistency]
---

# {folder.name}

An extractive question-answering model that may find no answer: its first token's logits stand for that. QAGS (Wang, Cho
and Lewis 2020) lets it answer questions about a summary from the summary and from its source.

## Training

Base: {base}

Data:

{credit}

{questions:,} questions about {len(passages):,} passages, and {recipe.unanswered:.0%} of them again with a passage that
does not hold the answer, of the same article where there is one.

{state.global_step:,} steps of {recipe.batch} rows ({recipe.epochs:g} passes), AdamW, peak learning rate
{recipe.learning_rate:g}, {"bfloat16 autocast" if recipe.bf16 else "float32"}, seed {recipe.seed}. Architecture:
{config.model_type}; weights stored in {recipe.dtype}. Kept is the checkpoint with the lowest validation loss:

| step | loss |
|---:|---:|
{evaluations}

## Quality

On data that were not trained on; F1 is SQuAD's, of tokens:

| data | F1 where there is an answer | questions | none found where there is none | questions | F1 of all | exact |
|---|---:|---:|---:|---:|---:|---:|
{rows}

## Limits

It reads {recipe.max_tokens} tokens of question and passage at once, and knows the kind of text and of question it was
trained on.
"""


def _share(value: float) -> str:
    """With three decimals, or a dash where there was nothing to measure."""
    return "\N{EN DASH}" if math.isnan(value) else f"{value:.3f}"
