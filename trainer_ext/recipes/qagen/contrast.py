"""Train a QAGen on what is stated in other words, and on what is not stated.

Likelihood alone shows a QAGen only pairs that its text holds. It then takes a true fact in other words for less likely
than a false one in the source's words. The contrast asks the starting QAGen for pairs of statements, and compares how
likely a pair is under the source with how likely it was under its statement (the score of QUALS):

    s(pair) = [log p(pair | source) - log p0(pair | statement)] / tokens

``p0`` is the QAGen as it was before, and a constant, so that no pair becomes unlikely under its own statement. With
y = 1 where the source states a pair and y = -1 where it does not, B the sharpness and m the threshold, a source adds

    mean over its pairs of softplus(-y * B * (s - m)) / B
    + rank_weight * mean over its stated pairs t and its others f of softplus(-B * (s(t) - s(f))) / B

The first mean weighs a pair by its tokens. A false statement has true pairs too, which ask for what nobody changed.
Where its changed words are known, only pairs with one of them count. Where they are not, s is the mean over its pairs,
and the second mean counts them once.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import replace
from itertools import chain, zip_longest
from typing import Any

import torch
from datasets import Dataset
from quals import QualsScorer
from quals.attention import share_encoder_states
from quals.checkpoint import QAGen
from quals.pairs import Pair, fold, select
from torch import Tensor, nn
from tqdm.auto import tqdm

from trainer_ext.io.hashing import text_hash
from trainer_ext.io.keyed_file import KeyedFile
from trainer_ext.recipes.checkpoints import checkpoints_folder
from trainer_ext.recipes.qagen.recipe import QAGenRecipe
from trainer_ext.recipes.statements import Statement, held_out_sources

SHARPNESS = 2.0  # per nat: how fast the loss fades for a pair that is on its side
THRESHOLD = -0.75  # nats per token: pairs above it count as stated
_GROUPS_PER_PAIR = 2  # sequences generated per pair that is asked of a statement: its text backs about half of them
_AT_ONCE = 256  # statements
_TOGETHER = 4  # statements about one source in a row
_OF_ITSELF = 1  # pairs of a statement that are trained under the statement itself: more take many batches
# Nearly every pair has one of them, whatever it asks for.
# fmt: off
_FUNCTION_WORDS = frozenset([
    "a", "an", "and", "are", "as", "at", "be", "been", "by", "did", "do", "does", "for", "from", "had", "has", "have",
    "he", "her", "his", "how", "in", "is", "it", "its", "many", "much", "of", "on", "or", "she", "that", "the",
    "their", "they", "this", "to", "was", "were", "what", "when", "where", "which", "who", "with",
])
# fmt: on


def statement_rows(statements: Sequence[Statement], qagen: QAGen, recipe: QAGenRecipe) -> tuple[Dataset, Dataset]:
    """Rows to train on and rows to validate with, of different sources; see :func:`encode_statements`.

    The pairs are generated once: they are kept beside the checkpoints.

    Raises:
        DataError: all statements are about one source.
    """
    texts = [[statement.text, statement.changed] for statement in statements]
    # Where a processor is fast in bfloat16, asking in it saves much of the preparation.
    groups = _GROUPS_PER_PAIR * recipe.pairs_per_statement
    dtype = torch.bfloat16 if recipe.bf16 else qagen.model.dtype
    key = [qagen.fingerprint, text_hash(repr(texts)), recipe.pairs_per_statement, groups, str(dtype)]
    store = KeyedFile(checkpoints_folder(recipe) / "statements.json", key)
    if (known := store.read()) is None:
        known = [
            [(pair.token_ids, pair.log_probs) for pair in pairs]
            for pairs in generate_pairs(in_dtype(qagen, dtype), statements, recipe.pairs_per_statement, groups)
        ]
        store.write(known)
    validation_sources = held_out_sources(statements)
    held = [statement.source in validation_sources for statement in statements]
    train, validation = (
        encode_statements(
            [s for s, out in zip(statements, held, strict=True) if out is wanted],
            [p for p, out in zip(known, held, strict=True) if out is wanted],
            qagen,
            recipe.max_tokens,
        )
        for wanted in (False, True)
    )
    return train, validation


def in_dtype(qagen: QAGen, dtype: torch.dtype) -> QAGen:
    """The QAGen itself if it computes in ``dtype``, else a copy that does."""
    if qagen.model.dtype == dtype:
        return qagen
    model = copy.deepcopy(qagen.model)
    nn.Module.to(model, dtype)
    share_encoder_states(model)
    return replace(qagen, model=model)


def generate_pairs(qagen: QAGen, statements: Sequence[Statement], pairs: int, groups: int) -> list[list[Pair]]:
    """What the QAGen asks of each statement: at most ``pairs`` pairs, chosen as QUALS chooses them.

    Where a statement's changed words are known, each pair holds one of them.
    """
    scorer = QualsScorer(qagen, num_groups=groups, dtype=qagen.model.dtype, device=str(qagen.model.device))
    backed: list[list[Pair]] = []
    for first in tqdm(range(0, len(statements), _AT_ONCE), desc="pairs of statements"):
        backed += scorer.generate_pairs([statement.text for statement in statements[first : first + _AT_ONCE]])
    return [
        select((pair for pair in own if _asks_for_change(pair, statement)), pairs)
        for own, statement in zip(backed, statements, strict=True)
    ]


def _asks_for_change(pair: Pair, statement: Statement) -> bool:
    changed = {word.folded for word in fold(statement.changed)}
    words = {word.folded for word in fold(f"{pair.question} {pair.answer}")}
    return not changed or not words.isdisjoint(changed - _FUNCTION_WORDS or changed)


def encode_statements(
    statements: Sequence[Statement],
    pairs: Sequence[Sequence[tuple[Sequence[int], Sequence[float]]]],
    qagen: QAGen,
    max_tokens: int,
) -> Dataset:
    """Rows of a source with the pairs of its statements, and of a statement with its own pairs.

    A row has ``input_ids``, and for each of its pairs

    - ``labels``: its token ids,
    - ``stated``: 1 where the source states it, -1 where it does not, 0 where its likelihood alone counts, because it is
      the text's own,
    - ``own``: its mean log-probability per token under its statement, in nats,
    - ``unit``: the place of the first pair that it is judged together with, its own place where it is judged alone.

    ``pairs`` holds token ids and log-probabilities of each statement's pairs. Statements without a pair are left out.
    So are pairs of a false statement that a true one about the same source has, and true statements whose source is
    cut at ``max_tokens``: what they state may have been cut off.
    """
    sources = _token_ids(qagen, [statement.source for statement in statements], max_tokens + 1)
    texts = _token_ids(qagen, [statement.text for statement in statements], max_tokens)
    about: dict[str, list[int]] = {}
    for place, statement in enumerate(statements):
        about.setdefault(statement.source, []).append(place)
    rows: list[dict[str, Any]] = []
    for places in about.values():
        source = sources[places[0]]
        true = [place for place in places if statements[place].consistent]
        stated = {tuple(token_ids) for place in true for token_ids, _ in pairs[place]}
        left = {place: [p for p in pairs[place] if place in true or tuple(p[0]) not in stated] for place in places}
        if len(source) > max_tokens:
            source, true = [*source[: max_tokens - 1], source[-1]], []
        false = [place for place in places if not statements[place].consistent]
        # In turn, so that each row has both.
        mixed = chain.from_iterable(zip_longest(true, false))
        told = [place for place in mixed if place is not None and left[place]]
        for first in range(0, len(told), _TOGETHER):
            few = told[first : first + _TOGETHER]
            rows.append(_row(source, [(statements[place], left[place]) for place in few]))
        for place in told:
            labels, own = _targets(left[place][:_OF_ITSELF])
            none, unit = [0] * len(labels), list(range(len(labels)))
            rows.append({"input_ids": texts[place], "labels": labels, "stated": none, "own": own, "unit": unit})
    return Dataset.from_list(rows)


def _row(source: Sequence[int], told: Sequence[tuple[Statement, Sequence[Any]]]) -> dict[str, Any]:
    """A source with the pairs of a few of its statements."""
    labels, own = _targets([pair for _, pairs in told for pair in pairs])
    stated: list[int] = []
    unit: list[int] = []
    for statement, pairs in told:
        first, alone = len(unit), statement.consistent or statement.changed
        unit += range(first, first + len(pairs)) if alone else [first] * len(pairs)
        stated += [1 if statement.consistent else -1] * len(pairs)
    return {"input_ids": source, "labels": labels, "stated": stated, "own": own, "unit": unit}


def _targets(pairs: Sequence[tuple[Sequence[int], Sequence[float]]]) -> tuple[list[list[int]], list[float]]:
    """Token ids of pairs, and their mean log-probabilities per token."""
    return [list(ids) for ids, _ in pairs], [sum(log_probs) / len(log_probs) for _, log_probs in pairs]


def as_statement_rows(rows: Dataset) -> Dataset:
    """Rows of question-answer data with the columns that rows of statements have."""
    counts = [len(labels) for labels in rows["labels"]]
    rows = rows.add_column("stated", [[0] * count for count in counts])
    rows = rows.add_column("own", [[0.0] * count for count in counts])
    return rows.add_column("unit", [list(range(count)) for count in counts])


def _token_ids(qagen: QAGen, texts: Sequence[str], max_tokens: int) -> list[list[int]]:
    encoded = qagen.tokenizer(list(texts), truncation=True, max_length=max_tokens, split_special_tokens=True)
    return encoded["input_ids"]


def pair_scores(token_log_probs: Tensor, target: Tensor, own: Tensor) -> Tensor:
    """The score s of each pair, ``(N,)`` in nats per token; higher is better supported.

    Args:
        token_log_probs: ``(tokens,)``, of the real target tokens, pair by pair.
        target: ``(N, T)`` bool, which tokens are real.
        own: ``(N,)``, mean log-probability of each pair under its statement.
    """
    pairs = target.nonzero()[:, 0]  # (tokens,)
    return torch.zeros_like(own).index_add(0, pairs, token_log_probs) / target.sum(1) - own


def margins(scores: Tensor, stated: Tensor, unit: Tensor) -> Tensor:
    """How far each pair, or its unit on the mean, is on its side of the threshold, ``(N,)`` in nats per token.

    Above 0 is the right side; pairs that are neither stated nor not have 0.

    Args:
        scores: ``(N,)``, nats per token.
        stated: ``(N,)``, 1, -1 or 0.
        unit: ``(N,)``, place of the first pair of each pair's unit.
    """
    return stated * (_unit_scores(scores, unit) - THRESHOLD)


def leads(scores: Tensor, stated: Tensor, unit: Tensor, sources: int) -> tuple[Tensor, Tensor]:
    """By how much pairs of a source score above others: ``(B, n, n)`` in nats per token, with n pairs per source.

    A unit scores its mean.

    Args:
        scores, stated, unit: as for :func:`margins`; each source's pairs lie together.
        sources: B.

    Returns:
        The differences, and where they are of a stated pair and the first of a unit that is not, ``(B, n, n)`` bool.
    """
    first = (unit == torch.arange(len(unit), device=unit.device)).view(sources, -1)  # (B, n)
    scores, stated = _unit_scores(scores, unit).view(sources, -1), stated.view(sources, -1)
    return scores[:, :, None] - scores[:, None], (stated[:, :, None] > 0) & ((stated < 0) & first)[:, None]


def _unit_scores(scores: Tensor, unit: Tensor) -> Tensor:
    """Each pair's score, or the mean of its unit's, ``(N,)``."""
    sums = torch.zeros_like(scores).index_add(0, unit, scores)
    counts = torch.zeros_like(scores).index_add(0, unit, torch.ones_like(scores))
    return sums[unit] / counts[unit]


def contrast_loss(
    scores: Tensor, stated: Tensor, unit: Tensor, tokens: Tensor, sources: int, rank_weight: float
) -> Tensor:
    """The loss, a scalar, at least 0: nats per token of each source, times its tokens, summed over sources.

    Args:
        scores, stated, unit: as for :func:`margins`.
        tokens: ``(N,)``, number of each pair's tokens.
        sources: number of sources; each has equally many pairs.
        rank_weight: weight of the second mean.
    """
    judged = _fading(margins(scores, stated, unit))[stated != 0] @ tokens[stated != 0].to(scores.dtype)
    lead, compared = leads(scores, stated, unit, sources)
    ranked = (_fading(lead) * compared).sum((1, 2)) / compared.sum((1, 2)).clamp(min=1)  # (B,)
    return judged + rank_weight * (ranked @ tokens.view(sources, -1).sum(1).to(scores.dtype))


def _fading(margin: Tensor) -> Tensor:
    """A loss that falls as the margin grows, and fades: softplus."""
    return nn.functional.softplus(-SHARPNESS * margin) / SHARPNESS
