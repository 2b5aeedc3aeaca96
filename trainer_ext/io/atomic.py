"""Files that are written whole or not at all."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

from quals.rows import json_line as json_line


@contextmanager
def replacing(path: Path) -> Iterator[BinaryIO]:
    """A file that takes the place of ``path`` when the block ends; on any failure ``path`` stays as it was.

    Raises:
        OSError: it could not be written, e.g. because the disk is full.
    """
    target = path.resolve()  # through a link, not in its stead
    temporary = target.with_name(f".{target.name}.{os.getpid()}.tmp")
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
