"""Tables: what is read is what was written, complaints name the row, and a failed write changes nothing."""

from __future__ import annotations

import json
import math
import os
import resource
import subprocess
from collections.abc import Callable, Iterator
from datetime import date
from pathlib import Path

import datasets
import pyarrow
import pyarrow.parquet
import pytest

from trainer_ext.io.atomic import replacing
from trainer_ext.io.chunks import ChunkStore
from trainer_ext.io.tables import check_output, read_table, rows_with_texts, text_column, write_table

STRANGE = ["2020-01-01", 'a "quoted", text\nin two lines', "NA", "", "\u2028 emoji \U0001f94a \u05e9\u05dc\u05d5\u05dd"]


def written(path: Path, text: str) -> Path:
    path.write_bytes(text.encode())
    return path


@pytest.mark.parametrize("suffix", [".jsonl", ".csv", ".parquet"])
def test_texts_are_read_as_they_are(tmp_path: Path, suffix: str) -> None:
    table = datasets.Dataset.from_dict({"source": STRANGE, "n": list(range(5))})
    path = tmp_path / f"table{suffix}"
    if suffix == ".parquet":
        table.to_parquet(path)
    elif suffix == ".csv":
        table.to_csv(path, index=False)
    else:
        path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n\n" for row in table), encoding="utf-8")
    assert text_column(read_table(path), "source", "--source-column", path) == STRANGE


@pytest.mark.parametrize("output", [".jsonl", ".parquet"])
@pytest.mark.parametrize("kind", ["rows", "dataset"])
def test_written_tables_keep_the_input_and_turn_nan_into_null(tmp_path: Path, output: str, kind: str) -> None:
    rows = [{"text": text, "tags": ["a"], "deep": {"x": 1.5}} for text in STRANGE]
    table = datasets.Dataset.from_list(rows) if kind == "dataset" else rows
    path = tmp_path / f"out{output}"
    write_table(path, table, {"quals": [-0.1, None, 0.3, -4.0, -5e-324]}, {"quals": datasets.Value("float64")})
    expected = [{**row, "quals": score} for row, score in zip(rows, [-0.1, None, 0.3, -4.0, -5e-324], strict=True)]
    assert [dict(row) for row in read_table(path)] == expected


def test_json_lines_are_strict_json(tmp_path: Path) -> None:
    path = tmp_path / "out.jsonl"
    row = {"nan": math.nan, "deep": [{"inf": math.inf}], "day": date(2020, 1, 2), "half": "\ud800", "truth": True}
    write_table(path, [row], {}, {})
    line = json.loads(path.read_bytes().decode("utf-8"), parse_constant=pytest.fail)
    assert line == {"nan": None, "deep": [{"inf": None}], "day": "2020-01-02", "half": "\ud800", "truth": True}


def test_json_lines_refuse_bytes(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"Row 2: column 'x' holds bytes"):
        write_table(tmp_path / "out.jsonl", [{"x": 1}, {"x": b"1"}], {}, {})
    assert not list(tmp_path.iterdir())


def test_a_name_with_brackets_or_stars_is_no_pattern(tmp_path: Path) -> None:
    for name in ("in[1].parquet", "a*b.parquet", "aXb.parquet"):
        write_table(tmp_path / name, [{"x": name}], {}, {})
    for name in ("in[1].parquet", "a*b.parquet"):
        assert [dict(row) for row in read_table(tmp_path / name)] == [{"x": name}]


