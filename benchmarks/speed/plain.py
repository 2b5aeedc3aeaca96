"""QUALS written the straightforward way, with the libraries' ordinary calls.

It scores one summary at a time, repeats the encoder states for 60 decoder rows, applies the penalty over the whole
vocabulary for every group, and encodes the text anew for every pair. Three switches take one of these away
each, so that a ladder from here to :class:`quals.QualsScorer` shows what each technique gives.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from quals import QualsScorer
from quals.attention import rows_of_texts
from quals.decoding import EncodedTexts, cache_name, encode, teacher_forced
from quals.pairs import Pair, select
from torch import Tensor
from transformers import DynamicCache, EncoderDecoderCache
from transformers.modeling_outputs import BaseModelOutput


@dataclass(frozen=True)
class Techniques:
    """The techniques that the plain way may use.

    Attributes:
        shared_states: rows of a text share its encoder states.
        top_tokens: each group looks at its most likely tokens instead of the whole vocabulary.
        text_once: a text is encoded once for all its pairs, and the summary's side is kept from generation.
    """

    shared_states: bool = False
    top_tokens: bool = False
    text_once: bool = False


@dataclass(frozen=True)
class PlainResult:
    """A score, and the smallest gap between the best and the second-best token over all choices that led to it."""

    score: float
    smallest_gap: float


class PlainQuals:
    """Scores one summary at a time with a scorer's model, settings and text handling."""

    def __init__(self, scorer: QualsScorer, techniques: Techniques | None = None) -> None:
        self.scorer = scorer
        self.techniques = techniques or Techniques()

    @torch.inference_mode()
    def score(self, source: str, summary: str) -> PlainResult:
        """QUALS of one summary, NaN if no pair survives."""
        scorer = self.scorer
        text = self._encode(summary)
        ids, scores, gap = self._generate(text)
        surviving = scorer.parse(summary, ids)
        pairs = select((replace(pair, log_probs=scores[place]) for place, pair in surviving.items()), scorer.max_pairs)
        if not pairs:
            return PlainResult(float("nan"), gap)
        if self.techniques.text_once:
            of_summary = [pair.log_probs for pair in pairs]
            of_source = self._forced(self._encode(source), pairs)
        else:
            of_summary = [self._forced(self._encode(summary), [pair])[0] for pair in pairs]
            of_source = [self._forced(self._encode(source), [pair])[0] for pair in pairs]
        differences = [
            sum(source) / len(source) - sum(summary) / len(summary)
            for source, summary in zip(of_source, of_summary, strict=True)
        ]
        return PlainResult(sum(differences) / len(differences), gap)

    def _encode(self, text: str) -> EncodedTexts:
        (ids,) = self.scorer.tokenize([text])
        input_ids = torch.tensor([ids], device=self.scorer.device)
        return encode(self.scorer.qagen.model, input_ids, torch.ones_like(input_ids))

    def _forced(self, text: EncodedTexts, pairs: list[Pair]) -> list[tuple[float, ...]]:
        rows = torch.zeros(len(pairs), dtype=torch.long, device=self.scorer.device)
        return teacher_forced(self.scorer.qagen.model, text, rows, [pair.token_ids for pair in pairs])

    def _generate(self, text: EncodedTexts) -> tuple[list[tuple[int, ...]], list[tuple[float, ...]], float]:
        model, settings = self.scorer.qagen.model, self.scorer.decoding
        groups, eos, pad = settings.num_groups, model.config.eos_token_id, model.config.pad_token_id
        states, mask = text.states, text.mask
        rows = torch.zeros(groups, dtype=torch.long, device=states.device)
        if not self.techniques.shared_states:
            states, mask = states.repeat(groups, 1, 1), mask.repeat(groups, 1)
            rows = torch.arange(groups, device=states.device)
        cache = EncoderDecoderCache(DynamicCache(), DynamicCache())
        tokens = torch.full((groups,), model.config.decoder_start_token_id, device=states.device)
        ids: list[list[int]] = [[] for _ in range(groups)]
        scores: list[list[float]] = [[] for _ in range(groups)]
        live = [True] * groups
        smallest_gap = float("inf")
        for step in range(settings.max_tokens + 1):
            with rows_of_texts(rows):
                logits = model(
                    encoder_outputs=BaseModelOutput(last_hidden_state=states),
                    attention_mask=mask,
                    decoder_input_ids=tokens[:, None],
                    use_cache=True,
                    **{cache_name(model): cache},
                ).logits[:, -1]  # (G, V)
            log_probs = logits.float().log_softmax(-1)  # (G, V)
            allowed = log_probs.clone()
            if step < settings.min_tokens:
                allowed[:, eos] = -torch.inf
            forced = step == settings.max_tokens
            choose = self._choose_top if self.techniques.top_tokens else _choose_all
            chosen, gap = ([eos] * groups, float("inf")) if forced else choose(allowed, live, settings.diversity)
            smallest_gap = min(smallest_gap, gap)
            for group in range(groups):
                if live[group]:
                    ids[group].append(chosen[group])
                    scores[group].append(float(log_probs[group, chosen[group]]))
                    live[group] = chosen[group] != eos
            if not any(live):
                break
            tokens = torch.tensor([c if a else pad for c, a in zip(chosen, live, strict=True)], device=states.device)
        return list(map(tuple, ids)), list(map(tuple, scores)), smallest_gap

    @staticmethod
    def _choose_top(allowed: Tensor, live: list[bool], diversity: float) -> tuple[list[int], float]:
        values, ids = allowed.topk(min(len(live) + 1, allowed.shape[1]), dim=1)  # (G, k)
        taken: dict[int, int] = {}
        chosen = []
        for group, (scores, tokens) in enumerate(zip(values.tolist(), ids.tolist(), strict=True)):
            if live[group]:
                ranked = [(score - diversity * taken.get(t, 0), -t) for score, t in zip(scores, tokens, strict=True)]
                token = -max(ranked)[1]
                taken[token] = taken.get(token, 0) + 1
            chosen.append(token if live[group] else 0)
        return chosen, float("inf")


def _choose_all(allowed: Tensor, live: list[bool], diversity: float) -> tuple[list[int], float]:
    penalty = torch.zeros_like(allowed[0])  # (V,)
    chosen, gaps = [], [float("inf")]
    for group in range(allowed.shape[0]):
        if not live[group]:
            chosen.append(0)
            continue
        (best, second), (token, _) = (part.tolist() for part in (allowed[group] - penalty).topk(2))
        penalty[token] += diversity
        gaps.append(best - second)
        chosen.append(token)
    return chosen, min(gaps)
