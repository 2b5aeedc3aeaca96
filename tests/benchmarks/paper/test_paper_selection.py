"""Which samples an experiment trains towards, and away from."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from datasets import Dataset
from support.tiny import tiny_tokenizer

from benchmarks.paper.mining import Mined
from benchmarks.paper.stages import Settings, chosen_rows


def test_each_document_may_have_its_best_sample_as_the_target(tmp_path: Path) -> None:
    """By either ranker, from the same samples; the reference, which leads by ROUGE, is none of them."""
    pool = Dataset.from_dict({"labels": [[9], [9], [9]], "candidate_labels": [[[1], [2]], [[3], [4]], [[5], [5]]]})
    scores = {"quals": [[-1.0, -2.0], [-2.0, -1.0], [-1.0, -1.0]], "rouge": [[0.1, 0.3], [0.1, 0.3], [0.2, 0.2]]}
    scored = {
        ranker: pool.add_column("candidate_scores", mine).add_column("reference_score", [1.0, 1.0, 1.0])
        for ranker, mine in scores.items()
    }
    chosen = chosen_rows(Settings("model", tmp_path, selection="per_document"), Mined(scored, None))
    assert chosen["quals"]["labels"][:] == [[1], [4]]
    assert chosen["quals"]["candidate_labels"][:] == [[[2]], [[3]]]
    assert chosen["rouge"]["labels"][:] == [[2], [4]]
    by_paper = chosen_rows(Settings("model", tmp_path, fraction=0.4), Mined(scored, None))
    assert {label for rows in by_paper.values() for [label] in rows["labels"]} == {9}


@pytest.mark.parametrize("selection", ["paper", "per_document"])
def test_wordless_samples_and_copies_of_the_reference_are_not_trained_on(selection: Any, tmp_path: Path) -> None:
    """ROUGE scores a sample without words 0, which QUALS does not score at all."""
    tokenizer = tiny_tokenizer()
    texts = [("the cat", [".", "The CAT .", "a cat", "a mat"])] * 2
    ids = [[tokenizer(text)["input_ids"] for text in (reference, *samples)] for reference, samples in texts]
    rows = {"labels": [own[0] for own in ids], "candidate_labels": [own[1:] for own in ids]}
    pool = Dataset.from_dict({**rows, "candidate_scores": [[0.0, 0.1, 0.2, 0.3]] * 2, "reference_score": [1.0, 0.9]})
    scored = Mined({"quals": pool, "rouge": pool}, None, tokenizer)
    for chosen in chosen_rows(Settings("model", tmp_path, selection=selection), scored).values():
        assert {tuple(ids) for row in chosen["candidate_labels"] for ids in row} == {tuple(ids[0][3])}
