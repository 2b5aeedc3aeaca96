"""Rivals on the rows of the agreement benchmark: kept on disk, cut off and gone on with, the cosine by hand."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
import torch
from support.classifiers import save_classifier
from support.readers import pair_tokenizer, tiny_reader
from transformers import AutoModel, AutoTokenizer

from benchmarks.agreement.data import Row
from benchmarks.agreement.rivals import (
    COSINE,
    ENTAILMENT,
    FACTCC,
    RIVALS,
    Checkpoints,
    Rival,
    load_rivals,
    rival_scores,
)


def rows(count: int) -> list[Row]:
    texts = [(f"the king lost paris and the cat . {n}", "the king lost paris") for n in range(count)]
    return [Row(f"r{n}", document, summary, 1.0, 1, "", f"r{n}", "") for n, (document, summary) in enumerate(texts)]


def test_scores_are_kept_row_by_row(tmp_path: Path) -> None:
    asked: list[str] = []

    def score(documents: list[str], summaries: list[str]) -> list[float]:
        asked.extend(documents)
        return [math.nan if document.endswith("1") else 0.5 for document in documents]

    rival = Rival("One", "one-1", score)
    first = rival_scores(rival, rows(3), tmp_path, "set")
    assert first.tolist()[::2] == [0.5, 0.5]
    assert math.isnan(first[1])
    with (tmp_path / "one-1.jsonl").open("a") as file:
        file.write('{"id": "r3", "te')  # a kill in the middle of a line
    again = rival_scores(rival, rows(5), tmp_path, "set")
    assert len(asked) == 5
    assert np.array_equal(again[:3], first, equal_nan=True)
    rival_scores(Rival("One", "one-2", score), rows(1), tmp_path, "set")
    assert len(asked) == 6, "another signature is another file"
    (tmp_path / "one-1.jsonl").write_text("{}\n")
    with pytest.raises(ValueError, match="line 1"):
        rival_scores(rival, rows(1), tmp_path, "set")


def test_rouge_and_factcc(tmp_path: Path) -> None:
    checkpoints = Checkpoints(classifier=str(save_classifier(tmp_path / "classifier")))
    found = {
        rival.name: rival_scores(rival, rows(2), tmp_path / "cache", "set")
        for rival in load_rivals(["ROUGE-1", "ROUGE-2", "ROUGE-L", FACTCC], checkpoints)
    }
    assert found["ROUGE-1"][0] == pytest.approx(2 * 4 / (4 + 8))
    assert found["ROUGE-1"][0] > found["ROUGE-2"][0]
    assert 0 < found[FACTCC][0] < 1
    assert [file.name.startswith("factcc-v2-") for file in (tmp_path / "cache").iterdir()] == [True]


def test_the_cosine_is_of_mean_states(tmp_path: Path) -> None:
    tiny_reader().bert.save_pretrained(tmp_path)
    pair_tokenizer().save_pretrained(tmp_path)
    (rival,) = load_rivals([COSINE], Checkpoints(encoder=str(tmp_path)))
    model, tokenizer = AutoModel.from_pretrained(tmp_path).eval(), AutoTokenizer.from_pretrained(tmp_path)
    means = []
    for text in (rows(1)[0].document, rows(1)[0].summary):
        encoded = tokenizer(text, return_tensors="pt")
        with torch.no_grad():
            states = model(input_ids=encoded["input_ids"], attention_mask=encoded["attention_mask"])
        means.append(states.last_hidden_state[0].mean(0))
    wanted = float(torch.nn.functional.cosine_similarity(means[0], means[1], dim=0))
    assert rival_scores(rival, rows(1), tmp_path / "cache", "set")[0] == pytest.approx(wanted, abs=1e-5)
    with pytest.raises(ValueError, match="--encoder"):
        load_rivals(RIVALS[-1:], Checkpoints())


def test_entailment_is_judged_as_factcc_judges(tmp_path: Path) -> None:
    classifier = str(save_classifier(tmp_path / "nli"))
    both = load_rivals([FACTCC, ENTAILMENT], Checkpoints(classifier=classifier, entailment=classifier))
    scores = [rival_scores(rival, rows(2), tmp_path / rival.name, "set") for rival in both]
    assert [rival.name for rival in both] == ["FactCC", "entailment"]
    assert scores[0].tolist() == scores[1].tolist()
    with pytest.raises(ValueError, match="--entailment"):
        load_rivals([ENTAILMENT], Checkpoints())
