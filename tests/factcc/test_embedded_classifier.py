"""The classifier in the repository, on texts that it was not trained on."""

from __future__ import annotations

from pathlib import Path

import pytest
from factcc import FactCCScorer
from factcc.factcc import FactCC
from quals.example_texts import EXAMPLES
from support.doctests import check_examples
from support.tiny import REPOSITORY

BRIDGE, _ = EXAMPLES["The bridge: right"]
SOURCE, INCONSISTENT = EXAMPLES["The chink in the armour: given to the wrong man"]


@pytest.fixture(scope="module")
def scorer() -> FactCCScorer:
    return FactCCScorer(str(REPOSITORY / "metrics" / "factcc" / "factcc-mini"))


FOUND = [
    (BRIDGE, "Inspectors had found cracks in March.", "Inspectors had found cracks in June."),
    (BRIDGE, "Helen Marsh said that she feared for her trade.", "Tom Brown said that she feared for her trade."),
    (SOURCE, "About 90,000 people are expected at Wembley.", "About 27 people are expected at Wembley."),
    (SOURCE, "Klitschko lost his titles to Tyson Fury.", "Klitschko did not lose his titles to Tyson Fury."),
]
DOUBTED = [  # names that the source has, in each other's place
    (BRIDGE, "Helen Marsh runs the bakery beside the bridge.", "Tamworth Ferry runs the bakery beside the bridge."),
    (SOURCE, "Klitschko laughed when the remark was put to him.", "Joshua laughed when the remark was put to him."),
]


@pytest.mark.parametrize(("source", "right", "wrong"), FOUND)
def test_a_changed_fact_is_found_out(scorer: FactCCScorer, source: str, right: str, wrong: str) -> None:
    first, second = scorer.score([source, source], [right, wrong])
    assert first.score > 0.5 > second.score


@pytest.mark.parametrize(("source", "right", "wrong"), DOUBTED)
def test_exchanged_names_lower_the_score(scorer: FactCCScorer, source: str, right: str, wrong: str) -> None:
    first, second = scorer.score([source, source], [right, wrong])
    assert first.score > max(0.5, second.score + 0.1)


def test_what_its_card_says_that_it_gets_wrong(scorer: FactCCScorer) -> None:
    other_words, exchanged = scorer.score(*zip(EXAMPLES["The bridge: right"], (SOURCE, INCONSISTENT), strict=True))
    assert other_words.score < 0.5 < exchanged.score


def test_the_examples_in_the_metrics_texts_are_true(evaluate_caches: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(REPOSITORY)
    check_examples(FactCC().inputs_description, 5)
