"""QAGS stage by stage, which the speed benchmark compares with, computes what the scorer does."""

from __future__ import annotations

from pathlib import Path

import pytest
from qags import QAGSScorer
from quals import QualsScorer
from spacy.language import Language
from support.readers import CONTENT

from benchmarks.speed.rival import compare_with_qags
from benchmarks.speed.staged_qags import StagedQags

NAMES, OTHERS = CONTENT[::2], CONTENT[1::2]
LONG = " ".join(OTHERS * 12)  # several windows
TEXTS = [
    (f"{NAMES[0]} {OTHERS[0]} {NAMES[1]}", f"{NAMES[0]} {NAMES[1]}"),
    (f"{NAMES[0]} {OTHERS[1]}", f"{NAMES[0]} {NAMES[2]}"),
    (OTHERS[2], OTHERS[0]),
]
IN_WINDOWS = (f"{LONG} {NAMES[1]} {OTHERS[1]}", f"{NAMES[1]} {OTHERS[2]} {NAMES[2]}")


@pytest.fixture(scope="module")
def scorer(questioner: Path, reader: Path, pipeline: Language) -> QAGSScorer:
    return QAGSScorer(str(questioner), str(reader), pipeline=pipeline, beams=3)


def test_both_ways_compute_the_same(scorer: QAGSScorer) -> None:
    texts = [*TEXTS, IN_WINDOWS]
    wanted = [result.score for result in scorer.score(*map(list, zip(*texts, strict=True)))]
    for padding in ("max_length", "longest"):
        assert StagedQags(scorer, padding).score(texts) == pytest.approx(wanted, nan_ok=True)
    assert wanted[:2] == [1.0, 0.5]


def test_the_table_has_both_and_quals(scorer: QAGSScorer, tiny_qagen: Path, capsys: pytest.CaptureFixture[str]) -> None:
    compare_with_qags(QualsScorer(str(tiny_qagen)), scorer, TEXTS)
    shown = capsys.readouterr().out
    for name in ("QAGS stage by stage", "QAGS in batches", "+ float32 products by oneDNN: QAGS", "QUALS: QualsScorer"):
        assert f"| {name}" in shown
    assert "QAGS for 2, by 1.3 questions each" in shown
    assert "give the same for 3 of 3" in shown
    padded, longest = (float(line.split("|")[3].strip(" x")) for line in shown.splitlines()[2:4])
    assert padded > longest


def test_no_score_at_all_is_an_error(scorer: QAGSScorer, tiny_qagen: Path) -> None:
    with pytest.raises(ValueError, match="QAGS score"):
        compare_with_qags(QualsScorer(str(tiny_qagen)), scorer, TEXTS[2:] * 2)


def test_ways_that_differ_are_an_error(scorer: QAGSScorer, tiny_qagen: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(StagedQags, "score", lambda self, texts: [0.25] * len(texts))
    with pytest.raises(ValueError, match="agree on 0 of 3"):
        compare_with_qags(QualsScorer(str(tiny_qagen)), scorer, TEXTS)
