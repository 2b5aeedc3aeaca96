"""Reading question-answer data in all its shapes, and showing passages as sentences, paragraphs and documents."""

from __future__ import annotations

import json
import random
from collections.abc import Mapping, Sequence
from itertools import chain
from pathlib import Path
from typing import Any

import pytest

from trainer_ext.recipes.qa_data import (
    Example,
    Passage,
    QAPair,
    make_examples,
    read_passages,
    split_sentences,
)

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


def test_where_keeps_rows_with_these_values(file: Path) -> None:
    rows = [flat(answer="The Seine", type="explicit", level=1), flat(answer="the sea", type="implicit", level=1)]
    name = lines(file, *rows)
    assert read_passages(name, {"type": "explicit"}) == [SEINE]
    assert len(read_passages(name, {"level": "1"})[0].pairs) == 2  # values are compared as text
    with pytest.raises(ValueError, match=r"data\.jsonl holds no answerable question where .*'type': 'absent'"):
        read_passages(name, {"type": "absent"})


def test_line_separators_inside_text_do_not_end_a_row(file: Path) -> None:
    # JSON allows these unescaped; only a line feed ends a row of JSON lines.
    odd = "The\u2028Seine\u2029runs\x85here."
    [passage] = read_passages(lines(file, {"context": odd, "question": "Where?", "answer": "here"}))
    assert passage.text == odd


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
        with pytest.raises(ValueError, match=r"data\.jsonl, row 1: .*'.*', which holds half a surrogate pair"):
            read_passages(str(file))


@pytest.mark.parametrize("article", [{"title": "x"}, {"paragraphs": 3}, "x"])
def test_a_nested_file_that_is_not_squad_is_refused(tmp_path: Path, article: Any) -> None:
    path = tmp_path / "squad.json"
    path.write_text(json.dumps({"data": [article]}), encoding="utf-8")
    with pytest.raises(ValueError, match=r"squad\.json"):
        read_passages(str(path))


@pytest.mark.parametrize(("line", "why"), [("{", "is not JSON"), ("[1]", "is not a JSON object"), ("3", "object")])
def test_a_line_that_is_no_row_is_named(file: Path, line: str, why: str) -> None:
    file.write_text(json.dumps(flat(answer="Paris")) + "\n\n" + line + "\n", encoding="utf-8")
    with pytest.raises(ValueError, match=rf"data\.jsonl, line 3 .*{why}.*Give SQuAD JSON or JSON lines"):
        read_passages(str(file))


def test_bytes_that_are_not_utf8_name_the_file(file: Path) -> None:
    file.write_bytes(json.dumps(flat(answer="Paris"), ensure_ascii=False).replace("Seine", "Sèine").encode("latin-1"))
    with pytest.raises(ValueError, match=r"data\.jsonl"):
        read_passages(str(file))


def test_empty_files_are_refused(file: Path) -> None:
    file.write_text("\n", encoding="utf-8")
    with pytest.raises(ValueError, match=r"data\.jsonl holds no answerable question"):
        read_passages(str(file))


def test_neither_a_file_nor_a_data_set(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"no-such-file.*no file, and no data set.*Check the path or the name"):
        read_passages(str(tmp_path / "no-such-file.jsonl"))


@pytest.mark.parametrize(
    ("text", "sentences"),
    [
        (PARIS, ["Paris is the capital of France.", "The Seine runs through Paris.", "It was founded by the Parisii."]),
        ('He said "Go." Then left!  1 of 2 stayed? "I."', ['He said "Go."', "Then left!", "1 of 2 stayed?", '"I."']),
        ("It cost 3.5 million. and so on", ["It cost 3.5 million. and so on"]),
        ("No end", ["No end"]),
        ("", [""]),
    ],
)  # fmt: skip
def test_split_sentences(text: str, sentences: list[str]) -> None:
    spans = split_sentences(text)
    assert [text[start:end].strip() for start, end in spans] == sentences
    assert "".join(text[start:end] for start, end in spans) == text  # nothing is lost


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