def test_parquet_refuses_mixed_types(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="Parquet cannot hold"):
        write_table(tmp_path / "out.parquet", [{"x": 1}, {"x": "a"}], {"y": [1, 2]}, {"y": datasets.Value("int64")})
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("x.txt", "a", r"ends in '\.txt'"),
        ("x.jsonl", "", "holds no rows"),
        ("x.csv", "source,summary\n", "holds no rows"),
        ("x.csv", "", "holds no rows"),
        ("x.jsonl", '{"source": "a"}\n{"source": \n', "line 2: this is not JSON"),
        ("x.jsonl", '[{"source": "a"}]\n', "line 1: this is a list"),
        ("x.csv", "source,source\na,b\n", "names a column twice"),
        ("x.csv", "source,n\na,1\nb\n", "row 2: there are 1 fields and the header has 2"),
        ("x.csv", "source,n\na,1\nb,1,2\n", "row 2: there are 3 fields and the header has 2"),
        ("x.csv", 'source,n\n"a,1\n', "is not CSV"),
        ("x.parquet", "no parquet", "is not a readable parquet file"),
    ],
)
def test_unreadable_tables(tmp_path: Path, name: str, text: str, message: str) -> None:
    with pytest.raises(ValueError, match=message) as caught:
        read_table(written(tmp_path / name, text))
    assert "\n" not in str(caught.value)


def test_text_that_is_not_utf8(tmp_path: Path) -> None:
    (tmp_path / "x.csv").write_bytes("source\ncaf\xe9\n".encode("latin-1"))
    with pytest.raises(ValueError, match=r"not UTF-8 text \(.* at byte 10\)"):
        read_table(tmp_path / "x.csv")


@pytest.mark.parametrize("suffix", [".jsonl", ".csv", ".parquet", ""])
def test_missing_files(tmp_path: Path, suffix: str) -> None:
    with pytest.raises(FileNotFoundError, match="missing"):
        read_table(tmp_path / f"missing{suffix}")


