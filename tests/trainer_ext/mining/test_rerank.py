"""The best of several samples: which one it is, that the samples are mining's, and that work is kept."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import pytest
from support.mining_data import FEW, chunks, copied, documents, summarizer
from support.tiny import tiny_tokenizer

from trainer_ext.cli.main import main
from trainer_ext.mining import sample_candidates
from trainer_ext.mining.rankers import ngram_share
from trainer_ext.mining.texts import candidate_texts
from trainer_ext.rerank import Best, best_of

TOKENIZER = tiny_tokenizer()


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("model")
    summarizer().save_pretrained(folder)
    TOKENIZER.save_pretrained(folder)
    return folder


@pytest.fixture(scope="module")
def sources() -> list[str]:
    return TOKENIZER.batch_decode(list(documents(20)["input_ids"]), skip_special_tokens=True)


def test_it_is_the_best_of_minings_own_samples(folder: Path, sources: list[str]) -> None:
    options: dict[str, Any] = {"sampling": FEW, "progress": False}
    best = best_of(folder, sources, 4, copied, device="cpu", **options)
    again = best_of(summarizer(), sources, 4, copied, tokenizer=TOKENIZER, **options)
    assert str(again) == str(best)  # as texts, because a NaN is not itself
    sampled = sample_candidates(summarizer(), documents(20), FEW, progress=False)
    assert [one.candidates for one in best] == candidate_texts(sampled, TOKENIZER)
    gained = 0
    for source, one in zip(sources, best, strict=True):
        scores = [math.nan if x is None else x for x in copied([source] * 4, one.candidates, None)]
        assert one.scores == pytest.approx(scores, nan_ok=True)
        known = [score for score in scores if not math.isnan(score)]
        if known:
            assert one.score == max(known)
            assert one.place == scores.index(max(known))
            gained += max(known) > sum(known) / len(known)
    assert gained > 10


def test_without_a_score_or_words(folder: Path) -> None:
    def never(sources: list[str], summaries: list[str], references: Any) -> list[None]:
        return [None] * len(sources)

    options: dict[str, Any] = {"sampling": FEW, "progress": False, "device": "cpu"}
    empty, one = best_of(folder, ["...", "the cat won in the red city"], 4, never, **options)
    assert (empty.candidates, empty.summary, empty.place) == ([], None, None)
    assert math.isnan(empty.score)
    assert len(one.candidates) == 4
    assert one.summary in one.candidates
    assert math.isnan(one.score)
    assert best_of(folder, [], 4, never, **options) == []
    assert Best(["?", "a cat"], [1.0, 2.0], 1).summary == "a cat"


def test_a_broken_run_goes_on(folder: Path, sources: list[str], tmp_path: Path) -> None:
    calls = []

    def ranker(sources: list[str], summaries: list[str], references: Any) -> list[float | None]:
        calls.append(len(summaries))
        if len(calls) == 3:  # the first call is the trial before the work
            raise KeyboardInterrupt
        return copied(sources, summaries, references)

    ranker.signature = "copied"  # type: ignore[attr-defined]
    options: dict[str, Any] = {"sampling": FEW, "progress": False, "device": "cpu"}
    whole = best_of(folder, sources, 4, copied, **options)
    with pytest.raises(KeyboardInterrupt):
        best_of(folder, sources, 4, ranker, folder=tmp_path / "work", **options)
    kept = chunks(tmp_path / "work")
    assert len(kept) > 3
    calls[:] = [0] * 3
    assert str(best_of(folder, sources, 4, ranker, folder=tmp_path / "work", **options)) == str(whole)
    assert len(calls) == 3 + 1 + 2  # the trial, and two of three chunks of documents
    after = chunks(tmp_path / "work")
    assert {name: after[name] for name in kept} == kept


def test_what_does_not_fit_is_refused(folder: Path) -> None:
    with pytest.raises(ValueError, match="must be a list with one text per source"):
        best_of(folder, "a text", 4, copied)
    with pytest.raises(ValueError, match="references must be a list with one text per source: there are 2"):
        best_of(folder, ["a cat"], 4, copied, references=["a", "b"])
    with pytest.raises(ValueError, match="The source 1 is NoneType, not text"):
        best_of(folder, ["a cat", None], 4, copied)  # type: ignore[list-item]
    with pytest.raises(ValueError, match="without its tokenizer"):
        best_of(summarizer(), ["a cat"], 4, copied)
    with pytest.raises(ValueError, match="num_candidates"):
        best_of(folder, ["a cat"], 0, copied)


@pytest.mark.parametrize("suffix", [".jsonl", ".parquet"])
def test_the_command(
    folder: Path, qagen: Path, tmp_path: Path, suffix: str, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = [
        {"id": 7, "article": "the king won in paris and the queen lost", "summary": "the king won"},
        {"id": 8, "article": "...", "summary": "a dog"},
        {"id": 9, "article": "joshua lost in the red city", "summary": "joshua lost"},
    ]
    path, output = tmp_path / "in.jsonl", tmp_path / f"out{suffix}"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    command = ["rerank", str(path), "--model", str(folder), "--output", str(output), "--device", "cpu"]
    options = ["--num-candidates", "3", "--generation-max-length", "8", "--checkpoint", str(qagen)]
    assert main([*command, *options]) == 0
    from trainer_ext.io.tables import read_table

    written = [dict(row) for row in read_table(output)]
    assert [{name: row[name] for name in rows[0]} for row in written] == rows
    assert [len(row["candidates"]) for row in written] == [3, 0, 3]
    assert written[1]["best_candidate"] is written[1]["best_score"] is None
    for row in (written[0], written[2]):
        assert row["best_candidate"] in row["candidates"]
        known = [score for score in row["candidate_scores"] if score is not None]
        assert row["best_score"] == max(known, default=None)
    shown = capsys.readouterr().out
    assert "left empty   1 documents without words" in shown
    assert not output.with_name(output.name + ".mining").exists()
    assert main([*command[:-2], "--device", "cpu", *options, "--ranker", "rouge"]) == 0
    again = [dict(row) for row in read_table(output)]
    assert [row["candidates"] for row in again] == [row["candidates"] for row in written]
    assert all(row["best_score"] is not None for row in (again[0], again[2]))
    no_qagen = options[: options.index("--checkpoint")]
    assert main([*command[:-2], "--device", "cpu", *no_qagen, "--ranker", "word_pairs"]) == 0
    again = [dict(row) for row in read_table(output)]
    assert [row["candidates"] for row in again] == [row["candidates"] for row in written]
    for row in (again[0], again[2]):
        assert row["candidate_scores"] == [
            None if math.isnan(share := ngram_share(row["article"], text, 2)) else share for text in row["candidates"]
        ]


def test_the_commands_complaints(folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "in.jsonl"
    path.write_text(json.dumps({"source": "a cat", "best_score": 1}) + "\n")
    command = ["rerank", str(path), "--output", str(tmp_path / "out.jsonl")]
    assert main(command) == 2
    assert "--model is not given" in capsys.readouterr().err
    assert main([*command, "--model", str(folder)]) == 2
    assert "has a column 'best_score' already" in capsys.readouterr().err
