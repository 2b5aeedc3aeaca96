"""The typography benchmark: variants keep the words, and the table holds the scorer's own differences."""

from __future__ import annotations

import re
import unicodedata
from pathlib import Path

import pytest
from quals import QualsScorer

from benchmarks.typography.__main__ import load_texts, main, table
from benchmarks.typography.variants import VARIANTS, curly_quotes


def bare(text: str) -> str:
    """The letters and digits of a text without accents, whatever its typography."""
    return re.sub(r"[\W_]", "", unicodedata.normalize("NFKD", text))


@pytest.mark.parametrize("name", list(VARIANTS))
def test_a_variant_changes_typography_and_nothing_else(name: str) -> None:
    texts = [text for both in load_texts() for text in both]
    changed = [VARIANTS[name](text) for text in texts]
    assert sum(before != after for before, after in zip(texts, changed, strict=True)) >= 2
    assert [bare(text) for text in changed] == [bare(text) for text in texts]


def test_quotes_open_and_close() -> None:
    assert curly_quotes('"It\'s fair," she said ("fake").') == "“It’s fair,” she said (“fake”)."  # noqa: RUF001


def test_the_table_holds_the_scorers_own_differences(asking_qagen: Path) -> None:
    source, summary = "the king - lost paris and london .", "the king - lost paris ."
    scorer = QualsScorer(str(asking_qagen), device="cpu")
    plain, changed = (
        scorer.score([source], [text])[0].score for text in (summary, VARIANTS["spaces doubled"](summary))
    )
    lines = table([(source, summary)], scorer).splitlines()
    row = next(line for line in lines if line.startswith("| spaces doubled |"))
    assert row.split(" | ")[1:4] == ["1", f"{abs(plain - changed):.3f}", f"{abs(plain - changed):.3f}"]


def test_the_command_prints_every_variant(asking_qagen: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--checkpoint", str(asking_qagen), "--device", "cpu"]) == 0
    printed = capsys.readouterr().out
    assert all(f"| {name} |" in printed for name in VARIANTS)
    assert "Largest difference:" in printed
