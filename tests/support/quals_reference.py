"""Diverse greedy decoding and QUALS written as plainly as the definition reads: no cache, no batches, no shortcuts."""

from __future__ import annotations

import math
import re
import unicodedata
from collections import defaultdict
from dataclasses import dataclass, field

import torch
from quals.decoding import DecodingSettings
from torch import Tensor
from transformers import PreTrainedModel, PreTrainedTokenizerBase
from transformers.modeling_outputs import BaseModelOutput


@dataclass
class Reference:
    """What one text's groups generated; ``gaps`` is the closest that a second-best token came to one each chose."""

    token_ids: list[list[int]]
    log_probs: list[list[float]]
    gaps: list[float]
    forced: list[bool] = field(default_factory=list)

    @property
    def gap(self) -> float:
        return min(self.gaps)


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
    found = Reference(
        [[] for _ in groups], [[] for _ in groups], [math.inf for _ in groups], [False] * settings.num_groups
    )
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
                found.gaps[group] = min(found.gaps[group], best - second)
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


def plain(text: str) -> str:
    """Lower-cased letters and digits without accents, single spaces around and between the words."""
    letters = "".join(c for c in unicodedata.normalize("NFKD", text) if not unicodedata.combining(c))
    words = re.findall(r"[^\W_]+", letters.casefold())
    return f" {' '.join(words)} "


def quals(
    model: PreTrainedModel,
    tokenizer: PreTrainedTokenizerBase,
    source: str,
    summary: str,
    settings: DecodingSettings,
    max_pairs: int = 10,
) -> tuple[float, float]:
    """QUALS of one summary by the definition, both texts within the model's limit; and the smallest gap of a choice."""
    of_source, of_summary = tokenizer([source, summary], split_special_tokens=True)["input_ids"]
    separator = tokenizer.convert_tokens_to_ids(model.config.qagen_separator)
    generated = decode(model, of_summary, settings)
    by_answer = defaultdict(list)
    for ids, log_probs in zip(generated.token_ids, generated.log_probs, strict=True):
        if ids.count(separator) != 1 or tokenizer.unk_token_id in ids:
            continue
        at = ids.index(separator)
        question, answer = (
            tokenizer.decode(part, skip_special_tokens=True).strip() for part in (ids[:at], ids[at + 1 :])
        )
        if question and answer and answer.strip(" .,?") and plain(answer) in plain(summary):
            by_answer[plain(answer)].append((sum(log_probs), plain(question), ids))
    groups = [sorted(found, key=lambda pair: -pair[0]) for found in by_answer.values()]
    groups.sort(key=lambda group: -group[0][0])
    chosen: list[list[int]] = []
    asked: set[str] = set()
    while any(groups):
        for group in groups:
            while group:
                _, question, ids = group.pop(0)
                if question not in asked:
                    asked.add(question)
                    chosen.append(ids)
                    break
    chosen = chosen[:max_pairs]
    if not chosen:
        return math.nan, generated.gap

    def likelihood(text: list[int], target: list[int]) -> float:
        return sum(teacher_force(model, text, target)) / len(target)

    differences = [likelihood(of_source, ids) - likelihood(of_summary, ids) for ids in chosen]
    return sum(differences) / len(differences), generated.gap
