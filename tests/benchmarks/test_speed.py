"""The speed benchmark runs from end to end on a tiny model, and does not let a wrong score pass."""

from __future__ import annotations

import json
import math
import re
from pathlib import Path
from typing import Any

import pytest
import torch
from quals.matmul import fast_products
from support.tiny import WORDS

from benchmarks.speed import many
from benchmarks.speed.__main__ import agree, main
from benchmarks.speed.measure import flops, peak_memory
from benchmarks.speed.plain import PlainResult
from benchmarks.speed.ways import ordinary_products

CONTENT = [word for word in WORDS if word.isalpha() and len(word) > 2]


@pytest.fixture
def texts(tmp_path: Path) -> Path:
    path = tmp_path / "texts.jsonl"
    rows = [
        {"document": " ".join((CONTENT * 5)[n : n + 110]), "summary": " ".join((CONTENT * 5)[n : n + 8])}
        for n in range(16)
    ]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


def test_every_table_is_printed(texts: Path, asking_qagen: Path, capsys: pytest.CaptureFixture[str]) -> None:
    sizes = ["--summaries", "2", "--many", "2", "4", "--words", "5", "10"]
    assert main([str(texts), "--checkpoint", str(asking_qagen), *sizes]) == 0
    shown = capsys.readouterr().out
    assert "| + all summaries in batches |" in shown
    assert "| + float32 products by oneDNN: QualsScorer |" in shown
    assert "Largest difference of a score from the plain way's:" in shown
    for line in ("| 4 | 4 |", "| 10 |", "| plain |", "| QualsScorer |"):
        assert line in shown
    assert "nan" not in shown


def test_cheaper_settings_are_compared_with_the_default(
    texts: Path, asking_qagen: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    other = ["--other", str(asking_qagen)]
    assert main([str(texts), "--checkpoint", str(asking_qagen), "--cheaper", "--summaries", "6", *other]) == 0
    first, *others, same = capsys.readouterr().out.splitlines()[2:7]
    assert re.fullmatch(rf"\| checkpoint {asking_qagen.name} \| [\d.]+ \| [1-6] \|  \|  \|", same)
    assert re.fullmatch(r"\| float32, 60 pairs generated \| 1\.00 \| [1-6] \|  \|  \|", first)
    assert [line.split(" | ")[0] for line in others] == ["| bfloat16", "| 30 pairs generated", "| 15 pairs generated"]
    assert all(
        re.fullmatch(r"\| [\w ]+ \| [\d.]+ \| [1-6] \| (\d\.\d{3})? \| (-?\d\.\d\d)? \|", line) for line in others
    )


def test_processes_are_compared_with_one(
    texts: Path, asking_qagen: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(many, "_CHUNK", 4)
    options = ["--processes", "2", "--rows", "12", "--rounds", "1"]
    assert main([str(texts), "--checkpoint", str(asking_qagen), *options]) == 0
    shown = capsys.readouterr().out
    assert re.search(r"\| 2 processes, 1 threads each, 4 summaries at a time \| [\d.]+ \| [\d.]+x \|", shown)
    assert re.search(r"Largest difference of a score: \d.\de[-+]\d\d\. Start to first score: [\d.]+ s\.", shown)
    assert re.search(r"its share of what is shared: \d+ MiB, \d+ MiB\.", shown) or not Path("/proc").is_dir()
    assert "nan" not in shown
    assert main([str(texts), "--processes", "1"]) == 2
    assert "--processes is 1" in capsys.readouterr().err


def test_ordinary_products_are_the_ordinary_ones_for_the_scorers_too() -> None:
    matmul: Any = getattr(torch.backends.mkldnn, "matmul", None)
    if not hasattr(matmul, "fp32_precision"):
        pytest.skip("this torch has no such setting")
    with ordinary_products(), fast_products(torch.nn.Linear(2, 2), trial=lambda setting: True):
        assert matmul.fp32_precision == "ieee"
    assert matmul.fp32_precision == "none"


def test_too_few_texts_are_refused_in_one_line(texts: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([str(texts), "--reader", "somewhere"]) == 2
    assert "needs --pipeline" in capsys.readouterr().err
    texts.write_text("".join(texts.read_text().splitlines(keepends=True)[:3]))
    assert main([str(texts)]) == 2
    assert capsys.readouterr().err.count("\n") == 1


@pytest.mark.parametrize("ours", [-1.1, math.nan])
def test_a_score_that_differs_is_an_error(ours: float) -> None:
    plain = [PlainResult(-1.0, 0.5), PlainResult(math.nan, 0.5), PlainResult(-2.0, 1e-6)]
    agree(plain, [-1.0, math.nan, -9.0])  # the third had a near tie
    with pytest.raises(ValueError, match="differ by"):
        agree(plain, [ours, math.nan, -2.0])
    with pytest.raises(ValueError, match="differ by"):
        agree(plain, [-1.0, -1.0, -2.0])


def test_flops_of_a_matrix_product() -> None:
    import torch

    a, b = torch.ones(8, 16), torch.ones(16, 4)
    assert flops(lambda: a @ b) == 2 * 8 * 16 * 4
    a, b = a.to(torch.int8), b.to(torch.int8)
    assert flops(lambda: torch._int_mm(a, b)) == 2 * 8 * 16 * 4


def touch(megabytes: int) -> None:
    bytearray(b"x") * (megabytes * 2**20)


def test_peak_memory_is_the_childs_own() -> None:
    held = bytearray(b"x") * (600 * 2**20)
    del held
    small, large = peak_memory(touch, 1), peak_memory(touch, 301)
    assert 250 * 2**20 < large - small < 350 * 2**20
