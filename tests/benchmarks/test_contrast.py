"""Pairs of a right and a wrong summary: the sets are well formed, and their commands count as they say."""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest
from quals import QualsScorer
from quals.pairs import fold
from quals.results import WEIGHTINGS

from benchmarks.common.contrast import ContrastPair, Outcome, kinds_table, load_pairs, metrics_table, outcomes
from benchmarks.paraphrased.__main__ import PAIRS as PARAPHRASED
from benchmarks.paraphrased.__main__ import main as main_paraphrased
from benchmarks.swapped.__main__ import FIRST
from benchmarks.swapped.__main__ import PAIRS as SWAPPED
from benchmarks.swapped.__main__ import main as main_swapped
from trainer_ext.mining.rankers import ngram_share


def words(text: str) -> set[str]:
    return {word.folded for word in fold(text)}


@pytest.mark.parametrize(("file", "number"), [(SWAPPED, 60), (PARAPHRASED, 40)])
def test_every_pair_is_of_a_text_and_differs(file: Path, number: int) -> None:
    pairs = load_pairs(file)
    assert len(pairs) == number
    assert len({(pair.source, pair.consistent, pair.inconsistent) for pair in pairs}) == number
    for pair in pairs:
        assert 60 <= len(pair.source.split()) <= 150, pair.consistent
        assert fold(pair.consistent) != fold(pair.inconsistent), pair.consistent
        assert pair.consistent not in pair.source, pair.consistent


def test_swapped_summaries_differ_in_the_fact_alone() -> None:
    pairs = load_pairs(SWAPPED)
    for pair in pairs:
        right, wrong = words(pair.consistent), words(pair.inconsistent)
        assert len(right & wrong) >= 0.5 * len(right | wrong), pair.consistent
    kinds = Counter(pair.kind for pair in pairs)
    assert sum(number > 1 for number in kinds.values()) >= 12, "several pairs of most kinds"


def test_the_first_18_are_one_of_each_kind() -> None:
    first = load_pairs(SWAPPED)[:18]
    assert {pair.subset for pair in first} == {FIRST}
    assert len({pair.kind for pair in first}) == 18
    assert all(not pair.subset for pair in load_pairs(SWAPPED)[18:])
    assert "chink in his armour" in first[0].source


def test_paraphrases_leave_the_sources_words_which_the_false_ones_keep() -> None:
    shares = [
        [ngram_share(pair.source, text, 1) for text in (pair.consistent, pair.inconsistent)]
        for pair in load_pairs(PARAPHRASED)
    ]
    assert all(true < 0.7 and false > 0.8 for true, false in shares)
    assert sum(true for true, _ in shares) < 0.4 * len(shares)


@pytest.mark.parametrize(
    ("consistent", "inconsistent", "right"),
    [(-0.1, -0.2, True), (-0.2, -0.1, False), (-0.1, -0.1, False), (math.nan, -0.1, False), (-0.1, math.nan, False)],
)
def test_ties_and_missing_scores_are_wrong(consistent: float, inconsistent: float, right: bool) -> None:
    assert Outcome("names", "", 0, "QUALS tokens", consistent, inconsistent).right is right


def test_the_interval_is_over_sources() -> None:
    scored = [Outcome("names", "", place // 10, "m", float(place < 10), 0.5) for place in range(20)]
    scored[0] = Outcome("names", "", 0, "m", math.nan, 0.5)
    assert metrics_table(scored).splitlines()[2] == "| m | 9 of 20 | 45% [0%, 90%] | 10 | 1 |"
    assert kinds_table(scored, "m").splitlines()[2] == "| names | 9 of 20 |"


@pytest.mark.parametrize(("main", "file"), [(main_swapped, SWAPPED), (main_paraphrased, PARAPHRASED)])
def test_a_command_scores_every_pair_by_every_metric(
    main: Callable[[list[str]], int],
    file: Path,
    asking_qagen: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    output = tmp_path / "scores.jsonl"
    assert main(["--checkpoint", str(asking_qagen), "--device", "cpu", "--output", str(output)]) == 0
    printed, pairs = capsys.readouterr().out, load_pairs(file)
    rows = [json.loads(line) for line in output.read_text(encoding="utf-8").splitlines()]
    assert len(rows) == 6 * len(pairs)
    for metric in ("QUALS tokens", "QUALS answer", "QUALS balanced", "QUALS information", "unigrams", "bigrams"):
        of_metric = [row for row in rows if row["metric"] == metric]
        assert [row["kind"] for row in of_metric] == [pair.kind for pair in pairs]
        assert f"| {metric} | {sum(row['right'] for row in of_metric)} of {len(pairs)} |" in printed
    if file == SWAPPED:
        assert " of 18 |" in printed


def test_outcomes_are_the_scorers_own_scores(asking_qagen: Path) -> None:
    consistent, inconsistent = "joshua won in paris .", "the queen lost the river city ."
    pair = ContrastPair("names", "joshua has a red mat in paris .", consistent, inconsistent)
    everything = QualsScorer(str(asking_qagen), device="cpu", weighting="information")
    scored = {outcome.metric: outcome for outcome in outcomes([pair], everything)}
    for weighting in WEIGHTINGS:
        scorer = QualsScorer(str(asking_qagen), device="cpu", weighting=weighting)
        right, wrong = (result.score for result in scorer.score([pair.source] * 2, [consistent, inconsistent]))
        outcome = scored[f"QUALS {weighting}"]
        assert (outcome.consistent, outcome.inconsistent) == pytest.approx((right, wrong), abs=1e-6, nan_ok=True)
        assert outcome.right is (right > wrong)


def test_a_wrong_checkpoint_is_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main_swapped(["--checkpoint", str(tmp_path)]) == 2
    assert len(capsys.readouterr().err.strip().splitlines()) == 1


def test_most_names_numbers_and_places_come_out_right_with_the_embedded_model(embedded: Path) -> None:
    kinds = ("names", "numbers", "places", "dates", "organisations")
    pairs = [pair for pair in load_pairs(SWAPPED)[:18] if pair.kind in kinds]
    scored = outcomes(pairs, QualsScorer(str(embedded), device="cpu", weighting="information"))
    assert sum(outcome.right for outcome in scored if outcome.metric == "QUALS tokens") >= 4
