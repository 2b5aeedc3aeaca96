"""What recipes refuse before the work: settings out of range, and a file that both trains and measures."""

from __future__ import annotations

from pathlib import Path

import pytest
from quals.errors import DataError, OptionError

from trainer_ext.recipes.checks import check_length, check_recipe
from trainer_ext.recipes.factcc.recipe import FactCCRecipe
from trainer_ext.recipes.qagen.recipe import QAGenRecipe
from trainer_ext.recipes.reader.recipe import ReaderRecipe
from trainer_ext.recipes.recipe import Recipe, settings


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Two files and a link to one of them, in the working folder."""
    for name in ("a.jsonl", "b.jsonl"):
        (tmp_path / name).write_text("{}\n")
    (tmp_path / "link.jsonl").symlink_to("a.jsonl")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def recipe(kind: type[Recipe] = ReaderRecipe, **options: object) -> Recipe:
    files = {"train_files": ["b.jsonl", "a.jsonl"], "validation_file": "squad"}
    return kind(**{"model": "base", "output_dir": "out", **files, **options})  # type: ignore[arg-type]


@pytest.mark.parametrize("other", ["a.jsonl", "./a.jsonl", "{folder}/a.jsonl", "link.jsonl", "a.jsonl?kind=x"])
def test_a_file_that_is_trained_on_does_not_measure(folder: Path, other: str) -> None:
    other = other.format(folder=folder)
    for trained, measured in (("a.jsonl", other), (other, "a.jsonl")):
        with pytest.raises(DataError, match="both train and validate"):
            check_recipe(recipe(QAGenRecipe, train_files=["b.jsonl", trained], validation_file=measured))
        with pytest.raises(DataError, match="both train and test"):
            check_recipe(recipe(train_files=["b.jsonl", trained], test_file=measured))


@pytest.mark.parametrize(
    ("trained", "measured"),
    [("a.jsonl", "b.jsonl"), ("a.jsonl?kind=x", "a.jsonl?kind=y"), ("squad", "squad"), ("a.jsonl", "nowhere.jsonl")],
)
def test_other_rows_and_other_splits_measure(folder: Path, trained: str, measured: str) -> None:
    check_recipe(recipe(train_files=[trained], validation_file=measured, test_file=measured))


def test_an_output_folder_that_is_a_file(folder: Path) -> None:
    with pytest.raises(OptionError, match=r"b\.jsonl is a file"):
        check_recipe(recipe(train_files=["a.jsonl"], output_dir="b.jsonl"))


def test_rows_longer_than_the_model_reads() -> None:
    check_length(64, 64)
    with pytest.raises(OptionError, match=r"max_tokens is 65.* 64"):
        check_length(65, 64)


@pytest.mark.parametrize(
    ("kind", "name", "value", "allowed"),
    [
        (ReaderRecipe, "dtype", "fp16", "one of float32, float16, bfloat16"),
        (ReaderRecipe, "dtype", "", "one of"),
        (ReaderRecipe, "epochs", 0, "more than 0"),
        (QAGenRecipe, "epochs", float("inf"), "less than inf"),
        (QAGenRecipe, "epochs", float("nan"), "more than 0"),
        (QAGenRecipe, "learning_rate", -1e-3, "more than 0"),
        (QAGenRecipe, "max_tokens", 7, "16 or more"),
        (QAGenRecipe, "label_smoothing", 1.0, "0 or more and less than 1"),
        (QAGenRecipe, "accumulation", 0, "1 or more"),
        (FactCCRecipe, "max_tokens", 15, "16 or more"),
        (FactCCRecipe, "batch", 0, "1 or more"),
        (FactCCRecipe, "span_weight", -1.0, "0 or more"),
        (FactCCRecipe, "documents", 0, "1 or more"),
        (FactCCRecipe, "claims_per_document", 1, "2 or more"),
        (ReaderRecipe, "unanswered", 1.1, "0 or more and 1 or less"),
    ],
)
def test_a_setting_out_of_its_range(kind: type[Recipe], name: str, value: object, allowed: str) -> None:
    with pytest.raises(OptionError, match=f"{name} is {value!r}: give .*{allowed}"):
        recipe(kind, **{name: value})


def test_the_ends_of_the_ranges_are_allowed() -> None:
    recipe(QAGenRecipe, label_smoothing=0.0, max_tokens=16, epochs=0.1, warmup_steps=0)
    recipe(FactCCRecipe, documents=None, span_weight=0.0, shortened=1.0)


@pytest.mark.parametrize("kind", [QAGenRecipe, FactCCRecipe, ReaderRecipe])
def test_every_setting_says_what_it_means(kind: type[Recipe]) -> None:
    for name, metadata in settings(kind).items():
        assert metadata["help"], name
    assert settings(kind)["max_tokens"]["least"] == 16, "kept, although the class gives another help"
    assert settings(kind)["train_files"]["option"] == "train-file"
