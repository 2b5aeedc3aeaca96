"""What a result looks like: one line, a table of its pairs, a table of many results."""

from __future__ import annotations

import math
from pathlib import Path

from factcc.results import FactCCResult, JudgedSentence
from qags.results import AnsweredQuestion, QAGSResult
from quals import QualsResult, QualsScorer, ScoredPair, results_to_pandas
from quals.results import one_line
from support.doctests import check_examples

QUESTION = "which of the very many towns along the river was the one that they reached in the end ?"
TOKENS = ("q", "<sep>", "a", "</s>")


def make_pair(question: str, answer: str, source: float) -> ScoredPair:
    return ScoredPair(question, answer, 0, 3, -0.5, source, TOKENS, (-0.5,) * 4, (source,) * 4, 2)


RESULT = QualsResult(-2.25, (make_pair("who ?", "ann", -1.0), make_pair(QUESTION, "two\nlines " * 90, -4.5)), 1, False)


def test_a_result_is_shown_in_one_short_line() -> None:
    assert repr(RESULT) == (
        "QualsResult(score=-2.250, num_pairs=2, "
        "worst=-4.000 'which of the very many towns along the river was the one...')"
    )
    assert repr(QualsResult(math.nan, (), 1, False)) == "QualsResult(score=nan, num_pairs=0)"


def test_the_rivals_results_are_shown_in_one_line_too() -> None:
    questions = tuple(AnsweredQuestion(f"who is {n} ?", -1.0, "ann", answer, score) for n, answer, score in
                      ((1, "ann", 1.0), (2, "", 0.0)))  # fmt: skip
    assert repr(QAGSResult.of(questions, 1, False, False)) == (
        "QAGSResult(score=0.500, num_questions=2, worst=0.000 \"who is 2 ? -> 'ann', source: ''\")"
    )
    sentences = (JudgedSentence("It rained.", 0, 10, 0.25), JudgedSentence("It did not.", 11, 22, 0.75))
    assert repr(FactCCResult.of(sentences, 1, False, False)) == (
        "FactCCResult(score=0.500, num_sentences=2, worst=0.250 'It rained.')"
    )


def test_a_result_as_a_table_has_a_row_per_pair() -> None:
    table = RESULT.to_pandas()
    assert list(table.columns)[:5] == ["question", "answer", "start", "end", "score"]
    assert list(table["score"]) == [-0.5, -4.0]
    empty = QualsResult(math.nan, (), 1, False).to_pandas()
    assert list(empty.columns) == list(table.columns)
    assert len(empty) == 0


def test_many_results_as_a_table_have_a_row_per_summary() -> None:
    table = results_to_pandas([RESULT, QualsResult(math.nan, (), 3, True, source="s", summary="t", signature="x")])
    assert list(table["num_pairs"]) == [2, 0]
    assert list(table["source"]) == ["", "s"]
    assert table["score"].mean() == -2.25
    rival = results_to_pandas([FactCCResult.of((JudgedSentence("It rained.", 0, 10, 0.25),), 1, False, False)])
    assert list(rival["num_sentences"]) == [1]


def test_the_examples_run() -> None:
    for item in (results_to_pandas, one_line):
        check_examples(item.__doc__ or "", 2)


def test_a_result_carries_its_texts_and_its_scorers_signature(tiny_qagen: Path) -> None:
    scorer = QualsScorer(str(tiny_qagen), num_groups=2)
    texts = [("the cat sat on the mat", "the cat sat"), ("a dog barked at the man", "a dog barked")]
    results = scorer.score(*zip(*texts, strict=True))
    assert [(result.source, result.summary) for result in results] == texts
    assert {result.signature for result in results} == {scorer.signature}
