"""Train a QAGen on what is stated in other words, and on what is not stated.

Likelihood alone shows a QAGen only pairs that its text holds. It then takes a true fact in other words for less likely
than a false one in the source's words. The contrast asks the starting QAGen for pairs of a statement, and compares how
likely they are under the source with how likely they were under the statement itself (the score of QUALS):

    s = mean over pairs of [log p(pair | source) - log p0(pair | statement)] / tokens

It adds, for each statement, with y = 1 where the source states it and y = -1 where it does not:

    loss = softplus(-y * SHARPNESS * (s - THRESHOLD)) / SHARPNESS

``p0`` is the QAGen as it was before, and a constant, so that no pair becomes unlikely under its own statement.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Any

import torch
from datasets import Dataset
from quals import QualsScorer
from quals.checkpoint import QAGen
from quals.errors import DataError
from quals.pairs import Pair, select
from torch import Tensor, nn
from tqdm.auto import tqdm

from trainer_ext.io.keyed_file import KeyedFile
from trainer_ext.recipes.checkpoints import checkpoints_folder
from trainer_ext.recipes.qagen.recipe import QAGenRecipe
from trainer_ext.recipes.qagen.statements import Statement

SHARPNESS = 2.0  # per nat: how fast the loss fades for a statement that is on its side
THRESHOLD = -0.75  # nats per token: statements above it count as stated
GROUPS = 12  # sequences generated per statement
_AT_ONCE = 256  # statements
_OF_ITSELF = 2  # pairs of a statement that are trained under the statement itself
_HELD_OUT = 20  # each source in so many is kept for validation


def statement_rows(statements: Sequence[Statement], qagen: QAGen, recipe: QAGenRecipe) -> tuple[Dataset, Dataset]:
    """Rows to train on and rows to validate with, of different sources; see :func:`encode_statements`.

    The pairs are generated once: they are kept beside the checkpoints.

    Raises:
        DataError: all statements are about one source.
    """
    texts = [statement.text for statement in statements]
    key = [qagen.fingerprint, _digest(repr(texts)), recipe.pairs_per_statement, GROUPS]
    store = KeyedFile(checkpoints_folder(recipe) / "statements.json", key)
    if (known := store.read()) is None:
        known = [
            [(pair.token_ids, pair.log_probs) for pair in pairs]
            for pairs in generate_pairs(qagen, texts, recipe.pairs_per_statement)
        ]
        store.write(known)
    sources = sorted({statement.source for statement in statements}, key=lambda text: (_digest(text), text))
    if len(sources) < 2:
        raise DataError("All statements are about one source: give more, because some sources validate the training.")
    validation_sources = set(sources[: max(1, len(sources) // _HELD_OUT)])
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


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "backslashreplace")).hexdigest()


def generate_pairs(qagen: QAGen, statements: Sequence[str], pairs: int, groups: int = GROUPS) -> list[list[Pair]]:
    """What the QAGen asks of each statement: at most ``pairs`` pairs, chosen as QUALS chooses them."""
    scorer = QualsScorer(qagen, num_groups=groups, dtype=qagen.model.dtype, device=str(qagen.model.device))
    backed: list[list[Pair]] = []
    for first in tqdm(range(0, len(statements), _AT_ONCE), desc="pairs of statements"):
        backed += scorer.generate_pairs(statements[first : first + _AT_ONCE])
    return [select(own, pairs) for own in backed]


def encode_statements(
    statements: Sequence[Statement],
    pairs: Sequence[Sequence[tuple[Sequence[int], Sequence[float]]]],
    qagen: QAGen,
    max_tokens: int,
) -> Dataset:
    """Rows of a source with the pairs of one statement, and of the statement with its own pairs.

    A row has ``input_ids``, ``labels`` (the pairs' token ids), ``stated`` (1 where the source states them, -1 where it
    does not, 0 where they are the text's own and only their likelihood counts) and ``own`` (for each pair, its mean
    log-probability per token under its statement, in nats). ``pairs`` holds token ids and log-probabilities of each
    statement's pairs.

    A statement without a pair is left out, and so is a consistent one whose source is cut at ``max_tokens``: what it
    states may have been cut off.
    """
    sources = _token_ids(qagen, [statement.source for statement in statements], max_tokens + 1)
    texts = _token_ids(qagen, [statement.text for statement in statements], max_tokens)
    rows: list[dict[str, Any]] = []
    for statement, source, text, own_pairs in zip(statements, sources, texts, pairs, strict=True):
        if not own_pairs or (statement.consistent and len(source) > max_tokens):
            continue
        cut = source if len(source) <= max_tokens else [*source[: max_tokens - 1], source[-1]]
        labels = [list(token_ids) for token_ids, _ in own_pairs]
        own = [sum(log_probs) / len(log_probs) for _, log_probs in own_pairs]
        rows.append({"input_ids": cut, "labels": labels, "stated": 1 if statement.consistent else -1, "own": own})
        rows.append({"input_ids": text, "labels": labels[:_OF_ITSELF], "stated": 0, "own": own[:_OF_ITSELF]})
    return Dataset.from_list(rows)


def as_statement_rows(rows: Dataset) -> Dataset:
    """Rows of question-answer data with the columns that rows of statements have."""
    own = [[0.0] * len(labels) for labels in rows["labels"]]
    return rows.add_column("stated", [0] * len(rows)).add_column("own", own)


def _token_ids(qagen: QAGen, texts: Sequence[str], max_tokens: int) -> list[list[int]]:
    encoded = qagen.tokenizer(list(texts), truncation=True, max_length=max_tokens, split_special_tokens=True)
    return encoded["input_ids"]


def statement_scores(token_log_probs: Tensor, target: Tensor, own: Tensor, rows: int) -> Tensor:
    """QUALS of each row's pairs, ``(B,)`` in nats per token.

    Args:
        token_log_probs: ``(tokens,)``, of the real target tokens, pair by pair.
        target: ``(B * group, T)`` bool, which tokens are real.
        own: ``(B * group,)``, mean log-probability of each pair under its statement.
        rows: B.
    """
    pairs = target.nonzero()[:, 0]  # (tokens,)
    sums = torch.zeros_like(own).index_add(0, pairs, token_log_probs)  # (B * group,)
    return (sums / target.sum(1) - own).view(rows, -1).mean(1)  # (B,)


def contrast_loss(scores: Tensor, stated: Tensor) -> Tensor:
    """The loss of each statement, ``(B,)`` in nats per token, at least 0.

    Args:
        scores: ``(B,)``, nats per token.
        stated: ``(B,)``, 1 or -1.
    """
    return nn.functional.softplus(-stated * SHARPNESS * (scores - THRESHOLD)) / SHARPNESS
