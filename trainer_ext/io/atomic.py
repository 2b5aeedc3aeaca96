"""Files that are written whole or not at all."""

from __future__ import annotations

import glob
import os
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO
from uuid import uuid4

from quals.rows import json_line as json_line

_LONG = 600  # seconds without a write, after which a temporary file counts as left over


@contextmanager
def replacing(path: Path) -> Iterator[BinaryIO]:
    """A file that takes the place of ``path`` when the block ends; on any failure ``path`` stays as it was.

    Raises:
        OSError: it could not be written, e.g. because the disk is full.
    """
    target = Path(os.path.realpath(path))  # a link stays a link
    # Processes in containers that share a folder may all have the number 1.
    temporary = target.with_name(f".{target.name}.{os.getpid()}-{uuid4().hex[:8]}.tmp")
    try:
        with temporary.open("wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        if target.exists():
            shutil.copymode(target, temporary)
        os.replace(temporary, target)
    except OSError as error:
        kept = "the old file is unchanged" if target.exists() else "no file was left behind"
        raise OSError(f"{path} could not be written: {error.strerror or error}; {kept}.") from error
    finally:
        with suppress(OSError):
            temporary.unlink()


def remove_leftovers(path: Path) -> None:
    """Remove what killed processes left half written of ``path``: temporary files that nobody has touched for long."""
    target = Path(os.path.realpath(path))
    for left in target.parent.glob(f".{glob.escape(target.name)}.*.tmp"):
        with suppress(OSError):
            if left.lstat().st_mtime < time.time() - _LONG:
                shutil.rmtree(left) if left.is_dir() and not left.is_symlink() else left.unlink()
