"""The model card of a QAGen: what it was trained on, how, and what was measured."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from transformers import AutoConfig, TrainerState

from trainer_ext.recipes.qa_data import Passage
from trainer_ext.recipes.qagen.quality import QAGenQuality

if TYPE_CHECKING:
    from trainer_ext.recipes.qagen.train import QAGenRecipe


def write_card(
    folder: Path, recipe: QAGenRecipe, quality: QAGenQuality, state: TrainerState, passages: Sequence[Passage]
) -> None:
    """Write ``README.md`` and ``quality.json`` into the QAGen's folder."""
    (folder / "quality.json").write_text(json.dumps(asdict(quality), indent=2) + "\n", encoding="utf-8")
    (folder / "README.md").write_text(_card(folder, recipe, quality, state, passages), encoding="utf-8")


def _card(
    folder: Path, recipe: QAGenRecipe, quality: QAGenQuality, state: TrainerState, passages: Sequence[Passage]
) -> str:
    config = AutoConfig.from_pretrained(folder)
    return f"""---
library_name: transformers
tags: [question-generation, question-answering, qagen, quals, factual-consistency]
---

# {folder.name}

A joint question-answer generator (QAGen, Shakeri et al. 2020): from a passage it generates
`question {config.qagen_separator} answer`. QUALS (Nan et al. 2021) uses it to compare how likely the same
question-answer pairs are under a summary and under its source.

```python
from quals import QualsScorer

scorer = QualsScorer("path/to/this/folder")
(result,) = scorer.score([source], [summary])
```

{training_section(folder, recipe, state, passages)}
## Quality

Measured on {file_name(recipe.validation_file)}, which was not trained on.

| measure | value |
|---|---:|
| negative log-likelihood of {quality.pairs:,} pairs, nats a token | {quality.negative_log_likelihood:.3f} |
| token F1 of the greedy answer to {quality.answered:,} given questions | {quality.answer_f1:.3f} |
| share of 60 generated pairs that the text backs, {quality.sentences} sentences | {quality.surviving_share:.3f} |
| distinct answers among them, a sentence | {quality.distinct_answers:.1f} |
| share of 60 generated pairs that the text backs, {quality.passages} passages | \
{quality.surviving_share_of_passages:.3f} |
| distinct answers among them, a passage | {quality.distinct_answers_of_passages:.1f} |

## Limits

It reads at most {recipe.max_tokens} tokens. It knows the kind of text and of question it was trained on. Its
likelihoods compare one text with another; they are not probabilities that a statement is true.
"""


def training_section(folder: Path, recipe: QAGenRecipe, state: TrainerState, passages: Sequence[Passage]) -> str:
    """What it was trained on, and how."""
    config = AutoConfig.from_pretrained(folder)
    evaluations = "\n".join(
        f"| {entry['step']} | {entry['eval_loss']:.3f} |" for entry in state.log_history if "eval_loss" in entry
    )
    credit = "\n".join(f"- {line}" for line in recipe.data_credit or map(file_name, recipe.train_files))
    base = recipe.base_credit or f"`{file_name(recipe.model.rstrip('/'))}`"
    best = f"{state.best_metric:.3f} nats a token" if state.best_metric is not None else "not evaluated"
    tokens = recipe.tokens_per_batch * recipe.accumulation
    return f"""## Training

Base: {base}

Data:

{credit}

{len(passages):,} passages with {sum(len(passage.pairs) for passage in passages):,} question-answer pairs;
{recipe.epochs:g} {"pass" if recipe.epochs == 1 else "passes"}, {state.global_step:,} steps of up to {tokens:,} source \
and as many target tokens. In each pass a
passage is shown as its single sentences, as it is, or inside its article of up to {recipe.max_tokens} tokens; at most
18 pairs of one passage are drawn in a pass.

AdamW, peak learning rate {recipe.learning_rate:g} after {recipe.warmup_steps} steps of warm-up, linear decay, gradients
clipped at 1, label smoothing {recipe.label_smoothing:g}, {"bfloat16 autocast" if recipe.bf16 else "float32"}, seed
{recipe.seed}. Architecture: {config.model_type}; weights stored in {recipe.dtype}.

Kept is the checkpoint with the best validation likelihood, {best} over the first
passages of the validation file, {recipe.validation_passages:,} at most:

| step | negative log-likelihood, nats a token |
|---:|---:|
{evaluations}
"""


def file_name(name: str) -> str:
    """The last part of a path, or of a data set's name."""
    return name.rsplit("/", 1)[-1]
