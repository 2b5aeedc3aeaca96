"""What is known before the work is found before the work; what is empty is left out, counted and named."""

from __future__ import annotations

import doctest
import logging
import subprocess
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from datasets import Dataset
from support.families import family
from support.mining_data import FEW, columns, copied, documents, summarizer, with_labels
from support.tiny import tiny_tokenizer
from transformers import PreTrainedModel

from trainer_ext.io import progress
from trainer_ext.mining import (
    SamplingSettings,
    Selection,
    Workers,
    WorkFolder,
    generate_summaries,
    generation,
    mine,
    ranker,
    sample_candidates,
    source_prefix_of,
    texts,
)

TOKENIZER = tiny_tokenizer()


@pytest.fixture(scope="module")
def model() -> PreTrainedModel:
    return summarizer()


@pytest.fixture(scope="module")
def labelled(model: PreTrainedModel) -> Dataset:
    return with_labels(model, documents(40))


@pytest.fixture
def lines() -> Any:
    """What is logged."""
    heard: list[str] = []

    class Ear(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            heard.append(record.getMessage())

    ear = Ear()
    logging.getLogger("trainer_ext").addHandler(ear)
    yield heard
    logging.getLogger("trainer_ext").removeHandler(ear)


def mined(model: Any, dataset: Dataset, **options: Any) -> Any:
    defaults: dict[str, Any] = {"tokenizer": TOKENIZER, "ranker": copied, "sampling": FEW, "progress": False}
    return mine(model, dataset, **{**defaults, **options})


def with_rows(dataset: Dataset, **rows: dict[int, Any]) -> Dataset:
    """The data set with some values changed."""
    values = {name: list(dataset[name]) for name in dataset.column_names}
    for name, changes in rows.items():
        for row, value in changes.items():
            values[name][row] = value
    return Dataset.from_dict(values)


@pytest.mark.parametrize("module", [generation, ranker, texts, progress])
def test_examples_run(module: ModuleType) -> None:
    result = doctest.testmod(module)
    assert result.failed == 0
    assert result.attempted > 0


def test_what_is_empty_is_left_out_counted_and_named(
    model: PreTrainedModel, labelled: Dataset, lines: list[str]
) -> None:
    """Special tokens and punctuation are tokens, but nothing to summarize; nor is an empty reference a target."""
    mark = TOKENIZER.convert_tokens_to_ids(".")
    broken = with_rows(
        labelled, input_ids={3: [1, 2], 7: [], 9: [1, mark, 2], 11: [1, 1, 2, 2]}, labels={20: [1, 2], 21: [-100, -100]}
    )
    every = Selection(rule="all")
    result, summary = mined(model, broken, selection=every)
    empty = {3, 7, 9, 11, 20, 21}
    assert list(result["number"]) == [n for n in range(40) if n not in empty]
    assert (summary.documents, summary.empty) == (34, 6)
    assert any("6 documents are left out" in line and "(rows 3, 7, 9, 11, 20, 21)" in line for line in lines)
    texts_of = ["a text"] * 40
    texts_of[5] = " \n\u200b"
    _, summary = mined(model, labelled.add_column("document", texts_of), source_column="document", selection=every)
    assert summary.empty == 1
    with pytest.raises(ValueError, match="None of 2 documents has words"):
        mined(model, broken.select([3, 7]))


def test_a_sample_without_words_is_no_negative(model: PreTrainedModel, labelled: Dataset) -> None:
    """ROUGE gives it 0, the lowest score there is."""
    samples = sample_candidates(model, labelled, FEW, progress=False)
    silent = with_rows(
        samples, candidate_labels={row: [[1, 2], *samples[row]["candidate_labels"]] for row in range(40)}
    )
    options: dict[str, Any] = {"ranker": "rouge", "steps": ["score", "select"], "selection": Selection(fraction=1.0)}
    result, _ = mined(None, silent, **options)
    for candidates in result["candidate_labels"]:
        assert TOKENIZER.decode(candidates[0], skip_special_tokens=True).strip() != ""


def test_a_sample_that_equals_the_reference_but_for_case_is_no_negative() -> None:
    rows = {
        "source": ["the cat won"] * 2,
        "reference": ["The cat won.", "A dog"],
        "texts": [["the CAT won", "the cat lost"], ["a dog!", "A \u201cdog\u201d"]],
    }
    options: dict[str, Any] = {"source_column": "source", "reference_column": "reference", "candidate_column": "texts"}
    options |= {"steps": ["score", "select"], "ranker": lambda s, t, r: [-len(text) for text in t]}
    result, _ = mined(None, Dataset.from_dict(rows), tokenizer=None, selection=Selection(fraction=1.0), **options)
    assert list(result["texts"]) == [["the cat lost"]]
    tokens = {
        "labels": TOKENIZER(["the cat won ."])["input_ids"],
        "candidate_labels": [TOKENIZER(["the cat won", "the cat"])["input_ids"]],
        "candidate_scores": [[-9.0, -1.0]],
        "input_ids": TOKENIZER(["the cat"])["input_ids"],
    }
    result, _ = mined(None, Dataset.from_dict(tokens), steps=["select"], selection=Selection(fraction=1.0))
    assert [TOKENIZER.batch_decode(ids, skip_special_tokens=True) for ids in result["candidate_labels"]] == [
        ["the cat"]
    ]


def test_a_target_is_not_trained_away_from_in_other_typography() -> None:
    rows = {
        "candidates": [["A cat won.", "a cat won"], ["A cat won.", "no cat"]],
        "candidate_scores": [[1.0, 0.5], [1.0, 0.5]],
        "source": ["cat"] * 2,
    }
    options: dict[str, Any] = {"steps": ["select"], "selection": Selection(rule="per_document"), "tokenizer": None}
    result, _ = mined(None, Dataset.from_dict(rows), **options)
    assert list(result["candidates"]) == [["no cat"]]


@pytest.mark.parametrize(
    ("beginning", "documents", "prefix"),
    [
        ("The ", 10, ""),
        ("The ", 40, "The "),
        ("summarize: The ", 10, "summarize: "),
        ("Summarize the article.\n\nThe ", 10, "Summarize the article.\n\n"),
        ("Summarize the article\nThe ", 10, "Summarize the article\n"),
        ("<2en> ", 10, "<2en> "),
        ("summarize: ", 7, ""),
    ],
)
def test_few_documents_show_a_prefix_only_by_its_punctuation(beginning: str, documents: int, prefix: str) -> None:
    assert texts.find_prefix([f"{beginning}{number} cats won" for number in range(documents)]) == prefix


def test_lines_of_the_log_bear_our_name_and_go_where_the_program_wants() -> None:
    code = (
        "import logging, sys\nfrom trainer_ext.io.progress import inform\n"
        "if len(sys.argv) > 1: logging.basicConfig(format='%(name)s says %(message)s')\n"
        "inform('Mining: 3 documents.')\nlogging.getLogger('trainer_ext.checks').warning('Mind this.')"
    )
    for arguments, start in (([], "[quals] "), (["configured"], "trainer_ext")):
        done = subprocess.run([sys.executable, "-c", code, *arguments], capture_output=True, text=True, check=True)
        first, second = done.stderr.splitlines()
        assert first.startswith(start)
        assert first.endswith("Mining: 3 documents.")
        assert second.startswith(start)
        assert second.endswith("Mind this.")


def test_the_common_beginning_of_all_sources_is_a_prefix(
    model: PreTrainedModel, labelled: Dataset, lines: list[str]
) -> None:
    words = TOKENIZER.batch_decode(list(labelled["input_ids"]), skip_special_tokens=True)
    inputs = TOKENIZER([f"klitschko won {text}" for text in words])["input_ids"]
    prompted = labelled.remove_columns("input_ids").add_column("input_ids", inputs)
    assert source_prefix_of(prompted, TOKENIZER) == "klitschko won "
    assert source_prefix_of(labelled, TOKENIZER) == source_prefix_of(labelled, None) == ""
    seen: set[str] = set()

    def look(sources: list[str], summaries: list[str], references: Any) -> list[float | None]:
        seen.update(sources)
        return copied(sources, summaries, references)

    options: dict[str, Any] = {"selection": Selection(rule="all"), "ranker": look}
    mined(model, prompted, **options)
    assert seen & set(words)
    assert not any(source.startswith("klitschko won") for source in seen)
    assert any("'klitschko won ' before each source is a prefix" in line for line in lines)
    seen.clear()
    mined(model, prompted, source_prefix="", **options)
    assert all(source.startswith("klitschko won") for source in seen)


def test_what_can_be_known_at_the_start_is_found_at_the_start(labelled: Dataset, tmp_path: Path) -> None:
    model = summarizer()

    def never(*_: Any, **__: Any) -> None:
        raise AssertionError("it sampled")

    model.generate = never  # type: ignore[assignment]

    def broken(sources: list[str], summaries: list[str], references: Any) -> list[float]:
        raise KeyError("a ranker's own mistake")

    with pytest.raises(KeyError, match="own mistake"):
        mined(model, labelled, ranker=broken)
    with pytest.raises(ValueError, match="gave 1 scores for 2 summaries"):
        mined(model, labelled, ranker=lambda *_: [1.0])
    with pytest.raises(ValueError, match="two_sided selects by the references"):
        mined(model, labelled.remove_columns("labels"), selection=Selection(rule="two_sided"))
    with pytest.raises(ValueError, match="per_document takes 3 best and as many worst of 5 summaries"):
        mined(model, labelled, selection=Selection(rule="per_document", num_extremes=3))
    with pytest.raises(ValueError, match="Row 2 has the token 999999, and the model has"):
        mined(model, with_rows(labelled, input_ids={2: [1, 5, 999999, 2]}))
    with pytest.raises(ValueError, match="Row 4 has 5000 source tokens, and the model reads"):
        mined(model, with_rows(labelled, input_ids={4: [5] * 5000}))
    with pytest.raises(ValueError, match="greatest length of a summary is not known"):
        mined(model, labelled.remove_columns("labels"), sampling=SamplingSettings())
    (tmp_path / "file").write_text("")
    with pytest.raises(OSError, match="for finished work cannot be written to"):
        mined(model, labelled, folder=tmp_path / "file")
    with pytest.raises(OSError, match="for finished work cannot be written to"):
        mined(model, labelled, folder=Path("/proc/quals"))


def test_what_is_mined_is_logged(
    model: PreTrainedModel, labelled: Dataset, tmp_path: Path, lines: list[str], capfd: pytest.CaptureFixture[str]
) -> None:
    options: dict[str, Any] = {"folder": tmp_path, "progress": None, "selection": Selection(rule="one_sided")}
    result, _ = mined(model, labelled, **options)
    log = "\n".join(lines)
    for part in (
        "Mining: 40 documents, 4 samples each, ranked by copied.",
        str(tmp_path),
        "left, measured on the first",
        "Sampling: 40 documents done in ",
        "Scoring with copied: 40 documents done in ",
        f"the rule one_sided selected {len(result)} rows from 40 documents",
    ):
        assert part in log
    error = capfd.readouterr().err
    assert "Flattening" not in error
    assert "disparate" not in error
    lines.clear()
    mined(model, labelled, **options)
    assert any("Sampling: 40 of 40 documents are on disk in " in line for line in lines)
    lines.clear()
    mined(model, labelled, workers=Workers(1, 2), **options)
    assert lines == []


def led_rows() -> Dataset:
    rows = documents(6)
    masks = [[1] + [0] * (len(ids) - 1) for ids in rows["input_ids"]]
    return rows.add_column("global_attention_mask", masks)


def test_what_else_the_encoder_reads_is_read_in_sampling(tmp_path: Path) -> None:
    """LED's global attention is part of how a source is read, so samples with it differ from those without."""
    model = family("led")
    rows = led_rows()
    options: dict[str, Any] = {"progress": False, "folder": tmp_path}
    seen: list[Any] = []
    whole = model.generate

    def generate(**inputs: Any) -> Any:
        seen.append(inputs.get("global_attention_mask"))
        return whole(**inputs)

    model.generate = generate  # type: ignore[assignment, method-assign]
    sample_candidates(model, rows, FEW, **options)
    assert seen
    for mask in seen:
        assert mask is not None
        assert mask[:, 0].tolist() == [1] * len(mask)
    assert len(list(tmp_path.iterdir())) == 1
    other = with_rows(rows, global_attention_mask={0: [1] * len(rows[0]["input_ids"])})
    sample_candidates(model, other, FEW, **options)
    assert len(list(tmp_path.iterdir())) == 2  # other inputs, other work
    seen.clear()
    from transformers import GenerationConfig

    generate_summaries(model, rows, GenerationConfig(max_length=6, num_beams=2), progress=False)
    assert all(mask is not None for mask in seen)
    bart = summarizer()
    sample_candidates(bart, rows, FEW, progress=False)  # which does not know the column
    with pytest.raises(ValueError, match="reads the column 'inputs_embeds'"):
        sample_candidates(bart, rows.add_column("inputs_embeds", [[0.5]] * 6), FEW, progress=False)


def test_two_runs_do_not_share_a_folder(model: PreTrainedModel, labelled: Dataset, tmp_path: Path) -> None:
    work = WorkFolder(tmp_path)

    def second() -> None:
        with pytest.raises(OSError, match=r"Another run works in .*samples-.* \(process \d+ on .*\): wait for it"):
            sample_candidates(model, labelled, FEW, folder=tmp_path, progress=False)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        sample_candidates(model, labelled, FEW, folder=work, progress=False, check=lambda _: second())
    first = columns(sample_candidates(model, labelled, FEW, folder=work, progress=False))  # it is free again
    assert columns(sample_candidates(model, labelled, FEW, progress=False)) == first


def test_several_processes_that_believe_they_are_alone_are_told(monkeypatch: pytest.MonkeyPatch) -> None:
    class Accelerator:
        process_index, num_processes = 0, 1

        def wait_for_everyone(self) -> None: ...

    assert Workers.of(Accelerator()).count == 1
    monkeypatch.setenv("WORLD_SIZE", "2")
    with pytest.raises(ValueError, match=r"WORLD_SIZE is 2, but this process works alone.*--use_cpu"):
        Workers.of(Accelerator())
