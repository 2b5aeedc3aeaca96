"""Selection by examples worked out by hand."""

from __future__ import annotations

import math
from typing import Any

import pytest
from datasets import Dataset
from support.mining_data import columns

from trainer_ext.mining import Selection, select_candidates
from trainer_ext.mining.selection import effective_rule
from trainer_ext.options import RULES

NAN = math.nan


def scored(scores: list[list[float]], references: list[float] | None = None, **more: list[Any]) -> Dataset:
    """Candidate j of document i is the label list [i, j]; its reference is [i, 99]."""
    made: dict[str, list[Any]] = {
        "labels": [[i, 99, -100] for i in range(len(scores))],
        "candidate_labels": [[[i, j] for j in range(len(mine))] for i, mine in enumerate(scores)],
        "candidate_scores": scores,
    }
    if references is not None:
        made["reference_score"] = references
    return Dataset.from_dict({**made, **more})


def selected(dataset: Dataset, needs_reference: bool = False, **settings: Any) -> list[tuple[int, list[int]]]:
    """(document, its candidates) of each row."""
    result = select_candidates(dataset, Selection(**settings), needs_reference=needs_reference)
    for scores, labels in zip(result["candidate_scores"], result["candidate_labels"], strict=True):
        assert len(scores) == len(labels)
    return [
        (labels[0], [ids[1] for ids in candidates])
        for labels, candidates in zip(result["labels"], result["candidate_labels"], strict=True)
    ]


TEN = [[0.0, -1.0 * i] for i in range(10)]  # r_i is -i
ONES = [0.1 * ((i * 3) % 10) for i in range(10)]  # g_i largest for 3 (0.9), 6 (0.8), 9 (0.7)


def test_two_sided_is_the_papers() -> None:
    # I- = {7, 8, 9}, I+ = {3, 6, 9}
    assert selected(scored(TEN, ONES)) == [(i, [1]) for i in (3, 6, 7, 8, 9)]
    assert selected(scored(TEN, ONES), fraction=0.1) == [(3, [1]), (9, [1])]
    assert selected(scored(TEN, ONES), fraction=0.01) == [(3, [1]), (9, [1])]  # one document at least
    assert selected(scored(TEN, ONES), fraction=1.0, num_negatives=None)[:2] == [(0, [0, 1]), (1, [0, 1])]


def test_one_sided_is_as_many_as_the_union_is_expected_to_be() -> None:
    # 1 - 0.7^2 = 0.51
    assert [i for i, _ in selected(scored(TEN, ONES), rule="one_sided")] == [5, 6, 7, 8, 9]
    assert [i for i, _ in selected(scored(TEN, ONES), rule="one_sided", fraction=0.1)] == [8, 9]  # 0.19


@pytest.mark.parametrize(
    ("references", "needs_reference", "rule"),
    [
        (ONES, False, "two_sided"),
        (ONES, True, "one_sided"),
        ([0.5] * 10, False, "one_sided"),
        ([NAN] * 10, False, "one_sided"),
        ([0.5] * 9 + [NAN], False, "one_sided"),
        (None, False, "one_sided"),
    ],
)
def test_auto(references: list[float] | None, needs_reference: bool, rule: str) -> None:
    dataset = scored(TEN, references)
    assert effective_rule(dataset, Selection(), needs_reference) == rule
    assert selected(dataset, needs_reference) == selected(dataset, rule=rule)
    assert effective_rule(dataset, Selection(rule="all"), needs_reference) == "all"


def test_nan_sorts_last_in_both() -> None:
    scores = [[NAN, NAN], [NAN, -1.0], [-2.0, NAN], [-3.0, -0.5]]
    # r = nan, -1, -2, -3; g = 5, nan, 1, 0: I- of half = {3, 2}, I+ = {0, 2}; 0 has nothing to push away.
    assert selected(scored(scores, [5.0, NAN, 1.0, 0.0]), fraction=0.5) == [(2, [0]), (3, [0])]
    assert selected(scored(scores, [5.0, NAN, 1.0, 0.0]), fraction=1.0) == [(1, [1]), (2, [0]), (3, [0])]


def test_ties_go_to_the_lower_index() -> None:
    flat = [[-1.0, -1.0, -1.0]] * 4
    assert selected(scored(flat, [0.0, 2.0, 2.0, 1.0]), fraction=0.25) == [(0, [0]), (1, [0])]
    assert selected(scored(flat), fraction=0.25, num_negatives=2) == [(0, [0, 1]), (1, [0, 1])]


