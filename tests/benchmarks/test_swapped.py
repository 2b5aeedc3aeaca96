"""The swapped-fact set is well formed, and its command counts as it says."""

from __future__ import annotations

import json
import math
from pathlib import Path

import pytest
from quals import QualsScorer
from quals.pairs import fold
from quals.results import WEIGHTINGS

from benchmarks.swapped.__main__ import Outcome, SwappedPair, load_pairs, main, outcomes, table


def test_items_are_well_formed() -> None:
    pairs = load_pairs()
    assert len(pairs) >= 12
    assert len({pair.kind for pair in pairs}) == len(pairs)
    assert len({(pair.source, pair.consistent) for pair in pairs}) == len(pairs)
    for pair in pairs:
        assert 60 <= len(pair.source.split()) <= 150, pair.kind
        consistent = [word.folded for word in fold(pair.consistent)]
        inconsistent = [word.folded for word in fold(pair.inconsistent)]
        assert consistent != inconsistent, pair.kind
        shared = set(consistent) & set(inconsistent)
        # Only the swapped fact differs.
        assert len(shared) >= 0.5 * len(set(consistent) | set(inconsistent)), pair.kind
        assert pair.consistent not in pair.source, pair.kind


def test_the_boxing_example_is_there() -> None:
    item = load_pairs()[0]
    assert "chink in his armour" in item.source
    assert item.consistent.index("Klitschko") < item.consistent.index("chink") < len(item.consistent)
    assert item.inconsistent.index("Joshua") > item.inconsistent.index("Klitschko")


@pytest.mark.parametrize(
    ("consistent", "inconsistent", "right"),
    [(-0.1, -0.2, True), (-0.2, -0.1, False), (-0.1, -0.1, False), (math.nan, -0.1, False), (-0.1, math.nan, False)],
)
def test_ties_and_missing_scores_are_wrong(consistent: float, inconsistent: float, right: bool) -> None:
    assert Outcome("names", "QUALS tokens", consistent, inconsistent).right is right


def test_command_scores_every_item_by_every_metric(
    asking_qagen: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    output = tmp_path / "swapped.jsonl"
    assert main(["--checkpoint", str(asking_qagen), "--device", "cpu", "--output", str(output)]) == 0
    printed, pairs = capsys.readouterr().out, load_pairs()
    rows = [json.loads(line) for line in output.read_text(encoding="utf-8").splitlines()]
    assert len(rows) == 5 * len(pairs)
    for metric in ("QUALS tokens", "QUALS answer", "QUALS balanced", "unigrams", "bigrams"):
        mine = [row for row in rows if row["metric"] == metric]
        assert [row["kind"] for row in mine] == [pair.kind for pair in pairs]
        assert f"| {metric} | {sum(row['right'] for row in mine)} of {len(pairs)} |" in printed


def test_outcomes_are_the_scorers_own_scores(asking_qagen: Path) -> None:
    consistent, inconsistent = "joshua won in paris .", "the queen lost the river city ."
    item = SwappedPair("names", "joshua has a red mat in paris .", consistent, inconsistent)
    found = {outcome.metric: outcome for outcome in outcomes([item], QualsScorer(str(asking_qagen), device="cpu"))}
    for weighting in WEIGHTINGS:
        scorer = QualsScorer(str(asking_qagen), device="cpu", weighting=weighting)
        one, two = (score.score for score in scorer.score([item.source] * 2, [consistent, inconsistent]))
        outcome = found[f"QUALS {weighting}"]
        assert (outcome.consistent, outcome.inconsistent) == pytest.approx((one, two), abs=1e-6)
        assert outcome.right is (one > two)
        assert f"| names | {one:.3f} | {two:.3f} |" in table(list(found.values()), scorer)


def test_a_wrong_checkpoint_is_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--checkpoint", str(tmp_path)]) == 2
    assert len(capsys.readouterr().err.strip().splitlines()) == 1


def test_most_names_numbers_and_places_come_out_right_with_the_embedded_model(embedded: Path) -> None:
    kinds = ("names", "numbers", "places", "dates", "organisations")
    pairs = [pair for pair in load_pairs() if pair.kind in kinds]
    found = outcomes(pairs, QualsScorer(str(embedded), device="cpu"))
    assert sum(outcome.right for outcome in found if outcome.metric == "QUALS tokens") >= 4
