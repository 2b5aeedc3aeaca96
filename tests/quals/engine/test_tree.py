"""The tree of prefixes: what is shared is computed once, and scores as without it."""

from __future__ import annotations

import copy

import pytest
import torch
from quals.attention import share_encoder_states
from quals.batching import encode_texts
from quals.decoding import encode, teacher_forced
from quals.matmul import rounded_up
from quals.tree import PrefixTree, pack
from support.quals_reference import teacher_force
from support.tiny import tiny_model
from transformers import PreTrainedModel

TEXTS = [[1, 5, 6, 7, 8, 2], [1, 9, 10, 2]]


def test_equal_prefixes_are_one_node() -> None:
    tree = PrefixTree([[5, 6, 2], [5, 7, 2], [5, 6, 2], [5]], start=1)
    assert list(zip(tree.tokens, tree.depths, tree.parents, strict=True)) == [
        (1, 0, 0),
        (5, 1, 0),
        (6, 2, 1),
        (7, 2, 1),
    ]
    assert [[tree.steps[step] for step in path] for path in tree.paths] == [
        [(0, 5), (1, 6), (2, 2)],
        [(0, 5), (1, 7), (3, 2)],
        [(0, 5), (1, 6), (2, 2)],
        [(0, 5)],
    ]


def test_a_node_attends_to_its_ancestors_and_itself() -> None:
    trees = [PrefixTree([[5, 6, 2], [5, 7, 2]], start=1), PrefixTree([[8]], start=1)]
    tokens, depths, attended = pack(trees, pad_token_id=0)
    width = rounded_up(4)
    assert tokens.tolist() == [[1, 5, 6, 7] + [0] * (width - 4), [1] + [0] * (width - 1)]
    assert depths[0, :4].tolist() == [0, 1, 2, 2]
    whom = [row.nonzero()[:, 0].tolist() for row in attended[0, 0]]
    assert whom == [[0], [0, 1], [0, 1, 2], [0, 1, 3], *([place] for place in range(4, width))]


def score(model: PreTrainedModel, rows: list[tuple[int, list[int]]]) -> list[tuple[float, ...]]:
    shared = copy.deepcopy(model)
    share_encoder_states(shared)
    with torch.inference_mode():
        texts = encode(shared, *encode_texts(TEXTS, 0, torch.device("cpu")))
    return teacher_forced(shared, texts, torch.tensor([text for text, _ in rows]), [target for _, target in rows])


def test_a_tree_with_more_nodes_than_the_model_has_positions(any_model: PreTrainedModel) -> None:
    """Positions are depths: 64 of them are enough for any number of nodes."""
    generator = torch.Generator().manual_seed(0)
    targets = torch.randint(3, 40, (12, 9), generator=generator).tolist()
    targets += [[*target[:5], 2] for target in targets]
    rows = [(text, target) for text in (0, 1) for target in targets]
    assert len(PrefixTree(targets, start=1)) > 64
    for (text, target), log_probs in zip(rows, score(any_model, rows), strict=True):
        assert log_probs == pytest.approx(teacher_force(any_model, TEXTS[text], target), abs=2e-4)


def test_a_sequence_is_scored_alike_whatever_shares_its_tree(any_model: PreTrainedModel) -> None:
    targets = [[5, 6, 7, 2], [5, 6, 8, 9, 2], [10, 2]]
    together = score(any_model, [*((0, target) for target in targets), (1, [5, 2])])
    for target, log_probs in zip(targets, together, strict=False):
        (alone, _) = score(any_model, [(0, target), (1, [5, 2])])
        assert log_probs == pytest.approx(alone, abs=1e-5)


def test_a_model_of_unknown_positions_is_refused() -> None:
    model = tiny_model("bart")
    del model.get_decoder().embed_positions
    with pytest.raises(ValueError, match="positions of an unknown kind"):
        score(model, [(0, [5, 2]), (1, [5, 2])])
