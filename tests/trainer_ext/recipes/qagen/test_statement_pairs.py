"""The pairs that a QAGen asks of statements, for its contrast."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest
import torch
from quals.checkpoint import load_qagen

from trainer_ext.recipes.qagen.contrast import _FUNCTION_WORDS, generate_pairs, in_dtype
from trainer_ext.recipes.statements import Statement

SOURCE = "The cat won the mat in the red city of paris. The queen of paris lost the mat and the river."


def test_pairs_may_be_asked_in_another_dtype(tiny_asking: Path) -> None:
    qagen = load_qagen(str(tiny_asking))
    assert in_dtype(qagen, torch.float32) is qagen
    exact, asked = (
        {
            pair.token_ids: pair.log_probs
            for own in generate_pairs(one, [Statement(SOURCE, SOURCE, True)], 9, groups=60)
            for pair in own
        }
        for one in (qagen, in_dtype(qagen, torch.bfloat16))
    )
    assert qagen.model.dtype == torch.float32, "which goes on to be trained"
    both = exact.keys() & asked.keys()
    assert both
    assert all(sum(asked[ids]) == pytest.approx(sum(exact[ids]), abs=1) for ids in both)


def test_of_a_false_statement_only_pairs_with_a_changed_word_are_asked(tiny_asking: Path) -> None:
    qagen = load_qagen(str(tiny_asking))

    def asked(changed: str) -> list[tuple[tuple[int, ...], set[str]]]:
        (own,) = generate_pairs(qagen, [Statement("", SOURCE, False, changed)], 60, groups=60)
        return [(one.token_ids, {*f"{one.question} {one.answer}".lower().split()}) for one in own]

    everything = asked("")
    counts = Counter(word for _, has in everything for word in has if word.isalpha())
    word = next(word for word, count in counts.items() if count < len(everything) and word not in _FUNCTION_WORDS)
    for changed, words in {word.title(): {word}, f"the {word}": {word}, "In": {"in"}, "nobody": {"nobody"}}.items():
        assert asked(changed) == [(token_ids, has) for token_ids, has in everything if words & has]
    assert 0 < len(asked(f"the {word}")) < len(everything), "an article alone is not enough"
    assert not asked("nobody")
