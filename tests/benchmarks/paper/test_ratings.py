"""Ratings by another judge: read from a file, and put in the place of a ranker's scores."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import pytest
from datasets import Dataset
from support.tiny import tiny_tokenizer

from benchmarks.common.ratings import rated, read_ratings
from benchmarks.paper.mining import Mined
from benchmarks.paper.stages import Settings, paired_rows, rated_rows


def write(path: Path, *rows: dict[str, Any]) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def rating(document: str, summary: str, score: Any) -> dict[str, Any]:
    return {"document": document, "summary": summary, "score": score}


def test_an_arm_is_trained_by_ratings(tmp_path: Path) -> None:
    tokenizer = tiny_tokenizer()
    samples = [["the cat .", "the dog .", "a mat ."], ["the king .", "the queen .", "a king ."], ["red", "blue", "red"]]
    ids = [[tokenizer(text)["input_ids"] for text in own] for own in samples]
    columns = {
        "document": ["one", "two", "three"],
        "labels": [tokenizer("the river")["input_ids"]] * 3,
        "candidate_labels": ids,
    }
    scores = {"candidate_scores": [[3.0, 2.0, 1.0]] * 3, "reference_score": [9.0] * 3}
    pool = Mined({"quals": Dataset.from_dict(columns | scores)}, None, tokenizer)
    file = write(
        tmp_path / "r.jsonl",
        *(rating("one", text, score) for text, score in zip(samples[0], (1, 5, None), strict=True)),
        *(rating("two", text, 4) for text in samples[1]),  # all alike
        rating("four", "red", 1),
    )
    ratings = read_ratings(file)
    given = rated(pool.scored["quals"], tokenizer, ratings, file)["candidate_scores"]
    assert given[0][:2] == [1.0, 5.0]
    assert math.isnan(given[0][2])
    assert all(map(math.isnan, given[2]))
    settings = Settings("model", tmp_path, selection="paper")
    chosen = Dataset.load_from_disk(str(rated_rows(settings, "set", lambda: pool, file, ratings)))
    assert chosen["labels"][:] == [ids[0][1]]
    assert chosen["candidate_labels"][:] == [[ids[0][0]]]

    def not_again() -> Mined:
        raise AssertionError("mined again")

    assert rated_rows(settings, "set", not_again, file, ratings).is_dir()
    with pytest.raises(AssertionError, match="mined again"):  # other ratings, other rows
        rated_rows(settings, "set", not_again, file, ratings | {("one", "the cat ."): 7.0})
    with pytest.raises(ValueError, match="not one of the samples"):
        rated(pool.scored["quals"], tokenizer, {("five", "red"): 1.0}, file)


def test_word_pairs_rank_samples_by_what_they_share_with_the_document(tmp_path: Path) -> None:
    tokenizer = tiny_tokenizer()
    samples = [["the dog .", "the cat sat .", "a king sat ."], ["red", "the queen .", "the king ."]]
    ids = [[tokenizer(text)["input_ids"] for text in own] for own in samples]
    columns = {
        "document": ["the cat sat on the mat .", "the queen"],
        "labels": [tokenizer("the river")["input_ids"]] * 2,
        "candidate_labels": ids,
        "candidate_scores": [[1.0, 2.0, 3.0]] * 2,  # QUALS's, which do not count here
        "reference_score": [9.0] * 2,
    }
    pool = Mined({"quals": Dataset.from_dict(columns)}, None, tokenizer)
    chosen = Dataset.load_from_disk(str(paired_rows(Settings("model", tmp_path), "set", lambda: pool)))
    assert chosen["labels"][:] == [ids[0][1], ids[1][1]]
    assert chosen["candidate_labels"][0][0] in (ids[0][0], ids[0][2]), "neither has a pair of the document"
    assert chosen["candidate_labels"][1] == [ids[1][2]], "a single word has no pair, and so no score"

    def not_again() -> Mined:
        raise AssertionError("mined again")

    assert paired_rows(Settings("model", tmp_path), "set", not_again).is_dir()


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ({"document": "one", "summary": "the cat"}, "row 2 lacks score"),
        (rating("one", "a", "high"), "row 2.*finite number"),
        (rating("one", "the cat ", 3), "rates a summary again"),
        (rating("one", "", 3) | {"summary": 5}, "row 2.*summary"),
    ],
)
def test_what_is_no_rating_is_named_by_its_row(row: dict[str, Any], message: str, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=message):
        read_ratings(write(tmp_path / "r.jsonl", rating("one", "the cat", 1), row))
