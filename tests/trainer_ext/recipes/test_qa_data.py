"""Question-answer data are read in all their forms, and what cannot be read is named."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from trainer_ext.recipes.qa_data import Passage, QAPair, read_passages

PARIS = "Paris is the capital of France. The Seine runs through Paris. It was founded by the Parisii."


def lines(path: Path, *rows: Mapping[str, Any]) -> str:
    path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), encoding="utf-8")
    return str(path)


def flat(**fields: Any) -> dict[str, Any]:
    return {"context": PARIS, "question": "What runs through Paris?", **fields}


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "data.jsonl"


SEINE = Passage(PARIS, (QAPair("What runs through Paris?", ("The Seine",), PARIS.index("The Seine")),))


@pytest.mark.parametrize(
    "answers",
    [
        {"answers": ["The Seine"]},
        {"answers": [{"text": "The Seine", "answer_start": 32}]},
        {"answers": [{"text": "The Seine"}]},
        {"answers": {"text": ["The Seine"], "answer_start": [32]}},
        {"answers": {"text": ["The Seine"]}},
        {"answer": "The Seine"},
        {"answers": ["  The Seine "]},
        {"answers": ["", "The Seine", "The Seine"]},
        {"answers": [{"text": "The Seine", "answer_start": 3}]},  # a wrong offset is mended
    ],
)
def test_flat_rows_with_answers_of_every_form(file: Path, answers: dict[str, Any]) -> None:
    assert read_passages(lines(file, flat(**answers))) == [SEINE]


def test_nested_squad_and_json_lines_with_qas_are_the_same(tmp_path: Path) -> None:
    qas = [
        {"id": "1", "question": "What runs through Paris?", "answers": [{"text": "The Seine", "answer_start": 32}]},
        {"id": "2", "question": "Who founded it?", "answers": [{"text": "the Parisii", "answer_start": 80}]},
    ]
    nested = tmp_path / "squad.json"
    squad = {"version": "1.1", "data": [{"title": "Paris", "paragraphs": [{"context": PARIS, "qas": qas}]}]}
    nested.write_text(json.dumps(squad, indent=1), encoding="utf-8")
    expected = [Passage(PARIS, (*SEINE.pairs, QAPair("Who founded it?", ("the Parisii",), 80)), "Paris")]
    assert read_passages(str(nested)) == expected
    assert read_passages(lines(tmp_path / "x.jsonl", {"title": "Paris", "context": PARIS, "qas": qas})) == expected


def test_the_given_offset_counts_where_the_answer_stands_twice(file: Path) -> None:
    second = PARIS.index("Paris", 1)
    [passage] = read_passages(lines(file, flat(answers=[{"text": "Paris", "answer_start": second}])))
    assert passage.pairs[0].start == second


def test_an_answer_that_is_not_in_the_passage_has_no_offset(file: Path) -> None:
    [passage] = read_passages(lines(file, flat(answers=["a river", "The Seine"])))
    assert passage.pairs == (QAPair("What runs through Paris?", ("a river", "The Seine"), None),)


def test_unanswerable_questions_are_left_out(file: Path) -> None:
    rows = [
        flat(is_impossible=True, answers=["The Seine"]),
        flat(answers=[]),
        flat(answers={"text": [], "answer_start": []}),
        flat(answers=["  "]),
        {"context": "Nothing is asked of this.", "qas": []},
        flat(answers=["The Seine"]),
    ]
    assert read_passages(lines(file, *rows)) == [SEINE]


def test_rows_of_one_context_are_one_passage_in_order(file: Path) -> None:
    other = {"context": "Rome lies on the Tiber.", "question": "What lies on the Tiber?", "answer": "Rome"}
    rows = [flat(answer="The Seine"), other, {**flat(answer="the Parisii"), "question": "Who founded it?"}]
    passages = read_passages(lines(file, *rows))
    assert [passage.text for passage in passages] == [PARIS, other["context"]]
    assert [pair.question for pair in passages[0].pairs] == ["What runs through Paris?", "Who founded it?"]


def test_titles_keep_articles_apart_and_story_is_a_title(file: Path) -> None:
    rows = [flat(answer="The Seine", title="a"), flat(answer="The Seine", title="b"), flat(answer="Paris", story="c")]
    assert [passage.title for passage in read_passages(lines(file, *rows))] == ["a", "b", "c"]


def test_a_condition_keeps_rows_with_these_values(file: Path) -> None:
    rows = [flat(answer="The Seine", type="explicit", level=1), flat(answer="the sea", type="implicit", level=1)]
    name = lines(file, *rows)
    assert read_passages(f"{name}?type=explicit") == [SEINE]
    assert len(read_passages(f"{name}?level=1")[0].pairs) == 2  # values are compared as text
    assert read_passages(f"{name}?level=1&type=explicit") == [SEINE]
    with pytest.raises(ValueError, match=r"data\.jsonl\?type=absent has no answerable question"):
        read_passages(f"{name}?type=absent")
    with pytest.raises(ValueError, match="'type'"):
        read_passages(f"{name}?type")


def test_line_separators_inside_text_do_not_end_a_row(file: Path) -> None:
    # JSON allows these unescaped; only a line feed ends a row of JSON lines.
    odd = "The\u2028Seine\u2029runs\x85here."
    [passage] = read_passages(lines(file, {"context": odd, "question": "Where?", "answer": "here"}))
    assert passage.text == "The\nSeine\nruns\nhere."


def test_passages_questions_and_answers_have_the_typography_that_the_metrics_read(file: Path) -> None:
    given = "\u201cParis\u201d is big\u2014and \u201cParis\u201d is o\ufb03cial…"
    answers = [
        {"text": "\u201cParis\u201d", "answer_start": given.rindex("\u201cParis\u201d")},
        {"text": "o\ufb03cial", "answer_start": 0},
    ]
    [passage] = read_passages(lines(file, {"context": given, "question": "What\u2019s big?", "answers": answers}))
    assert passage.text == '"Paris" is big - and "Paris" is official...'
    [pair] = passage.pairs
    assert pair == QAPair("What's big?", ('"Paris"', "official"), passage.text.rindex('"Paris"'))


@pytest.mark.parametrize(
    "row",
    [
        {"question": "Who?", "answers": ["x"]},
        {"context": PARIS},
        {"context": PARIS, "question": "Who?"},
        {"context": PARIS, "answers": ["x"]},
        {"context": PARIS, "question": "Who?", "answers": None},
        {"context": PARIS, "question": "Who?", "answers": 3},
        {"context": PARIS, "question": "Who?", "answers": [{"answer_start": 3}]},
        {"context": PARIS, "question": "Who?", "answers": {"answer_start": [3]}},
        {"context": PARIS, "qas": None},
        {"context": PARIS, "qas": ["Who?"]},
        {"context": PARIS, "qas": {"question": ["Who?"], "answers": [["x"]]}},
        {"context": None, "question": "Who?", "answers": ["x"]},
        {"context": PARIS, "question": None, "answers": ["x"]},
        {"context": PARIS, "question": "Who?", "answer": None},
        {"context": PARIS, "question": "Who?", "answers": "The Seine"},  # not a list: would be read letter by letter
        {"context": PARIS, "question": "Who?", "answers": {"text": "The Seine"}},
    ],
)
def test_a_row_that_lacks_something_is_named(file: Path, row: dict[str, Any]) -> None:
    name = lines(file, flat(answer="The Seine"), row)
    with pytest.raises(ValueError, match=r"data\.jsonl, row 2: .*A row needs 'context' and"):
        read_passages(name)


@pytest.mark.parametrize("field", ["context", "question", "answer"])
def test_half_a_character_is_refused(file: Path, field: str) -> None:
    half = {**flat(answer="Paris"), field: "Par\ud800is"}
    for row in (half, {**half, "answers": [{"text": half["answer"]}]}, {**half, "answers": [half["answer"]]}):
        file.write_text(json.dumps(row), encoding="utf-8")
        with pytest.raises(ValueError, match=r"data\.jsonl, row 1: '.*' .*surrogate"):
            read_passages(str(file))


@pytest.mark.parametrize("article", [{"title": "x"}, {"paragraphs": 3}, "x"])
def test_a_nested_file_that_is_not_squad_is_refused(tmp_path: Path, article: Any) -> None:
    path = tmp_path / "squad.json"
    path.write_text(json.dumps({"data": [article]}), encoding="utf-8")
    with pytest.raises(ValueError, match=r"squad\.json"):
        read_passages(str(path))


@pytest.mark.parametrize(("line", "why"), [("{", "is not JSON"), ("[1]", "is a list"), ("3", "is a int")])
def test_a_line_that_is_no_row_is_named(file: Path, line: str, why: str) -> None:
    file.write_text(json.dumps(flat(answer="Paris")) + "\n\n" + line + "\n", encoding="utf-8")
    with pytest.raises(ValueError, match=rf"data\.jsonl, line 3: .*{why}.*; give one"):
        read_passages(str(file))


def test_bytes_that_are_not_utf8_name_the_file(file: Path) -> None:
    file.write_bytes(json.dumps(flat(answer="Paris"), ensure_ascii=False).replace("Seine", "Sèine").encode("latin-1"))
    with pytest.raises(ValueError, match=r"data\.jsonl"):
        read_passages(str(file))


def test_empty_files_are_refused(file: Path) -> None:
    file.write_text("\n", encoding="utf-8")
    with pytest.raises(ValueError, match=r"data\.jsonl has no answerable question"):
        read_passages(str(file))


def test_neither_a_file_nor_a_data_set(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"no-such-file"):
        read_passages(str(tmp_path / "no-such-file.jsonl"))
