"""The one-run benchmark from end to end on a tiny model: every stage once, nothing of the test set trained on."""

from __future__ import annotations

import json
import random
from contextlib import redirect_stdout
from dataclasses import dataclass
from io import StringIO
from pathlib import Path

import numpy as np
import pytest
from support.tiny import WORDS, tiny_model, train_tiny_qagen

from benchmarks.common.examples import read_examples, split
from benchmarks.common.judging import Judge
from benchmarks.common.variants import Variant
from benchmarks.one_run import ablation
from benchmarks.one_run.__main__ import ARMS, main, quality_table

CONTENT = [word for word in WORDS if word.isalpha() and len(word) > 2]


@pytest.fixture(scope="module")
def pairs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Documents of 18 words, each with its first five as the summary."""
    rng = random.Random(0)
    texts = [[rng.choice(CONTENT) for _ in range(18)] for _ in range(24)]
    rows = [{"document": " ".join(text), "summary": " ".join(text[:5])} for text in texts]
    file = tmp_path_factory.mktemp("pairs") / "pairs.jsonl"
    file.write_text("".join(json.dumps(row) + "\n" for row in [*rows, rows[0]]))
    return file


def test_the_split_keeps_documents_apart_whatever_the_order(pairs: Path) -> None:
    examples = read_examples([pairs])
    assert len(examples) == 24, "a document that occurs twice is one"
    train, test = split(examples, 5)
    assert not {example.document for example in train} & {example.document for example in test}
    assert split(examples[::-1], 5) == (train, test)
    with pytest.raises(ValueError, match="too few to keep 12 apart"):
        split(examples, 12)


@dataclass
class Run:
    """A whole run of the benchmark: its folder, its options, and what it printed."""

    model: Path
    work: Path
    options: list[str]
    printed: str


@pytest.fixture(scope="module")
def whole_run(pairs: Path, tmp_path_factory: pytest.TempPathFactory) -> Run:
    folder = tmp_path_factory.mktemp("run")
    model = train_tiny_qagen(folder / "model", lambda rng, text: " ".join(text[:5]), longest=12)
    work = folder / "work"
    options = [str(pairs), "--work", str(work), "--model", str(model), "--test-documents", "3", "--documents", "6"]
    options += ["--mle-epochs", "1", "--epochs", "1", "--samples", "1"]
    printed = StringIO()
    with redirect_stdout(printed):
        assert main(options) == 0
    return Run(model, work, options, printed.getvalue())


def varied(run: Run, test_documents: int = 3) -> list[str]:
    """The ablation's options for one variant of the run."""
    common = [run.options[0], "--work", str(run.work), "--test-documents", str(test_documents)]
    return [*common, "--variant", "selection=per_document,learning_rate=1e-3"]


def test_a_run_trains_three_summarizers_and_prints_what_they_score(whole_run: Run) -> None:
    assert whole_run.printed.startswith("21 training documents, 3 test documents.")
    for label in ("QUALS, nats per token", "ROUGE-L F1", "word pairs", "words in a summary"):
        assert f"| {label}" in whole_run.printed
    assert whole_run.printed.count("- reference: ") == 1
    notes = [json.loads((whole_run.work / arm / "done.json").read_text()) for arm in ARMS]
    assert notes[2]["mining"]["documents"] == 6
    assert notes[1]["documents"] == notes[2]["mining"]["selected"]


