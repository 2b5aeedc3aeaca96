"""The contrastive benchmark from end to end on a tiny model: every stage once, nothing of the test set trained on."""

from __future__ import annotations

import json
import random
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


def test_a_whole_run_and_its_resumption(
    pairs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    model = train_tiny_qagen(tmp_path / "model", lambda rng, text: " ".join(text[:5]), longest=12)
    work = tmp_path / "work"
    options = [str(pairs), "--work", str(work), "--model", str(model), "--test-documents", "3", "--documents", "6"]
    options += ["--mle-epochs", "1", "--epochs", "1", "--samples", "1"]
    assert main(options) == 0, capsys.readouterr().err
    printed = capsys.readouterr().out
    assert printed.startswith("21 training documents, 3 test documents.")
    for label in ("QUALS, nats a token", "ROUGE-L F1", "word pairs", "words in a summary"):
        assert f"| {label}" in printed
    assert printed.count("- reference: ") == 1
    notes = [json.loads((work / arm / "done.json").read_text()) for arm in ARMS]
    assert notes[2]["mining"]["documents"] == 6
    assert notes[1]["documents"] == notes[2]["mining"]["selected"]
    # Variants of the contrastive stage mine nothing again.
    varied = [
        str(pairs),
        "--work",
        str(work),
        "--test-documents",
        "3",
        "--variant",
        "selection=per_document,learning_rate=1e-3",
    ]
    with monkeypatch.context() as patch:
        patch.setattr("trainer_ext.mining.sampling.generate_labels", None)
        patch.setattr("trainer_ext.mining.rankers.Ranker.__call__", None)
        assert ablation.main(varied) == 0, capsys.readouterr().err
    table = capsys.readouterr().out
    names = ["before: likelihood", "control of the run", "the run", "learning_rate=0.001,selection=per_document"]
    assert [line.split("|")[1].strip() for line in table.splitlines()[2:6]] == names
    assert (
        len(json.loads((work / "variant-learning_rate=0.001,selection=per_document" / "summaries.json").read_text()))
        == 3
    )
    assert ablation.main([*varied[:4], "2", *varied[5:]]) == 2
    assert "another number of --test-documents" in capsys.readouterr().err
    # A second run only prints.
    monkeypatch.setattr("benchmarks.one_run.stages.ContrastiveSeq2SeqTrainer", None)
    assert main(options) == 0
    assert capsys.readouterr().out == printed
    assert main([*options, "--weight", "2"]) == 2
    assert "other settings" in capsys.readouterr().err
    tiny_model("bart", seed=5).save_pretrained(model)  # other weights by the same name
    assert main(options) == 2
    assert "other settings" in capsys.readouterr().err
    assert ablation.main(varied) == 2
    assert "of another model" in capsys.readouterr().err


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
    labels = {"quals": "QUALS, nats a token", "words": "words in a summary"}
    base = {name: np.arange(10.0) for name in labels}
    found = {"before": base, "control": base, "after": {name: values + 1.0 for name, values in base.items()}}
    row = quality_table(found, labels).splitlines()[2]
    assert row == "| QUALS, nats a token | 4.500 | 4.500 | 5.500 | +1.000 [+1.000, +1.000] | +1.000 [+1.000, +1.000] |"
