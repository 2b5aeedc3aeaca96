"""The agreement benchmark: its loaders, its figures, its cache, and a whole run on a tiny model."""

from __future__ import annotations

import json
import math
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from quals import QualsScorer
from scipy import stats
from support.judgements import CONTENT, SUMMARIES, judged, write_set

from benchmarks.agreement import scoring
from benchmarks.agreement.__main__ import main
from benchmarks.agreement.aggregations import EXPERIMENTS, WEIGHTED
from benchmarks.agreement.cache import ScoreCache, ScoreRecord
from benchmarks.agreement.data import SPECS, load_set, sample_by_document, sets_in
from benchmarks.agreement.disagreements import disagreements
from benchmarks.agreement.evaluation import evaluate, split_by_origin
from benchmarks.agreement.table import MAIN, markdown
from trainer_ext.mining.rankers import ngram_share


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A set of each kind: correlation, partial, pairs."""
    folder = tmp_path / "judged"
    folder.mkdir()
    write_set(folder, "goyal21", judged(6))
    frank = judged(6)
    for index, row in enumerate(frank):
        row.update(score=[0.0, 0.5, 1.0][index % 3], model=f"m{index // 2 % 2}")
    write_set(folder, "frank_valid", frank)
    pairs = judged(5)
    for index, row in enumerate(pairs):
        row.update(pair=str(index // 2))
    write_set(folder, "rank19", pairs)
    return folder


def test_loader_reads_each_kind_of_set(folder: Path) -> None:
    frank = load_set(folder, "frank_valid")
    assert [row.human for row in frank[:3]] == [0.0, 0.5, 1.0]
    assert {row.group for row in frank} == {"m0", "m1"}
    goyal = load_set(folder, "goyal21")
    assert [row.human for row in goyal[:2]] == [1.0, 0.0]
    assert goyal[0].pair != goyal[1].pair
    rank = load_set(folder, "rank19")
    assert rank[0].pair == rank[1].pair != rank[2].pair


def test_polytope_is_judged_by_inaccuracy_not_by_omission(tmp_path: Path) -> None:
    rows = judged(2)
    for row in rows:
        row.update(inaccuracy_label=1 - row["label"])
    write_set(tmp_path, "polytope_val", rows)
    assert [row.label for row in load_set(tmp_path, "polytope_val")] == [0, 1, 0, 1]


def spoil(field: str, value: Any) -> Callable[[list[dict[str, Any]]], None]:
    """A change of the second row; a value of ``KeyError`` takes the field away."""

    def change(rows: list[dict[str, Any]]) -> None:
        if value is KeyError:
            del rows[1][field]
        else:
            rows[1][field] = value

    return change


@pytest.mark.parametrize(
    ("name", "change", "message"),
    [
        ("goyal21", spoil("summary", KeyError), "line 2 has no field 'summary'"),
        ("goyal21", spoil("label", 2), "'label' must be 0 or 1, and is 2"),
        ("goyal21", spoil("document", None), "'document' must be a string"),
        ("goyal21", spoil("id", "row_0_0"), "two rows the same id"),
        ("frank_valid", spoil("score", 1.5), "'score' must be a number from 0 to 1"),
        ("frank_valid", spoil("model", KeyError), "no field 'model'"),
        ("rank19", spoil("label", 1), "pair '0' must be one consistent and one inconsistent"),
        ("rank19", spoil("document", "another"), "of the same document"),
    ],
)
def test_a_row_that_cannot_be_used_is_named(
    folder: Path, name: str, change: Callable[[list[dict[str, Any]]], None], message: str
) -> None:
    rows = [json.loads(line) for line in (folder / f"{name}.jsonl").read_text(encoding="utf-8").splitlines()]
    change(rows)
    write_set(folder, name, rows)
    with pytest.raises(ValueError, match=message):
        load_set(folder, name)


def test_samples_spread_over_documents_repeat_and_keep_pairs(tmp_path: Path) -> None:
    write_set(tmp_path, "summedits", judged(80, each=9))
    rows = load_set(tmp_path, "summedits", seed=1)
    assert len(rows) == 300
    per_document = [sum(row.document == document for row in rows) for document in {row.document for row in rows}]
    assert per_document == [6] * 50
    assert rows == load_set(tmp_path, "summedits", seed=1) != load_set(tmp_path, "summedits", seed=2)
    pairs = judged(30)
    for index, row in enumerate(pairs):
        row.update(pair=str(index // 2))
    write_set(tmp_path, "rank19", pairs)
    chosen = load_set(tmp_path, "rank19", limit=11)
    assert len(chosen) == 10
    assert all(sum(row.pair == other.pair for other in chosen) == 2 for row in chosen)
    assert sample_by_document(chosen, 10, seed=0) == chosen


def test_without_names_the_sets_are_those_in_the_folder(folder: Path, tmp_path: Path) -> None:
    assert sets_in(folder) == ["frank_valid", "goyal21", "rank19"]
    with pytest.raises(ValueError, match="none of the sets"):
        sets_in(tmp_path)


def test_origins_are_split_where_there_are_several(folder: Path) -> None:
    rows = load_set(folder, "goyal21")
    assert {name: len(part) for name, part in split_by_origin(rows, at_least=3).items()} == {"chat": 6, "news": 6}
    assert split_by_origin(rows, at_least=7) == {}
    assert split_by_origin([row for row in rows if row.origin == "chat"], at_least=1) == {}


def test_figures_leave_out_what_has_no_score_and_say_so(folder: Path) -> None:
    rows = load_set(folder, "goyal21")
    human = np.array([row.human for row in rows])
    unscored = human + 0.01 * np.arange(len(rows))
    unscored[3:5] = math.nan
    floor = np.arange(12.0) % 5
    metrics = {"unigrams": floor, "bigrams": -floor, "QUALS tokens": unscored}
    figures = {(f.metric, f.statistic): f for f in evaluate("goyal21", "correlation", rows, metrics, 200, seed=0)}
    best = figures["QUALS tokens", "Pearson"]
    known = ~np.isnan(unscored)
    assert best.value == pytest.approx(stats.pearsonr(unscored[known], human[known])[0])
    assert (best.units, best.scored, best.documents) == (12, 10, 6)
    assert best.coverage == pytest.approx(10 / 12)
    assert best.low <= best.value <= best.high
    assert best.above_floors == 1.0
    assert figures["QUALS tokens", "AUROC"].value == 1.0
    assert figures["unigrams", "Pearson"].above_floors is None
    assert figures["unigrams", "Pearson"].scored == 12


def test_pairwise_figures_compare_within_pairs(folder: Path) -> None:
    rows = load_set(folder, "rank19")
    scores = np.array([10.0, 9.0, 1.0, 2.0, 5.0, 5.0, 8.0, 7.0, 3.0, math.nan])
    metrics = {"unigrams": np.zeros(10), "bigrams": np.zeros(10), "QUALS tokens": scores}
    figures = {figure.metric: figure for figure in evaluate("rank19", "pairwise", rows, metrics, 50, seed=0)}
    assert figures["QUALS tokens"].value == pytest.approx((1 + 0 + 0.5 + 1) / 4)
    assert (figures["QUALS tokens"].units, figures["QUALS tokens"].scored) == (5, 4)
    assert figures["unigrams"].value == 0.5


def test_disagreements_lead_with_the_largest(folder: Path) -> None:
    rows = load_set(folder, "goyal21")
    scores = np.array([row.human for row in rows]) + 0.01 * np.arange(12)
    scores[4], scores[7] = -5.0, math.nan
    found = disagreements("goyal21", "correlation", rows, scores)
    assert found[0].row is rows[4]
    assert len(found) == 11
    assert found[0].metric_rank == 0.0
    pairs = load_set(folder, "rank19")
    scores = np.array([1.0, 0.0, 1.0, 0.0, 0.0, 9.0, 1.0, 0.0, 1.0, 0.0])
    found = disagreements("rank19", "pairwise", pairs, scores)
    assert len(found) == 5
    assert found[0].row.pair == "2"


def test_windows_of_a_short_source_score_as_truncation_does(asking_qagen: Path) -> None:
    """What lets the second pass leave out the rows that were not cut."""
    sources = ["joshua has a red mat in paris .", "the king lost london ."]
    truncated, windows = (
        QualsScorer(str(asking_qagen), device="cpu", long_sources=policy).score(sources, SUMMARIES)
        for policy in ("truncate", "windows")
    )
    assert all(score.pairs and not score.source_truncated for score in truncated)
    assert [score.score for score in truncated] == pytest.approx([score.score for score in windows], abs=1e-5)


def test_cache_finds_rows_by_id_and_texts_and_survives_a_kill(folder: Path, asking_qagen: Path, tmp_path: Path) -> None:
    rows = load_set(folder, "goyal21")
    scorer = QualsScorer(str(asking_qagen), device="cpu", weighting="information")
    scores = scorer.score([row.document for row in rows], [row.summary for row in rows])
    assert all(score.pairs for score in scores)
    cache = ScoreCache(tmp_path / "cache", scorer.signature)
    cache.add(rows, scores)
    whole = cache.path.read_bytes()
    cache.path.write_bytes(whole[:-20])  # as a kill in the middle of a write leaves it
    after = ScoreCache(tmp_path / "cache", scorer.signature)
    assert after.get(rows[-1]) is None
    assert [after.get(row) for row in rows[:-1]] == [ScoreRecord.of(score) for score in scores[:-1]]
    assert scoring.score_missing(scoring.Policies(scorer, after), rows, "again")[0] == 1
    lines = cache.path.read_text(encoding="utf-8").splitlines()
    assert "".join(f"{line}\n" for line in lines[:-1]).encode() == whole[: whole[:-1].rfind(b"\n") + 1]
    assert len(lines) == len(rows)
    again = ScoreCache(tmp_path / "cache", scorer.signature).get(rows[-1])
    assert again is not None
    assert [(pair.question, pair.answer) for pair in again.pairs] == [(p.question, p.answer) for p in scores[-1].pairs]
    edited = load_set(folder, "goyal21")[0].__class__(**{**vars(rows[0]), "summary": "the dog won ."})
    assert after.get(edited) is None
    assert len(ScoreCache(tmp_path / "cache", "another")) == 0
    cache.path.write_bytes(b"{}\n" + whole)
    with pytest.raises(ValueError, match="line 1"):
        ScoreCache(tmp_path / "cache", scorer.signature)


def test_records_give_the_scorers_own_score(folder: Path, asking_qagen: Path) -> None:
    rows = load_set(folder, "goyal21")
    for weighting in ("tokens", "answer", "balanced", "information"):
        scorer = QualsScorer(str(asking_qagen), device="cpu", weighting=weighting)
        scores = scorer.score([row.document for row in rows], [row.summary for row in rows])
        found = [WEIGHTED[f"QUALS {weighting}"](ScoreRecord.of(score).pairs) for score in scores]
        # Some tiny model's summary tells less of its pairs than nothing does, and then has no score of information.
        assert found == pytest.approx([score.score for score in scores], abs=1e-5, nan_ok=weighting == "information")
        assert sum(not math.isnan(score) for score in found) >= (1 if weighting == "information" else len(rows))


def test_whole_run_then_again_without_a_model(
    folder: Path, asking_qagen: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    long = judged(3)
    for row in long:
        row["document"] += " " + " ".join(CONTENT * 4)  # beyond the tiny model's 64 tokens
    write_set(folder, "gofigure_human", long)
    output, cache = tmp_path / "results.jsonl", tmp_path / "cache"
    sets = ["--sets", "goyal21", "frank_valid", "rank19", "gofigure_human"]
    common = [str(folder), *sets, "--cache", str(cache), "--resamples", "20", "--output", str(output), "--worst", "2"]
    assert main([*common, "--checkpoint", str(asking_qagen), "--device", "cpu"]) == 0
    first, figures = capsys.readouterr(), output.read_text(encoding="utf-8")
    assert "goyal21: 12 of 12 rows scored" in first.err
    assert "gofigure_human: 6 of 6 rows scored" in first.err
    kept = [len(path.read_text(encoding="utf-8").splitlines()) for path in cache.glob("*.jsonl")]
    assert min(kept) == 6  # only documents that were cut are scored in windows too
    for cell in ("partial Pearson", "partial Spearman", "pairwise", "AUROC", "QUALS tokens, windows"):
        assert cell in first.out
    rows = [json.loads(line) for line in figures.splitlines()]
    assert {row["set"] for row in rows} == {"goyal21", "frank_valid", "rank19", "gofigure_human"}
    assert all(row["signature"].startswith("quals-v2-") for row in rows)
    assert {row["metric"] for row in rows} >= {"unigrams", "bigrams", *WEIGHTED, *EXPERIMENTS}
    assert all(row["scored"] == row["units"] for row in rows if "information" not in row["metric"])
    assert first.out.count("  ->  ") > 1  # the pairs of the worst two rows
    output.unlink()
    assert main([*common, "--from-cache", "--checkpoint", str(asking_qagen)]) == 2
    assert "leave one of them out" in capsys.readouterr().err
    assert main([*common, "--from-cache"]) == 0
    assert output.read_text(encoding="utf-8") == figures
    assert capsys.readouterr().out == first.out
    assert [path.name for path in tmp_path.glob("results.jsonl*")] == ["results.jsonl"]


def test_another_dtype_has_scores_of_its_own(
    folder: Path, asking_qagen: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    cache = tmp_path / "cache"
    common = [str(folder), "--sets", "goyal21", "--cache", str(cache), "--resamples", "20", "--no-windows"]
    for options in ([], ["--dtype", "float32"], ["--dtype", "bfloat16"]):
        assert main([*common, "--checkpoint", str(asking_qagen), *options]) == 0
    assert capsys.readouterr().err.count("goyal21: 12 of 12 rows scored") == 2, "the second run found all"
    assert len(list(cache.glob("quals-*.jsonl"))) == 2


def test_floors_are_those_of_the_rows_that_have_a_score(folder: Path) -> None:
    rows = load_set(folder, "goyal21")[:8]  # consistent and inconsistent in turn
    metrics = {
        "unigrams": np.array([0.9, 0.1, 0.1, 0.9, 0.1, 0.9, 0.1, 0.9]),
        "bigrams": np.full(8, np.nan),
        "QUALS tokens": np.array([0.9, 0.1, *[np.nan] * 6]),
    }
    figures = evaluate("goyal21", SPECS["goyal21"].kind, rows, metrics, 50, 0)
    auroc = {figure.metric: figure for figure in figures if figure.statistic == "AUROC"}
    assert auroc["unigrams"].value < 0.5
    assert auroc["QUALS tokens"].floor == auroc["QUALS tokens"].value == 1.0
    assert "**" not in markdown([figure for figure in figures if figure.statistic == "AUROC"], MAIN)


def test_half_a_pair_is_left_out(
    folder: Path, asking_qagen: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    cache = tmp_path / "cache"
    common = [str(folder), "--sets", "rank19", "--cache", str(cache), "--resamples", "20", "--no-windows"]
    assert main([*common, "--checkpoint", str(asking_qagen), "--device", "cpu"]) == 0
    [scores] = cache.glob("*.jsonl")
    lines = scores.read_bytes().splitlines(keepends=True)
    scores.write_bytes(b"".join(lines[:-1]))  # as a kill in the middle of a write leaves it
    capsys.readouterr()
    assert main([*common, "--from-cache"]) == 0
    shown = capsys.readouterr()
    assert f"2 of {len(lines)} rows are not in the cache" in shown.err
    assert f"| {len(lines) // 2 - 1}/{len(lines) // 2 - 1} |" in shown.out


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--sets", "nothing"], "'nothing'"),
        (["--sets", "faceval"], "is missing"),
        (["--limit", "0"], "--limit is 0"),
        (["--output", "/no/such/folder/x.jsonl"], "its folder does not exist"),
        (["--sets", "goyal21", "--from-cache", "--dtype", "bfloat16"], "--dtype says in which type"),
        (["--sets", "goyal21", "--from-cache"], "run once without --from-cache"),
        (["--sets", "goyal21", "--checkpoint", "/no/such/model"], "No QAGen could be loaded"),
    ],
)
def test_mistakes_are_one_line(
    folder: Path, tmp_path: Path, options: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([str(folder), "--cache", str(tmp_path / "cache"), *options]) == 2
    printed = capsys.readouterr().err.strip()
    assert message in printed
    assert len(printed.splitlines()) == 1


@pytest.mark.skipif("QUALS_HUMAN_DATA" not in os.environ, reason="QUALS_HUMAN_DATA names no folder of judgements")
@pytest.mark.parametrize("name", list(SPECS))
def test_real_sets_load(name: str) -> None:
    folder = Path(os.environ["QUALS_HUMAN_DATA"])
    if not SPECS[name].path(folder).is_file():
        pytest.skip("the folder has no such set")
    rows = load_set(folder, name)
    assert len(rows) > 100
    assert {row.label for row in rows} == {0, 1}
    shares = np.array([ngram_share(row.document, row.summary, 1) for row in rows])
    assert np.nanmean(shares) > 0.5
