"""Rows of files: every format gives the same rows, and what cannot be read is told with its place."""

from __future__ import annotations

import gzip
import io
import json
import math
from pathlib import Path

import pytest
from quals.rows import SOURCE_COLUMNS, find_column, json_value, read_rows, write_csv

ROWS = [{"source": "a; b, “c”\td", "summary": "e\r\nf"}, {"source": "\u2028\x0c 2020-01-01", "summary": ""}]


def quoted(delimiter: str) -> str:
    lines = [ROWS[0].keys(), *(row.values() for row in ROWS)]
    return "".join(delimiter.join(f'"{value}"' for value in line) + "\r\n" for line in lines)


FORMS = {
    "rows.csv": quoted(","),
    "semicolons.csv": quoted(";"),
    "rows.tsv": quoted("\t"),
    "rows.jsonl": "".join(json.dumps(row, ensure_ascii=False) + "\n\n" for row in ROWS),
    "ROWS.NDJSON": "".join(json.dumps(row) + "\n" for row in ROWS),
    "lines.json": "".join(json.dumps(row) + "\n" for row in ROWS),
    "array.json": "\n " + json.dumps(ROWS, indent=2),
}


@pytest.mark.parametrize("mark", ["", "\ufeff"], ids=["plain", "byte-order-mark"])
@pytest.mark.parametrize("compressed", [False, True])
@pytest.mark.parametrize("name", FORMS)
def test_every_format_gives_the_same_rows(tmp_path: Path, name: str, compressed: bool, mark: str) -> None:
    content = (mark + FORMS[name]).encode()
    path = tmp_path / (f"{name}.gz" if compressed else name)
    path.write_bytes(gzip.compress(content, mtime=0) if compressed else content)
    assert read_rows(path) == ROWS


@pytest.mark.parametrize(
    ("name", "content", "reason"),
    [
        ("rows.txt", b"", r"ends in '\.txt'"),
        ("rows", b"", "ends in 'nothing'"),
        ("rows.gz", b"", r"ends in '\.gz'"),
        ("rows.jsonl", b"[" * 100_000, "line 1: .* nested too deep"),
        ("rows.json", b"[" * 100_000, "nested too deep"),
        ("rows.json", b'[{"a": 1}, 2]', "row 2: this is a int"),
        ("rows.json", b'[{"a": 1}, ', "is not JSON"),
        ("rows.json", b'[{"a": "\xff"}]', "not UTF-8"),
        ("rows.json", b'[{"a": "' + b"a" * 99_999 + b'\xff"}]', "not UTF-8"),
        ("rows.json", b'{"a":\n 1}', "line 1: this is not JSON"),
        ("rows.csv", b"a,b\n1\n", "row 1: there are 1 fields and the header has 2"),
        ("rows.csv", b"a;b\n1;2;3\n", "row 1: there are 3 fields and the header has 2"),
        ("rows.csv.gz", b"a,b\n", "is not a whole gzip file"),
        ("rows.csv.gz", gzip.compress(b"a,b\n" * 99, mtime=0)[:-9], "is not a whole gzip file"),
        ("rows.csv.gz", gzip.compress(b"a,b\n" * 99, mtime=0)[:10] + b"\xff" * 20, "is not a whole gzip file"),
    ],
)
def test_what_cannot_be_read_is_told(tmp_path: Path, name: str, content: bytes, reason: str) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(ValueError, match=reason) as caught:
        read_rows(tmp_path / name)
    assert name in str(caught.value)
    assert "\n" not in str(caught.value)


def test_columns_are_looked_for_in_order() -> None:
    assert find_column(["id", "text", "document"], SOURCE_COLUMNS, "x.csv", "rename one") == "document"
    with pytest.raises(ValueError, match=r"x\.csv has no column 'source' or .* \(columns found: 'id'\): rename one"):
        find_column(["id"], SOURCE_COLUMNS, "x.csv", "rename one")


def test_values_deeper_than_python_goes_are_refused_by_row_and_column() -> None:
    deep: list[object] = []
    for _ in range(5000):
        deep = [deep]
    with pytest.raises(ValueError, match="Row 3: column 'tree' is nested too deep"):
        json_value(deep, "tree", 3)


def test_csv_has_empty_cells_for_what_is_undefined() -> None:
    file = io.StringIO(newline="")
    write_csv(file, [{"text": "a,b", "quals": -0.5}, {"text": "c", "quals": math.nan}, {"text": "d", "quals": None}])
    assert file.getvalue() == 'text,quals\r\n"a,b",-0.5\r\nc,\r\nd,\r\n'
