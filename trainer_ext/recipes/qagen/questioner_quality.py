"""Measure a question generator: how likely it finds people's questions, given a passage and the answer."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from quals.batching import encode_texts, token_budget_batches
from quals.decoding import encode, teacher_forced
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from trainer_ext.recipes.qa_data import Passage
from trainer_ext.recipes.qagen.batches import encode_examples
from trainer_ext.recipes.qagen.examples import first_answers

_BATCH_TOKENS = 4096


@dataclass(frozen=True)
class QuestionerQuality:
    """Figures of a question generator on data that it was not trained on.

    Attributes:
        negative_log_likelihood: nats per token of the questions, their ends included, given the answers; 0 or more,
            lower is better.
        questions: number of questions.
    """

    negative_log_likelihood: float
    questions: int


def measure_questioner(
    model: PreTrainedModel,
    tokenizer: PreTrainedTokenizerBase,
    separator_id: int,
    passages: Sequence[Passage],
    max_tokens: int,
) -> QuestionerQuality:
    """Measure on every question of the passages with its first answer."""
    rows = encode_examples(first_answers(passages), tokenizer, separator_id, max_tokens, answer_first=True)
    model.eval()
    device = model.device
    total, tokens, questions = 0.0, 0, 0
    texts, targets = list(rows["input_ids"]), list(rows["labels"])
    widths = [max(map(len, row)) for row in targets]
    counts = list(map(len, targets))
    for batch in token_budget_batches([len(ids) for ids in texts], _BATCH_TOKENS, rows=counts, widths=widths):
        ids, mask = encode_texts([texts[i] for i in batch], model.config.pad_token_id, device)  # (B, S)
        batch_targets = [target for i in batch for target in targets[i]]
        owners = torch.tensor([place for place, i in enumerate(batch) for _ in targets[i]], device=device)  # (N,)
        with torch.inference_mode():
            scores = teacher_forced(model, encode(model, ids, mask), owners, batch_targets)
        for target, log_probs in zip(batch_targets, scores, strict=True):
            question = log_probs[target.index(separator_id) + 1 :]
            total, tokens, questions = total - sum(question), tokens + len(question), questions + 1
    return QuestionerQuality(total / tokens, questions)