def test_a_second_run_only_prints(
    whole_run: Run, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("benchmarks.one_run.stages.ContrastiveSeq2SeqTrainer", None)
    assert main(whole_run.options) == 0
    assert capsys.readouterr().out == whole_run.printed
    assert main([*whole_run.options, "--weight", "2"]) == 2
    assert "other settings" in capsys.readouterr().err


def test_variants_of_the_contrastive_stage_mine_nothing_again(
    whole_run: Run, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("trainer_ext.mining.sampling.generate_labels", None)
    monkeypatch.setattr("trainer_ext.mining.rankers.Ranker.__call__", None)
    assert ablation.main(varied(whole_run)) == 0, capsys.readouterr().err
    table = capsys.readouterr().out
    names = ["before: likelihood", "control of the run", "the run", "learning_rate=0.001,selection=per_document"]
    assert [line.split("|")[1].strip() for line in table.splitlines()[2:6]] == names
    [kept] = (whole_run.work / f"variant-{names[-1]}").glob("summaries-*.json")
    assert len(json.loads(kept.read_text())) == 3
    assert ablation.main(varied(whole_run, test_documents=2)) == 2
    assert "--test-documents" in capsys.readouterr().err


def test_other_weights_by_the_same_name_are_another_run(whole_run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    weights = whole_run.model / "model.safetensors"
    before = weights.read_bytes()
    try:
        tiny_model("bart", seed=5).save_pretrained(whole_run.model)
        assert main(whole_run.options) == 2
        assert "other settings" in capsys.readouterr().err
        assert ablation.main(varied(whole_run)) == 2
        assert "another model" in capsys.readouterr().err
    finally:
        weights.write_bytes(before)


def test_a_variant_is_what_it_says() -> None:
    found = Variant.of("loss=hinge,negatives=2,weight=0.50")
    assert found == Variant(loss="hinge", negatives=2, weight=0.5)
    assert str(found) == str(Variant.of("weight=5e-1,negatives=2,loss=hinge")) == "loss=hinge,weight=0.5,negatives=2"


@pytest.mark.parametrize(
    "text",
    [
        "lr=1", "weight=2,weight=3", "weight=much", "weight=-1", "weight=nan", "loss=x", "selection=x", "fraction=2",
        "fraction=0", "negatives=0", "negatives=1.5", "epochs=-1", "learning_rate=inf",
    ],
)  # fmt: skip
def test_what_is_no_variant_is_refused_before_the_work(text: str) -> None:
    with pytest.raises(ValueError, match="--variant has"):
        Variant.of(text)


def test_halves_are_told_apart_and_missing_scores_are_counted() -> None:
    judges = {"quals": Judge("QUALS", "1", _none), "words": Judge("words", "1", _none)}
    base = {"quals": np.zeros(4), "words": np.ones(4)}
    changed = {"quals": np.array([1.0, 1.0, -1.0, np.nan]), "words": np.array([2.0, 2.0, 2.0, np.nan])}
    contrast = {"positive_log_likelihood": -0.5, "negative_log_likelihood": -2.0, "ranking_accuracy": 0.75}
    notes = {"before": {"steps": 1000, "log": [{"loss": 1.0}]}, "x": {"steps": 20, "log": [contrast]}}
    row = ablation.table({"before": base, "x": changed}, judges, notes).splitlines()[3]
    assert row == "| x | 20 | -0.50, -2.00, 75% | +1.000 [+1.000, +1.000] | -1.000 [-1.000, -1.000] | 3 | 2.000 |"


def _none(sources: list[str], summaries: list[str], references: list[str]) -> list[float]:
    return []


def test_variants_of_no_run_are_refused(pairs: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    options = [str(pairs), "--work", str(tmp_path), "--test-documents", "3", "--variant", "weight=2"]
    assert ablation.main(options) == 2
    assert "no finished run" in capsys.readouterr().err


def test_changes_are_paired_by_document() -> None:
    labels = {"quals": "QUALS, nats", "words": "words in a summary"}
    base = {name: np.arange(10.0) for name in labels}
    found = {"before": base, "control": base, "after": {name: values + 1.0 for name, values in base.items()}}
    row = quality_table(found, labels).splitlines()[2]
    assert row == "| QUALS, nats | 4.500 | 4.500 | 5.500 | +1.000 [+1.000, +1.000] | +1.000 [+1.000, +1.000] |"
