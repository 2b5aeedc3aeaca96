"""Statements from files and from documents."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest
from spacy.tokens import Doc
from support.parsed import ENTITIES, WORDS, parsed

from trainer_ext.recipes.documents import read_documents
from trainer_ext.recipes.qagen.statements import change_statements, make_statements
from trainer_ext.recipes.statements import (
    Statement,
    read_statements,
    read_summaries,
    without_conflicts,
    write_statements,
)


def write(path: Path, *rows: dict[str, Any]) -> str:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return str(path)


class _ByHand:
    """Stands where a pipeline stands: gives documents that are parsed already."""

    def pipe(self, documents: list[Doc]) -> list[Doc]:
        return documents


def test_documents_give_true_and_false_statements_in_pairs() -> None:
    document = parsed(WORDS, entities=ENTITIES)
    made = [list(make_statements([document], _ByHand(), seed=seed)) for seed in range(20)]  # type: ignore[arg-type,list-item]
    assert all([told.consistent for told in pair] == [True, False] for pair in made)
    assert all(told.source == document.text for pair in made for told in pair)
    assert all(pair[0].text in document.text and pair[1].text not in document.text for pair in made)
    assert any(pair[1].text.startswith("Bob met Ann") for pair in made)  # roles exchanged, which FactCC's claims lack
    assert all(told.changed in told.text and bool(told.changed) != told.consistent for pair in made for told in pair)
    assert {"Bob met Ann", "Carl", "40"} & {pair[1].changed for pair in made}


class _Parses:
    """A pipeline that has parsed these documents already."""

    def __init__(self, *documents: Doc) -> None:
        self.parsed = {document.text: document for document in documents}

    def pipe(self, texts: Iterable[str]) -> list[Doc]:
        return [self.parsed[text] for text in texts]


def test_true_summaries_are_told_again_with_one_fact_changed() -> None:
    summary = parsed(WORDS, entities=ENTITIES)
    known = "What Ann, Bob and Carl did."
    given = [Statement(known, summary.text, True), Statement(known, "A lie.", False)]
    for seed in range(10):
        true, false = change_statements(given, _Parses(summary), seed=seed)  # type: ignore[arg-type]
        assert true == given[0]
        assert not false.consistent
        assert false.source == known
        assert false.changed in false.text
        assert false.text not in summary.text


def test_a_changed_summary_tells_nothing_that_the_source_or_another_summary_does() -> None:
    """Not even by a name of the summary before it, which the source has too."""
    names = [["Helen", "Marsh"], ["Tom", "Reed"], ["Ed", "Lowe"]]
    summaries = [
        parsed([*name, "runs", "the", "old", "bakery", "."], entities=["B-PERSON", "I-PERSON", *["O"] * 5])
        for name in names
    ]
    source = "Helen Marsh and Tom Reed run the bakery ; Ed Lowe left it ."
    elsewhere = Statement("Ann Porter sold it .", summaries[2].text, True)
    for seed in range(6):
        given = [elsewhere, *(Statement(source, summary.text, True) for summary in summaries[:2])]
        made = list(change_statements(given, _Parses(*summaries), seed=seed))  # type: ignore[arg-type]
        assert [told for told in made if told.consistent] == given
        assert not any(told.changed for told in made), "Ed Lowe is in the source, and Helen Marsh runs it"
    free = [elsewhere, Statement("Helen Marsh runs it .", summaries[0].text, True)]
    assert any(told.changed == "Ed Lowe" for told in change_statements(free, _Parses(*summaries)))  # type: ignore[arg-type]


def test_summaries_without_labels_are_true(tmp_path: Path) -> None:
    rows = [{"document": "A b “c”.", "summary": "C d."}] * 2 + [{"document": "A b.", "summary": " "}]
    assert read_summaries([write(tmp_path / "s.jsonl", *rows)]) == [Statement('A b "c".', "C d.", True)]
    with pytest.raises(ValueError, match=r"s\.jsonl"):
        read_summaries([write(tmp_path / "s.jsonl", {"document": "A b."})])


SENTENCES = [
    "The town of Arden stands on a river .",
    "Its mills ground corn for the whole valley until noon .",
    "Ann Porter built a bridge there with forty local masons .",
    "The masons came from quarries far beyond the northern hills .",
    "Ann Porter built a bridge there with forty local masons .",
    "Traders brought salt , wool and glass every second autumn .",
    "Few remember .",
    "A flood destroyed seven houses during one stormy winter night .",
]


def document(sentences: list[str]) -> Doc:
    words = " ".join(sentences).split()
    place = len(SENTENCES[0].split())  # of "Its", which leans on the sentence before
    pos = ["PRON" if word == "Its" else "X" for word in words]
    assert words[place] == "Its"
    return parsed(words, pos=pos)


@pytest.mark.parametrize("count", [0, 1, 2, 9])
def test_sentences_are_taken_out_and_told_about_the_rest(count: int) -> None:
    whole = document(SENTENCES)
    told_of = set()
    for seed in range(20):
        made = list(make_statements([whole], _ByHand(), left_out=count, seed=seed))  # type: ignore[arg-type,list-item]
        # What is told twice, leans on another sentence, is too short or opens the document stays.
        assert len(made) == 2 * min(count, 1)
        for told in made:
            told_of.add(told.text)
            assert (told.text in told.source) is told.consistent
            assert not told.changed
            left = whole.text.strip() if told.consistent else whole.text.strip().replace(f"{told.text} ", "")
            assert told.consistent or told.source.strip() in (left, left.removesuffix(f" {told.text}"))
    assert told_of <= {SENTENCES[3], SENTENCES[5], SENTENCES[7]}
    assert len(told_of) == (3 if count else 0)


def test_a_short_document_stays_whole() -> None:
    short = document(SENTENCES[:4])
    assert list(make_statements([short], _ByHand(), left_out=2)) == []  # type: ignore[arg-type,list-item]
    with pytest.raises(ValueError, match="left_out is -1"):
        list(make_statements([short], _ByHand(), left_out=-1))  # type: ignore[arg-type,list-item]


@pytest.mark.parametrize(
    ("row", "consistent"),
    [
        ({"premise": "A b.", "hypothesis": "C d.", "label": "entailment"}, True),
        ({"premise": "A b.", "hypothesis": "C d.", "label": "neutral"}, False),
        ({"document": "A b.", "summary": "C d.", "label": 1}, True),
        ({"source": "A b.", "claim": "C d.", "consistent": False}, False),
    ],
)
def test_rows_of_many_sets_are_read(row: dict[str, Any], consistent: bool, tmp_path: Path) -> None:
    file = write(tmp_path / "rows.jsonl", row, row)
    assert read_statements([file]) == [Statement("A b.", "C d.", consistent)]


def test_statements_and_documents_have_the_typography_that_the_metrics_read(tmp_path: Path) -> None:
    file = write(
        tmp_path / "rows.jsonl", {"source": "\u201cA\u201d \u2026", "claim": "It\u2019s C.", "consistent": True}
    )
    assert read_statements([file]) == [Statement('"A" ...', "It's C.", True)]
    assert read_documents([file]) == ['"A" ...']


def test_changed_words_are_read_and_written(tmp_path: Path) -> None:
    told = [Statement("A b.", "C d.", False, "d."), Statement("A b.", "A b.", True), Statement("A b.", "E.", False)]
    write_statements(tmp_path / "rows.jsonl", told)
    assert read_statements([str(tmp_path / "rows.jsonl")]) == told
    file = write(tmp_path / "true.jsonl", {"source": "A b.", "claim": "A b.", "label": 1, "changed": "nothing"})
    assert read_statements([file]) == told[1:2], "nothing is wrong in a true statement"


@pytest.mark.parametrize(
    ("changed", "message"), [("London", "'changed' is 'London', which the statement does not hold"), (5, "row 1")]
)
def test_changed_words_that_are_not_in_the_statement_are_refused(changed: Any, message: str, tmp_path: Path) -> None:
    file = write(tmp_path / "rows.jsonl", {"source": "A b.", "claim": "C d.", "label": 0, "changed": changed})
    with pytest.raises(ValueError, match=message):
        read_statements([file])


@pytest.mark.parametrize("label", [0, 1, 1.0, "0"])
def test_a_number_as_the_label_of_a_hypothesis_is_refused(label: Any, tmp_path: Path) -> None:
    """Most such files count entailment as 0, which here means false."""
    file = write(tmp_path / "rows.jsonl", {"premise": "A b.", "hypothesis": "C d.", "label": label})
    with pytest.raises(ValueError, match=r"row 1: 'label' is .* count entailment as 0: write entailment"):
        read_statements([file])
    file = write(tmp_path / "rows.jsonl", {"premise": "A b.", "hypothesis": "C d.", "consistent": label})
    assert [told.consistent for told in read_statements([file])] == [bool(float(label))]


def test_an_unknown_label_is_refused(tmp_path: Path) -> None:
    file = write(tmp_path / "rows.jsonl", {"source": "A b.", "claim": "C d.", "label": "perhaps"})
    with pytest.raises(ValueError, match="row 1: 'label' is 'perhaps'"):
        read_statements([file])


def test_statements_with_two_labels_are_left_out() -> None:
    told = [Statement("a", "b", True), Statement("a", "b", False), Statement("a", "c", True)]
    assert without_conflicts(told) == told[2:]
