"""Folding, finding an answer in its summary, and choosing pairs."""

from __future__ import annotations

import random

import pytest
from quals.pairs import Pair, find_answer, fold, select


def find(answer: str, summary: str) -> str | None:
    """The summary's own spelling of the answer."""
    span = find_answer(answer, fold(summary))
    return None if span is None else summary[slice(*span)]


@pytest.mark.parametrize(
    ("answer", "summary", "expected"),
    [
        ("he", "the cat", None),
        ("cat", "concatenate the CAT.", "CAT"),
        ("wembley stadium", "At Wembley-Stadium, on Monday", "Wembley-Stadium"),
        ("francois", "President François spoke", "François"),
        ("francois", "President Franc\u0327ois spoke", "Franc\u0327ois"),
        ("strasse", "Die Straße", "Straße"),
        ("8. 0 ms", "measured at 8.0 Ms and", "8.0 Ms"),
        ("king ' s", "the King's crown", "King's"),
        ("$ 146. 5 billion", "about US $146.5 billion spent", "146.5 billion"),
        ("fiancee", "his \ufb01anc\u00e9e left", "\ufb01anc\u00e9e"),
        ("paris", "\U0001f600Paris\U0001f600", "Paris"),
        ("\u05e9\u05dc\u05d5\u05dd", "(\u05e9\u05dc\u05d5\u05dd)", "\u05e9\u05dc\u05d5\u05dd"),
        ("wembley", "At Wem\u00adbley\u200b.", "Wem\u00adbley"),
        ("cat dog", "cat, the dog", None),
        ("", "anything", None),
        ("?!", "what?!", None),
        ("1 2", "\u00bd cup", "\u00bd"),
    ],
)
def test_find_answer(answer: str, summary: str, expected: str | None) -> None:
    assert find(answer, summary) == expected


def test_the_first_occurrence_is_found() -> None:
    assert find_answer("cat", fold("a cat and a cat")) == (2, 5)


def test_every_span_folds_to_its_answer() -> None:
    rng = random.Random(0)
    alphabet = "aAbB \u00e9e\u0301\u00df\ufb01-'.,1\u00bd\U0001f600\u0130\u4e2d"
    found = 0
    for _ in range(2000):
        summary = "".join(rng.choice(alphabet) for _ in range(rng.randrange(30)))
        words = fold(summary)
        if not words:
            continue
        first = rng.randrange(len(words))
        last = rng.randrange(first, min(len(words), first + 3))
        answer = " ".join(word.folded for word in words[first : last + 1])
        span = find_answer(answer, words)
        if span is None:  # folding a folded word can change it again; then it is no answer
            continue
        found += 1
        wanted = [word.folded for word in fold(answer)]
        runs = [words[i : i + len(wanted)] for i in range(len(words))]
        assert any([w.folded for w in run] == wanted and (run[0].start, run[-1].end) == span for run in runs)
    assert found > 1000


def pair(question: str, answer: str, total: float) -> Pair:
    return Pair(question, answer, 0, 1, (0,), (total,))


def test_select_takes_answers_in_turn_and_likely_pairs_first() -> None:
    pairs = [pair("q1", "A", -1), pair("q2", "a", -2), pair("q3", "b", -3), pair("q4", "A!", -4), pair("q5", "c", -5)]
    chosen = select(random.Random(1).sample(pairs, 5), 10)
    assert [p.question for p in chosen] == ["q1", "q3", "q5", "q2", "q4"]


def test_select_never_asks_twice_and_caps_hard() -> None:
    pairs = [pair("Who won?", "a", -1), pair("who won", "b", -2), pair("what", "b", -3), pair("where", "c", -4)]
    assert [(p.question, p.answer) for p in select(pairs, 10)] == [("Who won?", "a"), ("what", "b"), ("where", "c")]
    assert [p.answer for p in select(pairs, 2)] == ["a", "b"]
    assert select([], 10) == []


def test_select_invariants_on_random_pairs() -> None:
    rng = random.Random(0)
    for _ in range(200):
        pairs = [pair(f"q{rng.randrange(12)}", f"a{rng.randrange(5)}", -float(rng.randrange(9))) for _ in range(30)]
        cap = rng.randrange(1, 15)
        chosen = select(pairs, cap)
        assert len(chosen) <= cap
        assert len({p.question for p in chosen}) == len(chosen)
        assert all(p in pairs for p in chosen)
        distinct = len({p.question for p in pairs})
        assert len(chosen) >= min(cap, distinct, len({p.answer for p in pairs})) or len(chosen) == distinct
        assert select(pairs, cap) == chosen
