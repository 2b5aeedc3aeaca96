"""Each change does what its name says, on sentences that a parser has read."""

from __future__ import annotations

import random

import pytest
from support.parsed import ENTITIES, WORDS, first, parsed, tried

from trainer_ext.recipes.factcc.claim_changes import (
    CHANGES,
    bring_stranger,
    exchange_names,
    negate,
    same_entity,
    swap_pronoun,
)


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        ("names", {"Bob met Bob in 1999", "Carl met Bob in 1999", "Ann met Ann in 1999", "Ann met Carl in 1999"}),
        ("dates", {"Ann met Bob in 2005"}),
        ("numbers", {"Ann met Bob in 1999"}),
    ],
)
def test_entities_are_swapped_for_others_of_their_kind(kind: str, expected: set[str]) -> None:
    sentence = first(parsed(WORDS, entities=ENTITIES))
    found = tried(CHANGES[kind], sentence, range(30))
    assert {" ".join(text.split()[:5]) for text in found} == expected
    if kind == "numbers":
        assert found == {"Ann met Bob in 1999 and paid 40 euros ."}


def test_names_change_places_but_not_in_a_list() -> None:
    sentence = first(parsed(WORDS, entities=ENTITIES))
    assert tried(exchange_names, sentence, range(5)) == {"Bob met Ann in 1999 and paid 3 euros ."}
    entities = ["B-PERSON", "O", "B-PERSON", "O", "O", "B-GPE", "O"]
    listed = parsed(["Ann", "and", "Bob", "live", "in", "Paris", "."], entities=entities)
    assert exchange_names(first(listed), random.Random(0), {}) is None


def test_strangers_are_of_the_same_kind_and_not_of_the_document() -> None:
    sentence = first(parsed(WORDS, entities=ENTITIES))
    strangers = {"PERSON": ["Dora Maar", "Carl"], "MONEY": ["5 dollars"]}
    found = tried(bring_stranger, sentence, range(30), strangers)
    assert {text[: text.index(" in ")] for text in found} == {"Dora Maar met Bob", "Ann met Dora Maar"}
    assert bring_stranger(sentence, random.Random(0), {"PERSON": ["Carl"]}) is None


def test_an_entity_is_not_swapped_for_another_name_of_it() -> None:
    document = parsed(
        ["Obama", "spoke", ".", "Barack", "Obama", "left", "."],
        entities=["B-PERSON", "O", "O", "B-PERSON", "I-PERSON", "O", "O"],
    )
    assert CHANGES["names"](first(document), random.Random(0), {}) is None


@pytest.mark.parametrize(
    ("words", "tag", "dep", "row"),
    [
        ("She saw him .", "PRP", "nsubj", {"he", "it", "they", "we", "i", "you"}),
        ("Her dog barked .", "PRP$", "poss", {"his", "its", "their", "our", "my", "your"}),
    ],
)
def test_pronouns_stay_in_their_place(words: str, tag: str, dep: str, row: set[str]) -> None:
    tokens = words.split()
    document = parsed(
        tokens, {0: tag}, pos=["PRON", *["X"] * 3], deps=["nsubj" if dep == "nsubj" else "poss", *["dep"] * 3]
    )
    found = {text.split()[0] for text in tried(swap_pronoun, first(document), range(60))}
    assert {word.lower() for word in found} == row
    assert all(word[0].isupper() for word in found)


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("The cat is here .", "The cat is not here ."),
        ("The cat was not here .", "The cat was here ."),
        ("Cats sleep .", None),
        ("She is right , he was not .", "She is right , he was ."),
    ],
)
def test_negation(words: str, expected: str | None) -> None:
    tokens = words.split()
    document = parsed(tokens, pos=["AUX" if token in ("is", "was") else "X" for token in tokens])
    assert tried(negate, first(document), range(3)) == ({expected} if expected else set())


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("Obama", "Barack Obama", True),
        ("UK", "the UK", True),
        ("two", "2", True),
        ("Americans", "American", True),
        ("Ann's", "Ann", True),
        ("U.S.", "France", False),
        ("US", "U", False),
        ("two", "three", False),
        ("the", "a", False),
    ],
)
def test_what_may_mean_the_same(one: str, other: str, same: bool) -> None:
    assert same_entity(one, other) == same_entity(other, one) == same


def test_an_article_is_not_said_twice_and_sentences_begin_large() -> None:
    words = ["The", "BBC", "met", "Ann", ".", "Later", "the", "Times", "came", "."]
    entities = ["B-ORG", "I-ORG", "O", "O", "O", "O", "B-ORG", "I-ORG", "O", "O"]
    swapped = tried(CHANGES["names"], first(parsed(words, entities=entities)), range(5))
    assert swapped == {"The Times met Ann ."}
    words, entities = (
        ["So", "the", "BBC", "met", "Ann", ".", "Then", "the", "Times", "came", "."],
        ["O", "O", "B-ORG", *"OOOO", "B-ORG", "I-ORG", "O", "O"],
    )
    assert tried(CHANGES["names"], first(parsed(words, entities=entities)), range(5)) == {"So the Times met Ann ."}


def test_the_kinds_of_change() -> None:
    assert set(CHANGES) == {"names", "numbers", "dates", "strangers", "pronouns", "negation"}
