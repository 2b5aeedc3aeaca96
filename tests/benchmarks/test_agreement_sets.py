"""Sets of judgements with files in a form of their own."""

from __future__ import annotations

from pathlib import Path

import pytest
from support.judgements import judged, write_set

from benchmarks.agreement.data import load_set


def test_bump_has_a_right_and_an_edited_summary_in_each_line(tmp_path: Path) -> None:
    line = {"id": "b1", "document": "the cat sat", "reference": "the cat", "edited": "the dog", "error_type": "Entity"}
    write_set(tmp_path, "bump_pairs", [line, {**line, "id": "b2"}])
    rows = load_set(tmp_path, "bump")
    assert [(row.summary, row.label, row.pair) for row in rows[:2]] == [("the cat", 1, "b1"), ("the dog", 0, "b1")]
    assert {row.origin for row in rows} == {"Entity"}
    assert len({row.id for row in rows}) == 4
    write_set(tmp_path, "bump_pairs", [{**line, "edited": None}])
    with pytest.raises(ValueError, match="'edited' must be a string"):
        load_set(tmp_path, "bump")


def test_defacto_leaves_out_what_models_may_have_been_trained_on(tmp_path: Path) -> None:
    rows = judged(3)
    for row, split in zip(rows, ["train", "val", "test"] * 2, strict=True):
        row["split"] = split
    write_set(tmp_path, "defacto", rows)
    assert [row.id for row in load_set(tmp_path, "defacto")] == [row["id"] for row in rows if row["split"] != "train"]
