"""Measure a question generator: how likely it finds people's questions, given a passage and the answer."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from quals.batching import encode_texts, token_budget_batches
from quals.decoding import encode, teacher_forced
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from trainer_ext.recipes.qa_data import Example, Passage
from trainer_ext.recipes.qagen.batches import encode_examples

_BATCH_TOKENS = 4096


@dataclass(frozen=True)
class QuestionerQuality:
    """Figures of a question generator on data that it was not trained on.

    Attributes:
        negative_log_likelihood: nats a token of the questions, their ends included, given answers; lower is better.
        questions: how many questions that is.
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
    examples = [Example(p.text, tuple((pair.question, pair.answers[0]) for pair in p.pairs)) for p in passages]
    rows = encode_examples(examples, tokenizer, separator_id, max_tokens, answer_first=True)
    model.eval()
    device = model.device
    total, tokens, questions = 0.0, 0, 0
    texts, targets = list(rows["input_ids"]), list(rows["labels"])
    widths = [max(map(len, mine)) for mine in targets]
    counts = [len(mine) for mine in targets]
    for batch in token_budget_batches([len(ids) for ids in texts], counts, widths, _BATCH_TOKENS):
        ids, mask = encode_texts([texts[i] for i in batch], model.config.pad_token_id, device)  # (B, S)
        mine = [target for i in batch for target in targets[i]]
        owners = torch.tensor([place for place, i in enumerate(batch) for _ in targets[i]], device=device)  # (N,)
        with torch.inference_mode():
            scores = teacher_forced(model, encode(model, ids, mask), owners, mine)
        for target, log_probs in zip(mine, scores, strict=True):
            question = log_probs[target.index(separator_id) + 1 :]
            total, tokens, questions = total - sum(question), tokens + len(question), questions + 1
    return QuestionerQuality(total / tokens, questions)
