"""What a long run has finished so far, kept beside its output until that is written."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from trainer_ext.io.atomic import json_line


class PartialResults:
    """Results in chunks, in ``OUTPUT.partial``: a header line, then one line per chunk, each on disk before the next.

    A chunk carries a checksum and is whole or absent. So a resumed run starts with the chunk that the broken run would
    have computed next, on the same rows together, and comes to the same bytes.

    Args:
        output: the file that the run will write in the end.
        key: what the results depend on (settings, input); results under another key are neither used nor removed.
    """

    def __init__(self, output: Path, key: Mapping[str, Any]) -> None:
        self.path = output.with_name(output.name + ".partial")
        self._header = json_line({"key": dict(key)})
        self._count = 0

    def load(self) -> list[dict[str, Any]]:
        """The results of all whole chunks; whatever follows the first torn or altered one is cut off.

        Raises:
            ValueError: the file is of another run, whose hours of work this one must not destroy.
        """
        self._count = 0
        results: list[dict[str, Any]] = []
        try:
            lines = self.path.read_bytes().splitlines(keepends=True)
        except FileNotFoundError:
            return results
        if not lines or not lines[0].endswith(b"\n"):  # cut off in its first line
            self.remove()
            return results
        if lines[0] != self._header:
            raise ValueError(
                f"{self.path} holds results of another run, with other texts, settings or columns: repeat that run "
                "with --resume, give this one another --output, or delete the file."
            )
        intact = len(lines[0])
        for line in lines[1:]:
            chunk = _parse(line)
            if chunk is None or chunk.get("first") != len(results):
                break
            results.extend(chunk["results"])
            intact += len(line)
        os.truncate(self.path, intact)
        self._count = len(results)
        return results

    def append(self, results: Sequence[Mapping[str, Any]]) -> None:
        """Put one more chunk on disk.

        Raises:
            OSError: it could not be written; the chunks before it stay usable.
        """
        try:
            with self.path.open("ab") as file:
                if file.tell() == 0:
                    file.write(self._header)
                chunk = {"first": self._count, "results": list(results)}
                file.write(json_line({**chunk, "sha256": _checksum(chunk)}))
                file.flush()
                os.fsync(file.fileno())
        except OSError as error:
            raise OSError(
                f"{self.path} could not be written: {error.strerror or error}; {self._count} finished rows are kept in "
                "it: make room, then start again with --resume."
            ) from error
        self._count += len(results)

    def remove(self) -> None:
        """Forget everything."""
        self.path.unlink(missing_ok=True)
        self._count = 0


def _parse(line: bytes) -> dict[str, Any] | None:
    """A chunk, or None where the line is torn or altered."""
    if not line.endswith(b"\n"):
        return None
    try:
        chunk = json.loads(line)
        checked = chunk.pop("sha256") == _checksum(chunk)
    except (ValueError, RecursionError, KeyError, TypeError, AttributeError):
        return None
    return chunk if checked else None


def _checksum(chunk: Mapping[str, Any]) -> str:
    return hashlib.sha256(json.dumps(chunk).encode()).hexdigest()
