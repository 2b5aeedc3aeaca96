"""Passages are shown as sentences, paragraphs and documents, with every pair once."""

from __future__ import annotations

import random
from collections.abc import Sequence
from itertools import chain
from typing import Any

import pytest

from trainer_ext.recipes.qa_data import Passage, QAPair
from trainer_ext.recipes.qagen.examples import Example, make_examples

PARIS = "Paris is the capital of France. The Seine runs through Paris. It was founded by the Parisii."


def articles() -> tuple[list[Passage], list[int]]:
    """Articles of 5 passages of 3 sentences each, the words of no passage occurring in another, and their lengths."""
    passages = []
    for title in ("a", "b", "", "c"):
        for number in range(5):
            name = f"{title or 'none'}{number}"
            text = " ".join(f"Thing {name}-{i} was said." for i in range(3))
            pairs = [
                QAPair(f"What {name}-{i}?", (f"{name}-{i}", "said", "a saying"), text.index(f"{name}-{i}"))
                for i in range(3)
            ]
            pairs.append(QAPair(f"Why {name}?", ("because",), None))
            passages.append(Passage(text, tuple(pairs), title))
    return passages, [len(passage.text.split()) for passage in passages]


def examples(seed: int = 0, **options: Any) -> list[Example]:
    passages, lengths = articles()
    return list(make_examples(passages, lengths, random.Random(seed), **options))


def questions(shown: Sequence[Example]) -> list[str]:
    return sorted(question for example in shown for question, _ in example.targets)


@pytest.mark.parametrize("shape", [{}, {"sentence_share": 1.0}, {"sentence_share": 0.0, "document_share": 1.0}])
def test_every_pair_is_shown_once_and_the_seed_decides_all(shape: dict[str, Any]) -> None:
    shown = examples(**shape)
    assert shown == examples(**shape)
    assert shown != examples(seed=1, **shape)
    assert questions(shown) == sorted(pair.question for passage in articles()[0] for pair in passage.pairs)
    accepted = {pair.question: pair.answers for passage in articles()[0] for pair in passage.pairs}
    assert all(answer in accepted[question] for example in shown for question, answer in example.targets)


def test_sentence_examples_hold_the_answer() -> None:
    passages, _ = articles()
    whole = {passage.text for passage in passages}
    sentences = 0
    for example in examples(sentence_share=1.0):
        for question, answer in example.targets:
            if question.startswith("What"):
                assert answer in example.text
                assert question[5:-1] in example.text  # the sentence of the offset, not another with the same words
                assert example.text.count(".") == 1
                sentences += 1
            else:  # its answer stands nowhere, so the whole passage is shown
                assert example.text in whole
    assert sentences == 3 * len(passages)


def test_an_answer_across_sentences_is_shown_with_the_whole_passage() -> None:
    pair = QAPair("What?", ("France. The Seine",), PARIS.index("France. The Seine"))
    [example] = make_examples([Passage(PARIS, (pair,))], [20], random.Random(0), sentence_share=1.0)
    assert example.text == PARIS


def test_a_title_ends_no_sentence() -> None:
    text = "In 1912 Capt. Smith led the ship. The U.S. Senate asked why it sank."
    pair = QAPair("Who led the ship?", ("Capt. Smith",), text.index("Capt."))
    [example] = make_examples([Passage(text, (pair,))], [20], random.Random(0), sentence_share=1.0)
    assert example == Example("In 1912 Capt. Smith led the ship.", (("Who led the ship?", "Capt. Smith"),))


def test_the_offset_decides_between_sentences_with_the_same_word() -> None:
    pair = QAPair("Where does the Seine run?", ("Paris",), PARIS.index("Paris", 1))
    [example] = make_examples([Passage(PARIS, (pair,))], [20], random.Random(0), sentence_share=1.0)
    assert example.text == "The Seine runs through Paris."


def test_document_examples_hold_the_passage_and_neighbours_of_its_article_only() -> None:
    passages, lengths = articles()
    budget = 40
    sizes = set()
    shown = [examples(seed, sentence_share=0.0, document_share=1.0, max_tokens=budget) for seed in range(10)]
    for passage, example in zip(passages * 10, chain.from_iterable(shown), strict=True):
        parts = example.text.split("\n")
        places = [[p.text for p in passages].index(part) for part in parts]
        assert places == list(range(places[0], places[0] + len(parts)))  # neighbours, in the article's order
        assert passage.text in parts
        if passage.title:
            assert {passages[place].title for place in places} == {passage.title}
        else:
            assert len(parts) == 1  # passages without a title have no neighbours
        assert sum(lengths[place] for place in places) <= budget
        sizes.add(len(parts))
    assert sizes == {1, 2, 3}  # documents of several lengths


def test_a_passage_longer_than_the_document_stands_alone() -> None:
    passages, lengths = articles()
    shown = examples(sentence_share=0.0, document_share=1.0, max_tokens=min(lengths) - 1)
    assert [example.text for example in shown] == [passage.text for passage in passages]


def test_shares_are_the_chances_of_the_shapes() -> None:
    passages = [Passage(f"One {i}. Two {i}.", (QAPair("Q?", (f"One {i}",), 0),), "t") for i in range(2000)]
    shown = list(make_examples(passages, [4] * 2000, random.Random(3), 64, sentence_share=0.4, document_share=0.1))
    documents = sum("\n" in example.text for example in shown) / 2000
    sentences = sum(example.text.startswith("One") and "Two" not in example.text for example in shown) / 2000
    assert sentences == pytest.approx(0.4, abs=0.03)
    assert documents == pytest.approx(0.1, abs=0.02)


def test_many_pairs_are_capped_and_drawn_anew_in_each_pass() -> None:
    pairs = tuple(QAPair(f"Q{i}?", ("Paris",), 0) for i in range(50))
    rng = random.Random(0)
    passes = [
        questions(list(make_examples([Passage(PARIS, pairs)], [20], rng, sentence_share=0.0, max_pairs=7)))
        for _ in range(2)
    ]
    assert [len(set(drawn)) for drawn in passes] == [7, 7]
    assert passes[0] != passes[1]
