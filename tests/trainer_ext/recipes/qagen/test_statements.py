"""Statements from files and from documents."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from spacy.tokens import Doc
from support.parsed import ENTITIES, WORDS, parsed

from trainer_ext.recipes.documents import read_documents
from trainer_ext.recipes.qagen.statements import Statement, make_statements, read_statements, without_conflicts


def write(path: Path, *rows: dict[str, Any]) -> str:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return str(path)


class _ByHand:
    """Stands where a pipeline stands: gives documents that are parsed already."""

    def pipe(self, documents: list[Doc]) -> list[Doc]:
        return documents


def test_documents_give_true_and_false_statements_in_pairs() -> None:
    document = parsed(WORDS, entities=ENTITIES)
    made = [list(make_statements([document], _ByHand(), seed=seed)) for seed in range(20)]  # type: ignore[arg-type,list-item]
    assert all([told.consistent for told in pair] == [True, False] for pair in made)
    assert all(told.source == document.text for pair in made for told in pair)
    assert all(pair[0].text in document.text and pair[1].text not in document.text for pair in made)
    assert any(pair[1].text.startswith("Bob met Ann") for pair in made)  # roles exchanged, which FactCC's claims lack


@pytest.mark.parametrize(
    ("row", "consistent"),
    [
        ({"premise": "A b.", "hypothesis": "C d.", "label": "entailment"}, True),
        ({"premise": "A b.", "hypothesis": "C d.", "label": "neutral"}, False),
        ({"document": "A b.", "summary": "C d.", "label": 1}, True),
        ({"source": "A b.", "claim": "C d.", "consistent": False}, False),
    ],
)
def test_rows_of_many_sets_are_read(row: dict[str, Any], consistent: bool, tmp_path: Path) -> None:
    file = write(tmp_path / "rows.jsonl", row, row)
    assert read_statements([file]) == [Statement("A b.", "C d.", consistent)]


def test_statements_and_documents_have_the_typography_that_the_metrics_read(tmp_path: Path) -> None:
    file = write(
        tmp_path / "rows.jsonl", {"source": "\u201cA\u201d \u2026", "claim": "It\u2019s C.", "consistent": True}
    )
    assert read_statements([file]) == [Statement('"A" ...', "It's C.", True)]
    assert read_documents([file]) == ['"A" ...']


def test_an_unknown_label_is_refused(tmp_path: Path) -> None:
    file = write(tmp_path / "rows.jsonl", {"source": "A b.", "claim": "C d.", "label": "perhaps"})
    with pytest.raises(ValueError, match="row 1: 'label' is 'perhaps'"):
        read_statements([file])


def test_statements_with_two_labels_are_left_out() -> None:
    told = [Statement("a", "b", True), Statement("a", "b", False), Statement("a", "c", True)]
    assert without_conflicts(told) == told[2:]
