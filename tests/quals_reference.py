"""Diverse greedy decoding and QUALS written as plainly as the definition reads: no cache, no batches, no shortcuts."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import torch
from quals.decoding import DecodingSettings
from torch import Tensor
from transformers import PreTrainedModel
from transformers.modeling_outputs import BaseModelOutput


@dataclass
class Reference:
    """What one text's groups generated; ``gap`` is the closest that a second-best token came to a chosen one."""

    token_ids: list[list[int]]
    log_probs: list[list[float]]
    gap: float = math.inf
    forced: list[bool] = field(default_factory=list)


@torch.no_grad()
def next_log_probs(model: PreTrainedModel, states: Tensor, prefix: list[int]) -> Tensor:
    """``(V,)`` log-probabilities after ``prefix``, the whole prefix fed anew; ``states`` is ``(1, S, d)``, unpadded."""
    output = model(
        encoder_outputs=BaseModelOutput(last_hidden_state=states),
        attention_mask=torch.ones(states.shape[:2], dtype=torch.long),
        decoder_input_ids=torch.tensor([[model.config.decoder_start_token_id, *prefix]]),
        use_cache=False,
    )
    return output.logits[0, -1].float().log_softmax(-1)


def decode(model: PreTrainedModel, input_ids: list[int], settings: DecodingSettings) -> Reference:
    """One text, group after group, step after step, over the whole vocabulary; ``model`` has stock attention."""
    with torch.no_grad():
        states = model.get_encoder()(input_ids=torch.tensor([input_ids])).last_hidden_state
    eos = model.config.eos_token_id
    groups = range(settings.num_groups)
    found = Reference([[] for _ in groups], [[] for _ in groups], forced=[False] * settings.num_groups)
    for step in range(settings.max_tokens + 1):
        taken: dict[int, int] = {}
        known: dict[tuple[int, ...], Tensor] = {}
        for group in groups:
            prefix = found.token_ids[group]
            if prefix and prefix[-1] == eos:
                continue
            if tuple(prefix) not in known:  # equal prefixes have equal log-probabilities; saves the test's time only
                known[tuple(prefix)] = next_log_probs(model, states, prefix)
            log_probs = known[tuple(prefix)]
            if step == settings.max_tokens:
                choice = eos
                found.forced[group] = True
            else:
                scores = log_probs.clone()
                if step < settings.min_tokens:
                    scores[eos] = -math.inf
                for token, times in taken.items():
                    scores[token] -= settings.diversity * times
                best, second = scores.topk(2).values.tolist()
                found.gap = min(found.gap, best - second)
                choice = int((scores == scores.max()).nonzero()[0])  # the lowest id among equals
                taken[choice] = taken.get(choice, 0) + 1
            prefix.append(choice)
            found.log_probs[group].append(float(log_probs[choice]))
    return found


def teacher_force(model: PreTrainedModel, input_ids: list[int], target: list[int]) -> list[float]:
    """Log-probability of each target token, each from a pass of its own."""
    with torch.no_grad():
        states = model.get_encoder()(input_ids=torch.tensor([input_ids])).last_hidden_state
    return [float(next_log_probs(model, states, target[:i])[token]) for i, token in enumerate(target)]
