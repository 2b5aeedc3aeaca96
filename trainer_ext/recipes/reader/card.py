"""The model card of an extractive reader: what it was trained on, how, and what was measured."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path

from quals.rows import as_json
from transformers import AutoConfig, TrainerState

from trainer_ext.recipes.cards import evaluations, origins, passes, precision, write_card_files
from trainer_ext.recipes.qa_data import Passage
from trainer_ext.recipes.reader.quality import ReaderQuality
from trainer_ext.recipes.reader.recipe import ReaderRecipe


def write_card(
    recipe: ReaderRecipe, measured: Mapping[str, ReaderQuality], state: TrainerState, passages: Sequence[Passage]
) -> None:
    """Write ``README.md`` and ``quality.json`` into the reader's folder; ``measured`` is by the names of the data."""
    folder = Path(recipe.output_dir)
    config = AutoConfig.from_pretrained(folder, trust_remote_code=False)
    rows = "\n".join(
        f"| {name} | {_share(quality.answered_f1)} | {quality.answered:,} | "
        f"{_share(quality.unanswered_right)} | {quality.unanswered:,} | {quality.f1:.3f} | {quality.exact:.3f} |"
        for name, quality in measured.items()
    )
    questions = sum(len(passage.pairs) for passage in passages)
    card = f"""---
library_name: transformers
pipeline_tag: question-answering
tags: [question-answering, qags, factual-consistency]
---

# {folder.name}

An extractive question-answering model that may find no answer, for which its first token's logits stand. QAGS (Wang,
Cho and Lewis 2020) lets it answer questions about a summary from the summary and from its source.

## Training

{origins(recipe)}

{questions:,} questions about {len(passages):,} passages, and {recipe.unanswered:.0%} of them again with a passage that
does not hold the answer, from the same article where possible.

{state.global_step:,} steps of {recipe.batch} rows ({passes(recipe)}), AdamW, peak learning rate
{recipe.learning_rate:g}, {precision(recipe)}, seed {recipe.seed}. Architecture: {config.model_type}; weights stored in
{recipe.dtype}. The checkpoint with the lowest validation loss was kept:

{evaluations(state, "eval_loss", "loss")}

## Quality

Measured on data that were not trained on. F1 is SQuAD's token F1.

| data | F1 where there is an answer | questions | none found where there is none | questions | F1 of all | exact |
|---|---:|---:|---:|---:|---:|---:|
{rows}

## Limits

It reads {recipe.max_tokens} tokens of question and passage at once, and knows the kind of text and of question it was
trained on.
"""
    write_card_files(folder, card, as_json({name: asdict(quality) for name, quality in measured.items()}))


def _share(value: float) -> str:
    """Three decimals, or a dash where there was nothing to measure."""
    return "\N{EN DASH}" if math.isnan(value) else f"{value:.3f}"