def test_counts_are_rounded() -> None:
    for count, expected in ((1, 1), (2, 1), (3, 2), (4, 2), (5, 3)):  # of 0.51
        assert len(selected(scored(TEN[:count]), rule="one_sided")) == expected


@pytest.mark.parametrize(
    ("count", "expected"), [(1, [3]), (2, [0, 3]), (3, [4, 0, 3]), (None, [2, 4, 0, 3]), (9, [2, 4, 0, 3])]
)
def test_negatives_are_the_lowest_best_first(count: int | None, expected: list[int]) -> None:
    dataset = scored([[-2.0, NAN, 0.0, -3.0, -1.0]])
    assert selected(dataset, num_negatives=count) == [(0, expected)]
    [scores] = select_candidates(dataset, Selection(num_negatives=count))["candidate_scores"]
    assert scores == [[-2.0, NAN, 0.0, -3.0, -1.0][place] for place in expected]


def test_a_candidate_that_is_the_reference_is_no_negative() -> None:
    dataset = Dataset.from_dict(
        {
            "labels": [[5, 6, -100], [5, 6, -100]],
            "candidate_labels": [[[5, 6], [5, 6, 7]], [[5, 6], [5, 6]]],
            "candidate_scores": [[-9.0, -1.0], [-9.0, -9.0]],
        }
    )
    result = select_candidates(dataset, Selection(fraction=1.0))
    assert list(result["candidate_labels"]) == [[[5, 6, 7]]]
    whole = select_candidates(dataset, Selection(rule="all"))
    assert list(whole["candidate_labels"]) == [[[5, 6, 7], [5, 6]], [[5, 6], [5, 6]]]
    assert columns(whole)["candidate_scores"] == [[-1.0, None], [None, None]]


def test_all_keeps_everything_best_first() -> None:
    dataset = scored([[-2.0, NAN, 0.0], [], [NAN], [1.0, 1.0, 2.0]])
    assert selected(dataset, rule="all") == [(0, [2, 0, 1]), (1, []), (2, [0]), (3, [2, 0, 1])]


# Documents: reference and candidates apart; the reference worst; all alike; the reference without a score.
PER_DOCUMENT = scored(
    [[-3.0, -1.0, -2.0], [-1.0, -4.0, 0.0], [-1.0, -1.0, -1.0], [-5.0, NAN, -2.0]], [0.0, -9.0, -1.0, NAN]
)


def per_document(**settings: Any) -> list[tuple[list[int], float, list[list[int]], list[float]]]:
    result = select_candidates(PER_DOCUMENT, Selection(rule="per_document", **settings))
    names = ("labels", "reference_score", "candidate_labels", "candidate_scores")
    return list(zip(*(list(result[name]) for name in names), strict=True))


def test_per_document_trains_towards_the_best() -> None:
    assert per_document() == [
        ([0, 99], 0.0, [[0, 0]], [-3.0]),
        ([1, 2], 0.0, [[1, 99]], [-9.0]),  # the reference is the worst
        ([3, 2], -2.0, [[3, 0]], [-5.0]),
    ]
    assert [row[0] for row in per_document(margin=3.0)] == [[0, 99], [1, 2], [3, 2]]
    assert [row[0] for row in per_document(margin=3.5)] == [[1, 2]]


def test_per_document_among_samples_only() -> None:
    """As if no reference had a score; document 1, whose reference is its worst, keeps it apart too."""
    assert per_document(references=False) == [
        ([0, 1], -1.0, [[0, 0]], [-3.0]),
        ([1, 2], 0.0, [[1, 1]], [-4.0]),
        ([3, 2], -2.0, [[3, 0]], [-5.0]),
    ]
    without = select_candidates(PER_DOCUMENT.remove_columns("reference_score"), Selection(rule="per_document"))
    assert [(row["labels"], row["candidate_labels"]) for row in without] == [
        (row[0], row[2]) for row in per_document(references=False)
    ]


