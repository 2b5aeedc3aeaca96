"""Mining shared by processes: what one finds alone, and no waiting for one that failed."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from datasets import Dataset
from quals import QualsScorer
from support.tiny import train_tiny_qagen
from transformers import AutoTokenizer

from benchmarks.common.examples import Example, tokenized
from benchmarks.common.quals_model import QualsModel
from benchmarks.paper.mining import Mining
from trainer_ext.mining import SamplingSettings


@pytest.fixture(scope="module")
def mining(asking_qagen: Path, tmp_path_factory: pytest.TempPathFactory) -> Mining:
    """Three documents and a summarizer that repeats their first words, a document a chunk."""
    folder = tmp_path_factory.mktemp("mining")
    model = train_tiny_qagen(folder / "model", lambda rng, text: " ".join(text[:4]), longest=12)
    tokenizer = AutoTokenizer.from_pretrained(model)
    words = ["cat", "dog", "mat", "red", "blue"]
    texts = [" ".join(words[(place * step) % 5] for step in range(1, 9)) for place in range(3)]
    pool = tokenized([Example(text, text[:15]) for text in texts], tokenizer, 24, 12)
    sampling = SamplingSettings(num_candidates=2, max_length=12, batch_tokens=20, seed=3)
    return Mining(model, 12, pool, sampling, tokenizer, QualsModel(str(asking_qagen), "float32"), folder / "m")


def test_processes_leave_nothing_to_do_and_find_the_same(
    mining: Mining, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    scorer = mining.ranker.load()
    alone = mining.mined(scorer)
    assert len(list(mining.folder.glob("samples-*/chunk-*.json"))) > 2
    shared = replace(mining, folder=tmp_path / "shared")
    shared.share(2)
    monkeypatch.setattr("trainer_ext.mining.sampling.generate_labels", None)
    monkeypatch.setattr(QualsScorer, "score", None)
    found = shared.mined(scorer)
    assert found.rouge_l == alone.rouge_l
    for ranker, rows in alone.scored.items():
        assert found.scored[ranker]["candidate_labels"][:] == rows["candidate_labels"][:]
        for column in ("candidate_scores", "reference_score"):  # other threads add in another order
            assert np.allclose(found.scored[ranker][column], rows[column], atol=1e-4)


def test_a_process_that_fails_ends_them_all(mining: Mining, tmp_path: Path) -> None:
    empty = Dataset.from_dict({**mining.pool.to_dict(), "input_ids": [[]] * len(mining.pool)})
    broken = replace(mining, pool=empty.remove_columns("attention_mask"), folder=tmp_path / "broken")
    with pytest.raises(ValueError, match="None of 3 documents has words"):
        broken.share(2)
