"""The model cards of a QAGen and of a question generator: what they were trained on, how, and what was measured."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from transformers import AutoConfig, TrainerState

from trainer_ext.recipes.cards import evaluations, file_name, origins, passes, precision, write_card_files
from trainer_ext.recipes.qa_data import Passage
from trainer_ext.recipes.qagen.quality import QAGenQuality
from trainer_ext.recipes.qagen.questioner_quality import QuestionerQuality
from trainer_ext.recipes.qagen.recipe import QAGenRecipe
from trainer_ext.recipes.qagen.separator import SEPARATOR
from trainer_ext.recipes.statements import Statement


def write_card(
    recipe: QAGenRecipe,
    quality: QAGenQuality,
    state: TrainerState,
    passages: Sequence[Passage],
    statements: Sequence[Statement] = (),
) -> None:
    """Write ``README.md`` and ``quality.json`` into the QAGen's folder."""
    folder = Path(recipe.output_dir)
    card = f"""---
library_name: transformers
tags: [question-generation, question-answering, qagen, quals, factual-consistency]
---

# {folder.name}

A joint question-answer generator (QAGen, Shakeri et al. 2020): from a passage it generates
`question {SEPARATOR} answer`. QUALS (Nan et al. 2021) uses it to compare how likely the same
question-answer pairs are under a summary and under its source.

```python
from quals import QualsScorer

scorer = QualsScorer("path/to/this/folder")
(result,) = scorer.score([source], [summary])
```

{_training(recipe, state, passages)}{_contrast(recipe, state, statements)}
## Quality

Measured on {file_name(recipe.validation_file)}, which was not trained on.

| measure | value |
|---|---:|
| negative log-likelihood of {quality.pairs:,} pairs, nats per token | {quality.negative_log_likelihood:.3f} |
| token F1 of the greedy answer to {quality.answered:,} given questions | {quality.answer_f1:.3f} |
| share of 60 generated pairs that the text backs, {quality.sentences} sentences | {quality.surviving_share:.3f} |
| distinct answers among them, per sentence | {quality.distinct_answers:.1f} |
| share of 60 generated pairs that the text backs, {quality.passages} passages | \
{quality.surviving_share_of_passages:.3f} |
| distinct answers among them, per passage | {quality.distinct_answers_of_passages:.1f} |

## Limits

It reads at most {recipe.max_tokens} tokens. It knows the kind of text and of question it was trained on. Its
likelihoods compare one text with another; they are not probabilities that a statement is true.
"""
    write_card_files(folder, card, asdict(quality))


def write_questioner_card(
    recipe: QAGenRecipe, quality: QuestionerQuality, state: TrainerState, passages: Sequence[Passage]
) -> None:
    """Write ``README.md`` and ``quality.json`` into the question generator's folder."""
    folder = Path(recipe.output_dir)
    card = f"""---
library_name: transformers
tags: [question-generation, qags, factual-consistency]
---

# {folder.name}

A question generator. Its encoder reads a passage. Its decoder starts with `answer {SEPARATOR}`, which is given, and
continues with a question that has this answer. QAGS (Wang, Cho and Lewis 2020) asks such questions of a summary and of
its source.

{_training(recipe, state, passages)}
## Quality

Measured on {file_name(recipe.validation_file)}, which was not trained on: negative log-likelihood of
{quality.questions:,} questions given their answers, {quality.negative_log_likelihood:.3f} nats per token.

## Limits

It reads at most {recipe.max_tokens} tokens. It knows the kind of text and of question it was trained on.
"""
    write_card_files(folder, card, asdict(quality))


def _training(recipe: QAGenRecipe, state: TrainerState, passages: Sequence[Passage]) -> str:
    """What it was trained on, and how."""
    config = AutoConfig.from_pretrained(recipe.output_dir, trust_remote_code=False)
    best = f"{state.best_metric:.3f} nats per token" if state.best_metric is not None else "not evaluated"
    tokens = recipe.tokens_per_batch * recipe.accumulation
    return f"""## Training

{origins(recipe)}

{len(passages):,} passages with {sum(len(passage.pairs) for passage in passages):,} question-answer pairs;
{passes(recipe)}, {state.global_step:,} steps of up to {tokens:,} source and as many target tokens. Each pass shows a
passage as its single sentences, as it is, or inside its article of up to {recipe.max_tokens} tokens, with at most 18
of its pairs.

AdamW, peak learning rate {recipe.learning_rate:g} after {recipe.warmup_steps} steps of warm-up, linear decay, gradients
clipped at 1, label smoothing {recipe.label_smoothing:g}, {precision(recipe)}, seed {recipe.seed}. Architecture:
{config.model_type}; weights stored in {recipe.dtype}.

The checkpoint with the best validation likelihood was kept: {best}, over the first
{recipe.validation_passages:,} passages of the validation file at most.

{evaluations(state, "eval_loss", "negative log-likelihood, nats per token")}
"""


def _contrast(recipe: QAGenRecipe, state: TrainerState, statements: Sequence[Statement]) -> str:
    """What statements it was trained on, and how many of the others it tells apart."""
    if not statements:
        return ""
    true = sum(statement.consistent for statement in statements)
    known = sum(bool(statement.changed) for statement in statements)
    ranked = ""
    if any("eval_pairs_ranked" in entry for entry in state.log_history):
        ranked = f"\n{evaluations(state, 'eval_pairs_ranked', 'share of its stated pairs above others')}\n"
    return f"""
The starting QAGen asked up to {recipe.pairs_per_statement} pairs of each of {len(statements):,} statements, and the
training made them more likely under a source that states them ({true:,}) and less likely under one that does not
({len(statements) - true:,}, of which {known:,} say which words are wrong). Of one source, it ranked the former above
the latter. Weights {recipe.contrast_weight:g} and {recipe.rank_weight:g}, see `trainer_ext.recipes.qagen.contrast`.
The loss above includes both. One source in 20 was kept for validation:

{evaluations(state, "eval_pairs_right", "share of its pairs on the right side")}
{ranked}"""