def test_per_document_with_several() -> None:
    # 0: best 99 (0), 1 (-1); worst 2 (-2), 0 (-3). 1: best 2 (0), 0 (-1); worst 1 (-4), 99 (-9). 3: too few.
    assert per_document(num_extremes=2, num_negatives=None) == [
        ([0, 99], 0.0, [[0, 2], [0, 0]], [-2.0, -3.0]),
        ([0, 1], -1.0, [[0, 2], [0, 0]], [-2.0, -3.0]),
        ([1, 2], 0.0, [[1, 1], [1, 99]], [-4.0, -9.0]),
        ([1, 0], -1.0, [[1, 1], [1, 99]], [-4.0, -9.0]),
    ]
    assert [row[2] for row in per_document(num_extremes=2)] == [[[0, 0]], [[0, 0]], [[1, 99]], [[1, 99]]]
    with pytest.raises(ValueError, match="in none of 4 documents do the 3 best summaries lead the 3 worst by 0"):
        per_document(num_extremes=3)


def test_texts_are_selected_like_tokens() -> None:
    texts = {
        "candidates": [["a b", "the summary", "c"], ["x", "y", "z"]],
        "candidate_scores": [[-2.0, -9.0, 1.0], [-1.0, 0.0, -3.0]],
        "reference_score": [0.0, -5.0],
        "summary": ["the summary", "w"],
    }
    dataset = Dataset.from_dict(texts)
    result = select_candidates(dataset, Selection(fraction=1.0), reference_column="summary")
    assert list(result["candidates"]) == [["a b"], ["z"]]
    result = select_candidates(dataset, Selection(rule="per_document"), reference_column="summary")
    assert columns(result) == {
        "candidates": [["a b"], ["w"]],
        "candidate_scores": [[-2.0], [-5.0]],
        "reference_score": [1.0, 0.0],
        "summary": ["c", "y"],
    }
    # Of a reference that is not known as tokens, tokens cannot be a negative.
    both = dataset.add_column("candidate_labels", [[[1], [2], [3]], [[4], [5], [6]]])
    result = select_candidates(both, Selection(rule="per_document"), reference_column="summary")
    assert list(result["candidate_labels"]) == [[[1]], [[6]]]
    assert list(result["candidates"]) == [["a b"], ["z"]]


def test_other_columns_follow_their_rows() -> None:
    result = select_candidates(scored(TEN, ONES, id=[f"d{i}" for i in range(10)]), Selection())
    assert list(result["id"]) == ["d3", "d6", "d7", "d8", "d9"]
    assert result.features["labels"] == scored(TEN).features["labels"]


@pytest.mark.parametrize("rule", ["one_sided", "per_document"])
@pytest.mark.parametrize("scores", [[[NAN, NAN], []], [[], []]])
def test_nothing_left_says_why(scores: list[list[float]], rule: str) -> None:
    with pytest.raises(ValueError, match="of 2 documents none has a candidate with a score"):
        select_candidates(scored(scores), Selection(rule=rule))


def test_what_cannot_be_selected_from() -> None:
    with pytest.raises(ValueError, match="two_sided selects by the references' scores, and no reference has one"):
        select_candidates(scored(TEN), Selection(rule="two_sided"))
    with pytest.raises(ValueError, match="no column 'candidate_scores'"):
        select_candidates(Dataset.from_dict({"candidate_labels": [[[1]]]}), Selection())
    with pytest.raises(ValueError, match="no column 'candidate_labels'"):
        select_candidates(Dataset.from_dict({"candidate_scores": [[1.0]]}), Selection())
    wrong = Dataset.from_dict({"candidate_labels": [[[1]], [[1], [2]]], "candidate_scores": [[1.0], [1.0]]})
    with pytest.raises(ValueError, match="Row 1 has 2 candidate_labels and 1 candidate_scores"):
        select_candidates(wrong, Selection())


@pytest.mark.parametrize(
    "wrong",
    [
        {"rule": "worst"},
        {"fraction": 0.0},
        {"fraction": 1.1},
        {"fraction": "a"},
        {"num_negatives": 0},
        {"margin": -0.1},
        {"margin": NAN},
        {"num_extremes": 0},
    ],
)
def test_settings_out_of_range(wrong: dict[str, Any]) -> None:
    [name] = wrong
    with pytest.raises(ValueError, match=f"{name} is "):
        Selection(**wrong)


def test_every_rule_is_described() -> None:
    assert all(f"``{rule}``" in str(Selection.__doc__) for rule in RULES)
