"""The pair in the repository, on texts that it was not trained on."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import spacy
from qags import QAGSScorer
from qags.qags import QAGS
from qags.questioner import load_questioner
from qags.reader import Reader, load_reader
from quals.example_texts import EXAMPLES
from spacy.language import Language
from support.doctests import check_examples
from support.tiny import REPOSITORY

FOLDER = REPOSITORY / "metrics" / "qags"
BRIDGE, CLOSING = EXAMPLES["The bridge: right"]
SOURCE, CONSISTENT = EXAMPLES["The chink in the armour: right"]
_, INCONSISTENT = EXAMPLES["The chink in the armour: given to the wrong man"]


@pytest.fixture(scope="module")
def reader() -> Reader:
    return load_reader(str(FOLDER / "reader-mini"))


@pytest.fixture
def pipeline(monkeypatch: pytest.MonkeyPatch) -> Language:
    """Rules that know three names, loaded whatever pipeline is asked for; the trained one need not be installed."""
    rules = spacy.blank("en")
    rules.add_pipe("sentencizer", name="parser")
    rules.add_pipe("attribute_ruler", name="tagger")
    entities: Any = rules.add_pipe("entity_ruler", name="ner")
    people = ("Anthony Joshua", "Wladimir Klitschko", "Helen Marsh")
    entities.add_patterns([{"label": "PERSON", "pattern": name} for name in people])
    monkeypatch.setattr("spacy.load", lambda name: rules)
    return rules


@pytest.mark.parametrize(
    ("question", "answer"),
    [
        ("Who runs the bakery?", "Helen Marsh"),
        ("How much does the repair cost?", "4.2 million pounds"),
        ("In which month had inspectors found cracks?", "March"),
    ],
)
def test_the_reader_answers_from_the_text_at_hand(reader: Reader, question: str, answer: str) -> None:
    found, elsewhere = reader.read([question, question], [BRIDGE, SOURCE])
    assert found.answer == answer
    assert elsewhere.answer == "", "that text does not say"


def test_the_questioner_asks_for_the_answer_that_it_is_given() -> None:
    questioner = load_questioner(str(FOLDER / "questioner-mini"))
    who, how_long = questioner.ask([CONSISTENT, CLOSING], ["Anthony Joshua", "about seven months"], beams=3)
    assert all(question.text.startswith("who sa") for question in who)
    assert all(question.text.startswith("how long") for question in how_long)


def test_names_in_each_others_place_are_found_out(pipeline: Language) -> None:
    right, wrong = QAGSScorer(pipeline=pipeline).score([SOURCE, SOURCE], [CONSISTENT, INCONSISTENT])
    assert right.score > 0.5 > wrong.score


def test_the_examples_in_the_metrics_texts_are_true(
    pipeline: Language, evaluate_caches: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(REPOSITORY)
    check_examples(QAGS().inputs_description, 5)
