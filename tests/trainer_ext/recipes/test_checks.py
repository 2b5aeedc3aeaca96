"""What recipes refuse: a file that is trained on and measures too, whatever it is called, and dtypes that are none."""

from __future__ import annotations

from pathlib import Path

import pytest
from support.readers import tiny_reader

from trainer_ext.recipes.checks import check_recipe
from trainer_ext.recipes.qagen.train import QAGenRecipe
from trainer_ext.recipes.reader.train import ReaderRecipe


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Two files, a link to one, and a base, in the folder that one is in."""
    for name in ("a.jsonl", "b.jsonl"):
        (tmp_path / name).write_text("{}\n")
    (tmp_path / "link.jsonl").symlink_to("a.jsonl")
    tiny_reader().save_pretrained(tmp_path / "base")
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize("other", ["a.jsonl", "./a.jsonl", "{folder}/a.jsonl", "link.jsonl", "a.jsonl?kind=x"])
def test_a_file_that_is_trained_on_does_not_measure(folder: Path, other: str) -> None:
    other = other.format(folder=folder)
    for trained, measured in (("a.jsonl", other), (other, "a.jsonl")):
        with pytest.raises(ValueError, match="to be trained on and to validate"):
            check_recipe(QAGenRecipe("base", ["b.jsonl", trained], measured, "out"), ())
        with pytest.raises(ValueError, match="to be trained on and to test"):
            check_recipe(ReaderRecipe("base", ["b.jsonl", trained], "squad", "out", test_file=measured), ())


@pytest.mark.parametrize(
    ("trained", "measured"),
    [("a.jsonl", "b.jsonl"), ("a.jsonl?kind=x", "a.jsonl?kind=y"), ("squad", "squad"), ("a.jsonl", "nowhere.jsonl")],
)
def test_other_rows_and_other_splits_measure(folder: Path, trained: str, measured: str) -> None:
    assert check_recipe(ReaderRecipe("base", [trained], measured, "out", test_file=measured), ()).model_type == "bert"


@pytest.mark.parametrize("dtype", ["fp16", "int8", "nn", ""])
def test_a_dtype_that_weights_cannot_be_stored_in(folder: Path, dtype: str) -> None:
    with pytest.raises(ValueError, match=f"dtype is '{dtype}'"):
        check_recipe(ReaderRecipe("base", ["a.jsonl"], "b.jsonl", "out", dtype=dtype), ())
