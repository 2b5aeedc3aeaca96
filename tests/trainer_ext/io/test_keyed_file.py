"""A value under a key: read back under that key alone, and only where the file is whole."""

from __future__ import annotations

import math
from pathlib import Path

import pytest

from trainer_ext.io.keyed_file import KeyedFile

KEY = {"weights": "abc", "sizes": (1, 2)}


def test_what_was_written_is_read_under_the_same_key(tmp_path: Path) -> None:
    file = KeyedFile(tmp_path / "deep" / "note.json", KEY)
    assert file.read() is None
    file.write({"rouge1": 0.25, "texts": ["\u2028", "a"], "none": None})
    again = KeyedFile(file.path, {"sizes": [1, 2], "weights": "abc"})
    assert again.read() == {"rouge1": 0.25, "texts": ["\u2028", "a"], "none": None}
    assert not again.is_of_another_key()


def test_another_key_reads_nothing_and_can_be_told(tmp_path: Path) -> None:
    KeyedFile(tmp_path / "note.json", KEY).write(1)
    other = KeyedFile(tmp_path / "note.json", "other")
    assert other.read() is None
    assert other.is_of_another_key()
    other.write(2)
    assert (other.read(), KeyedFile(tmp_path / "note.json", KEY).read()) == (2, None)


def test_every_torn_or_altered_file_counts_as_absent(tmp_path: Path) -> None:
    file = KeyedFile(tmp_path / "note.json", KEY)
    file.write({"score": 0.5})
    whole = file.path.read_bytes()
    for size in range(len(whole) - 1):  # the last byte is the line's end
        file.path.write_bytes(whole[:size])
        assert file.read() is None
        assert not file.is_of_another_key()
    for content in (whole.replace(b"0.5", b"0.6"), b"[" * 100_000, b"[1]", b"3", b"\xff"):
        file.path.write_bytes(content)
        assert file.read() is None


def test_a_value_that_json_cannot_hold_changes_nothing(tmp_path: Path) -> None:
    file = KeyedFile(tmp_path / "note.json", KEY)
    file.write(1)
    with pytest.raises(ValueError, match="nan"):
        file.write({"score": math.nan})
    assert file.read() == 1
    assert list(tmp_path.iterdir()) == [file.path]
