"""Finished work in one JSON file, under a key that says what it was made from."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from trainer_ext.io.atomic import replacing
from trainer_ext.io.hashing import checksum


class KeyedFile:
    """One JSON value on disk, which counts only under the key that it was written with.

    The file is whole or absent after a kill, and carries a checksum: a torn or altered one counts as absent.

    Args:
        path: the file; its folder is made when it is first written.
        key: what the value depends on (weights, data, settings): a hash, or any plain JSON value.

    Example:
        >>> from tempfile import TemporaryDirectory
        >>> with TemporaryDirectory() as folder:
        ...     note = KeyedFile(Path(folder) / "note.json", key={"seed": 1})
        ...     note.write({"rouge1": 0.4})
        ...     note.read(), KeyedFile(note.path, key={"seed": 2}).read()
        ({'rouge1': 0.4}, None)
    """

    def __init__(self, path: Path, key: Any) -> None:
        self.path = path
        self.key = json.loads(json.dumps(key))  # as it reads back: a tuple becomes a list

    def read(self) -> Any:
        """The value; None if there is no file, its key is another, or it is damaged.

        Raises:
            OSError: the file is there and cannot be read.
        """
        contents = self._contents()
        return None if contents is None or contents["key"] != self.key else contents["value"]

    def is_of_another_key(self) -> bool:
        """Whether an undamaged file is there that was written under another key: another run's work."""
        contents = self._contents()
        return contents is not None and contents["key"] != self.key

    def write(self, value: Any) -> None:
        """Put a value in the file, all or nothing; what it held is replaced.

        Args:
            value: plain JSON values, not None.

        Raises:
            ValueError: the value holds NaN or infinity, which JSON cannot hold.
            OSError: the file could not be written; the old one is unchanged.
        """
        contents = {"key": self.key, "value": value, "sha256": checksum([self.key, value])}
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with replacing(self.path) as file:
            file.write((json.dumps(contents, indent=2, allow_nan=False) + "\n").encode())

    def _contents(self) -> dict[str, Any] | None:
        """What the file holds; None if it is missing or damaged."""
        try:
            contents = json.loads(self.path.read_bytes())
            checked = contents["sha256"] == checksum([contents["key"], contents["value"]])
        except (FileNotFoundError, ValueError, RecursionError, KeyError, TypeError):
            return None
        return contents if checked else None
