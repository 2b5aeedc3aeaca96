"""A claim's words: what was changed, and what can be left out, stand where they should."""

from __future__ import annotations

import random

import pytest
import spacy
from spacy.tokens import Doc, Span
from support.parsed import LONG, first, long_sentence

from trainer_ext.recipes.factcc.claim_changes import CHANGES, Change, Edit, negate
from trainer_ext.recipes.factcc.claim_texts import ClaimText, claim_text, omissible_tokens


@pytest.mark.parametrize(
    ("words", "spaces", "change", "expected", "changed"),
    [
        ("Ann met Bob .", [True, True, False, False], CHANGES["names"], "Ann met Ann.", "Ann."),
        ("( Ann ) met Bob Ray .", [False, False, True, True, True, False, False], CHANGES["names"],
         "(Bob Ray) met Bob Ray.", "(Bob Ray)"),
        ("Ann is here .", [True, True, False, False], negate, "Ann is not here.", "is not"),
        ("Ann is n't here .", [True, False, True, False, False], negate, "Ann is here.", "is"),
        ("Ann is nt here .", [True, False, True, False, False], negate, None, None),
    ],
)  # fmt: skip
def test_the_changed_words_are_told(
    words: str, spaces: list[bool], change: Change, expected: str, changed: str
) -> None:
    tokens = words.split()
    entities = {"Ann": "B-PERSON", "Bob": "B-PERSON", "Ray": "I-PERSON"}
    document = Doc(
        spacy.blank("en").vocab,
        words=tokens,
        spaces=spaces,
        pos=["AUX" if token == "is" else "X" for token in tokens],
        ents=[entities.get(token, "O") for token in tokens],
        sent_starts=[place == 0 for place in range(len(tokens))],
    )
    sentence = first(document)
    edits = [change(sentence, random.Random(seed), {}) for seed in range(30)]
    if expected is None:
        assert edits == [None] * 30
        return
    found = [claim_text(sentence, edit) for edit in edits]
    told = {" ".join(one.text.split()[one.first : one.last + 1]) for one in found if one.text == expected}  # type: ignore[operator]
    assert told == {changed}


def shortened(sentence: Span, edit: Edit | None, least_words: int) -> set[str]:
    """The texts that leaving out makes."""
    rngs = map(random.Random, range(40))
    return {claim_text(sentence, edit, omissible_tokens(sentence, edit, rng, least_words)).text for rng in rngs}


def test_parts_that_the_sentence_can_miss_are_left_out() -> None:
    sentence = long_sentence()
    assert shortened(sentence, None, least_words=3) == {
        "Ann met Bob in Paris .",
        "Ann , who sang , met Bob .",
        "Ann met Bob .",
    }
    edit = Edit(8, 9, "London")
    assert shortened(sentence, edit, least_words=3) == {"Ann met Bob in London ."}, "what was changed stays"


def test_a_sentence_stays_long_enough() -> None:
    sentence = long_sentence()
    assert {omissible_tokens(sentence, None, random.Random(seed)) for seed in range(40)} == {
        frozenset({1, 2, 3, 4}),
        frozenset({7, 8}),
    }


def test_nothing_is_left_out_where_less_may_be_false() -> None:
    for place, word in ((2, "only"), (6, "nobody"), (8, "all")):
        words = [*LONG[:place], word, *LONG[place + 1 :]]
        assert omissible_tokens(long_sentence(words), None, random.Random(0), least_words=1) == frozenset()
    without = long_sentence([*LONG[:7], "without", *LONG[8:]])
    assert omissible_tokens(without, None, random.Random(0), least_words=1) == frozenset()


def test_spaces_and_places_are_right_behind_what_was_left_out() -> None:
    sentence = long_sentence(spaces=[False, True, True, False, True, True, True, True, False, False])
    assert claim_text(sentence, Edit(6, 7, "Carl Orff"), {7, 8}) == ClaimText("Ann, who sang, met Carl Orff.", 4, 5)
    shorter = claim_text(sentence, Edit(0, 1, "carl"), {1, 2, 3, 4, 7, 8})
    assert (shorter.first, shorter.last) == (0, 0)
    assert shorter.text == "Carl met Bob."