@pytest.mark.parametrize(
    ("value", "message"),
    [(None, "row 2: 'source' is null"), (3, "row 2: 'source' is int '3'"), ("\ud800", "row 2: .* surrogate")],
)
def test_texts_that_are_none(value: object, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        text_column([{"source": "a"}, {"source": value}], "source", "--source-column", Path("x.jsonl"))


def test_a_missing_column_names_those_found() -> None:
    with pytest.raises(ValueError, match=r"no column 'source' \(columns found: 'document', 'id'\).*--source-column"):
        text_column([{"document": "a", "id": 1}], "source", "--source-column", Path("x.jsonl"))


def test_outputs_are_checked_before_the_work(tmp_path: Path) -> None:
    source = written(tmp_path / "in.jsonl", "{}")
    (tmp_path / "link.jsonl").symlink_to(source)
    (tmp_path / "folder.jsonl").mkdir()
    for name, message in {
        "out.txt": "must end in",
        "in.jsonl": "is the input",
        "link.jsonl": "is the input",
        "none/out.jsonl": "there is no folder",
        "folder.jsonl": "is not a plain file",
    }.items():
        with pytest.raises(ValueError, match=message):
            check_output(tmp_path / name, [".jsonl"], [source])
    check_output(tmp_path / "new.jsonl", [".jsonl"], [source])


def test_replacing_goes_through_links_and_keeps_the_mode(tmp_path: Path) -> None:
    target = written(tmp_path / "target", "old")
    target.chmod(0o640)
    link = tmp_path / "link"
    link.symlink_to(target)
    with replacing(link) as file:
        file.write(b"new")
    assert link.is_symlink()
    assert target.read_bytes() == b"new"
    assert target.stat().st_mode & 0o777 == 0o640


@pytest.mark.parametrize("error", [KeyboardInterrupt, ValueError])
def test_a_broken_off_write_changes_nothing(tmp_path: Path, error: type[BaseException]) -> None:
    target = written(tmp_path / "target", "old")

    def write_half() -> None:
        with replacing(target) as file:
            file.write(b"new")
            raise error

    with pytest.raises(error):
        write_half()
    assert target.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [target]


@pytest.fixture
def file_size_limit() -> Iterator[Callable[[int], None]]:
    """Sets the largest file that this process may write: a real failure of write(2) that needs no privilege."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    yield lambda size: resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    resource.setrlimit(resource.RLIMIT_FSIZE, before)


@pytest.mark.parametrize("suffix", [".jsonl", ".parquet"])
def test_a_write_that_the_system_refuses_changes_nothing(
    tmp_path: Path, suffix: str, file_size_limit: Callable[[int], None]
) -> None:
    target = written(tmp_path / f"target{suffix}", "old")
    rows = [{"text": os.urandom(500).hex()} for _ in range(100)]
    file_size_limit(20_000)
    with pytest.raises(OSError, match="could not be written: File too large; the old file is unchanged"):
        write_table(target, rows, {"n": [1] * 100}, {"n": datasets.Value("int64")})
    assert target.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [target]


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 64 KB, where the tests may mount one."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(folder)]
    try:
        done = subprocess.run(mount, capture_output=True, check=False).returncode == 0
    except OSError:
        done = False
    if not done:
        pytest.skip("mounting a small tmpfs needs privileges")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


@pytest.mark.parametrize("suffix", [".jsonl", ".parquet"])
def test_a_full_disk_changes_nothing(small_disk: Path, suffix: str) -> None:
    target = written(small_disk / f"target{suffix}", "old")
    rows = [{"text": os.urandom(500).hex()} for _ in range(200)]
    with pytest.raises(OSError, match="No space left on device; the old file is unchanged"):
        write_table(target, rows, {"n": [1] * 200}, {"n": datasets.Value("int64")})
    assert target.read_bytes() == b"old"
    assert list(small_disk.iterdir()) == [target]


def test_a_full_disk_keeps_the_finished_chunks(small_disk: Path) -> None:
    store = ChunkStore(small_disk)
    store.write(0, [{"n": 0}])
    with pytest.raises(OSError, match=r"left behind\. Finished chunks are kept: make room, then start the same run"):
        store.write(1, [{"text": os.urandom(500).hex()} for _ in range(200)])
    assert ChunkStore(small_disk).read(0) == [{"n": 0}]


def test_what_killed_runs_left_beside_an_output_is_removed_once_it_is_old(tmp_path: Path) -> None:
    output, other = tmp_path / "out[1].jsonl", tmp_path / ".other.jsonl.7.tmp"
    old, new = (tmp_path / f".out[1].jsonl.{number}.tmp" for number in (7, 8))
    for path in (other, old, new):
        path.write_text("half")
    for path in (other, old):
        os.utime(path, (0, 0))
    check_output(output, [".jsonl"])
    assert set(tmp_path.iterdir()) == {other, new}


def test_circles_of_links_are_refused(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").symlink_to(tmp_path / "b.jsonl")
    (tmp_path / "b.jsonl").symlink_to(tmp_path / "a.jsonl")
    with pytest.raises(ValueError, match="cannot be written"):
        check_output(tmp_path / "a.jsonl", [".jsonl"])
    with pytest.raises(OSError, match="symbolic links"):
        read_table(tmp_path / "a.jsonl")


def test_a_parquet_column_that_is_not_needed_is_not_read(tmp_path: Path) -> None:
    table = pyarrow.table({"source": ["a"], "summary": ["b"], "blob": [b"\xff"]})
    pyarrow.parquet.write_table(table, tmp_path / "blob.parquet")
    assert read_table(tmp_path / "blob.parquet", ["source", "summary"])[0] == {"source": "a", "summary": "b"}
    assert set(read_table(tmp_path / "blob.parquet", ["source", "missing"])[0]) == {"source", "summary", "blob"}


def test_rows_with_texts(tmp_path: Path) -> None:
    rows = [{"a": "x", "b": ""}, {"a": None, "b": "y"}, {"a": "x"}, {"a": "\ud800", "b": "y"}, {"a": "z", "b": "w"}]
    assert rows_with_texts(rows, ["a", "b"]) == [4]
    dataset = datasets.Dataset.from_dict({"a": ["x", None], "b": ["y", "z"]})
    assert rows_with_texts(dataset, ["a", "b"]) == [0]
