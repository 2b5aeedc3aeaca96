"""QUALS the straightforward way, to compare the engine with: every step in its own plain loop, nothing shared.

One text at a time, one group at a time, no cache, the whole prefix fed anew at each step, the whole vocabulary looked
at for each decision, transformers' own attention.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from quals.decoding import DecodingSettings
from torch import Tensor
from transformers import PreTrainedModel, PreTrainedTokenizerBase


@dataclass(frozen=True)
class Decoded:
    """One group's sequence, its end included, and how clear each of its decisions was.

    Attributes:
        token_ids: without the decoder's start token.
        log_probs: natural log-probabilities without the penalty.
        gaps: in nats, how far each choice lay ahead of the second best, penalties included; 0 is a tie, and
            infinite is no choice at all. Decisions with a gap near the rounding error may fall either way.
    """

    token_ids: tuple[int, ...]
    log_probs: tuple[float, ...]
    gaps: tuple[float, ...]


def next_log_probs(model: PreTrainedModel, states: Tensor, prefix: Sequence[int]) -> Tensor:
    """Log-probabilities ``(V,)`` of the token after ``prefix``, given one text's encoder states ``(1, S, d)``."""
    ids = torch.tensor([[model.config.decoder_start_token_id, *prefix]])
    logits = model(encoder_outputs=(states,), decoder_input_ids=ids, use_cache=False).logits
    return torch.log_softmax(logits[0, -1].float(), -1)


@torch.no_grad()
def diverse_greedy(model: PreTrainedModel, text_ids: Sequence[int], settings: DecodingSettings) -> list[Decoded]:
    """What ``quals.decoding.diverse_greedy`` must give for one text, group by group."""
    eos = model.config.eos_token_id
    states = model.get_encoder()(input_ids=torch.tensor([list(text_ids)])).last_hidden_state
    tokens: list[list[int]] = [[] for _ in range(settings.num_groups)]
    scores: list[list[float]] = [[] for _ in range(settings.num_groups)]
    gaps: list[list[float]] = [[] for _ in range(settings.num_groups)]
    for step in range(settings.max_tokens + 1):
        chosen: list[int] = []  # by the groups before, at this step
        for group in range(settings.num_groups):
            if eos in tokens[group]:
                continue
            log_probs = next_log_probs(model, states, tokens[group])
            penalised = log_probs.clone()
            for token in chosen:
                penalised[token] -= settings.diversity
            if step < settings.min_tokens:
                penalised[eos] = -math.inf
            best = int((penalised == penalised.max()).nonzero()[0])  # the lowest id of equals
            first, second = penalised.topk(2).values.tolist()
            gap = first - second
            if step == settings.max_tokens:
                best, gap = eos, math.inf
            chosen.append(best)
            tokens[group].append(best)
            scores[group].append(float(log_probs[best]))
            gaps[group].append(gap)
    return [Decoded(tuple(t), tuple(s), tuple(g)) for t, s, g in zip(tokens, scores, gaps, strict=True)]


@torch.no_grad()
def teacher_forced(model: PreTrainedModel, text_ids: Sequence[int], target: Sequence[int]) -> list[float]:
    """Log-probability of each of a target's tokens given the text, one prefix after the other."""
    states = model.get_encoder()(input_ids=torch.tensor([list(text_ids)])).last_hidden_state
    return [float(next_log_probs(model, states, target[:i])[token]) for i, token in enumerate(target)]


@dataclass(frozen=True)
class PlainPair:
    """A pair and its log-likelihoods in nats a token."""

    question: str
    answer: str
    under_summary: float
    under_source: float


def quals(
    model: PreTrainedModel,
    tokenizer: PreTrainedTokenizerBase,
    source: str,
    summary: str,
    settings: DecodingSettings,
    max_pairs: int = 10,
) -> tuple[float, list[PlainPair], float]:
    """QUALS of one summary of plain ASCII, its pairs, and the smallest gap of all decisions of the decoding.

    The summary's likelihoods are computed anew by teacher forcing, on nothing but the token ids.
    """
    summary_ids, source_ids = (tokenizer(text)["input_ids"] for text in (summary, source))
    decoded = diverse_greedy(model, summary_ids, settings)
    separator = tokenizer.convert_tokens_to_ids(model.config.qagen_separator)

    kept: list[tuple[float, str, str, tuple[int, ...]]] = []  # (minus total log-probability, question, answer, ids)
    for sequence in decoded:
        ids = list(sequence.token_ids)
        if ids.count(separator) != 1 or tokenizer.unk_token_id in ids:
            continue
        at = ids.index(separator)
        question = tokenizer.decode(ids[:at], skip_special_tokens=True)
        answer = tokenizer.decode(ids[at + 1 :], skip_special_tokens=True)
        if _words(question) and _words(answer) and f" {_words(answer)} " in f" {_words(summary)} ":
            kept.append((-sum(sequence.log_probs), question, answer, sequence.token_ids))
    kept.sort(key=lambda pair: pair[0])

    # Round and round over the answers, each in turn giving its likeliest pair whose question is new.
    answers = list(dict.fromkeys(_words(answer) for _, _, answer, _ in kept))
    selected: list[tuple[float, str, str, tuple[int, ...]]] = []
    taken = -1
    while taken != len(selected):
        taken = len(selected)
        for wanted in answers:
            asked = {_words(question) for _, question, _, _ in selected}
            new = [pair for pair in kept if _words(pair[2]) == wanted and _words(pair[1]) not in asked]
            if new and len(selected) < max_pairs:
                selected.append(new[0])

    pairs = [
        PlainPair(
            question.strip(),
            answer.strip(),
            _mean(teacher_forced(model, summary_ids, ids)),
            _mean(teacher_forced(model, source_ids, ids)),
        )
        for _, question, answer, ids in selected
    ]
    score = _mean([pair.under_source - pair.under_summary for pair in pairs])
    return score, pairs, min(gap for sequence in decoded for gap in sequence.gaps)


def _words(text: str) -> str:
    return " ".join(re.findall(r"[a-z0-9]+", text.lower()))


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values) if values else math.nan
