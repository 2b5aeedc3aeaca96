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

from quals.rows import json_line as json_line


@contextmanager
def replacing(path: Path) -> Iterator[BinaryIO]:
    """A file that takes the place of ``path`` when the block ends; on any failure ``path`` stays as it was.

    Raises:
        OSError: it could not be written, e.g. because the disk is full.
    """
    target = path.resolve()  # the file that a link leads to, not the link
    temporary = temporary_beside(target)
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


def temporary_beside(target: Path) -> Path:
    """A name for this process's temporary file beside ``target``; what killed processes left there is removed."""
    for left in target.parent.glob(f".{glob.escape(target.name)}.*.tmp"):
        process = left.name.split(".")[-2]
        with suppress(OSError):
            # A minute of rest, because the process may be on another machine that shares the folder.
            if process.isdecimal() and not _is_alive(int(process)) and time.time() - left.stat().st_mtime > 60:
                shutil.rmtree(left) if left.is_dir() else left.unlink()
    return target.with_name(f".{target.name}.{os.getpid()}.tmp")


def _is_alive(process: int) -> bool:
    if os.name != "posix":
        return True  # there, a signal would end it
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except OSError:
        return True
    return True
