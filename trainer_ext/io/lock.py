"""A lock that one process holds while it writes into a folder; it is free again when that process ends or is killed."""

from __future__ import annotations

import json
import logging
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path

from filelock import FileLock, Timeout

from trainer_ext.io.atomic import replacing


@contextmanager
def locked(path: Path, what: str, advice: str) -> Iterator[None]:
    """Hold the lock in the block. Beside it, ``NAME.json`` says meanwhile which process holds it.

    Args:
        path: the lock's file, which stays.
        what: what is locked, for the message.
        advice: what to do about another process.

    Raises:
        OSError: another process holds it, or the file cannot be written.
    """
    lock, note = FileLock(path), path.with_suffix(".json")
    try:
        lock.acquire(timeout=0)
    except Timeout as error:
        raise OSError(f"Another run works in {what} ({_holder(note)}): {advice}.") from error
    except NotImplementedError:  # filelock before 3.20, on a file system without locks: work goes on as ever
        logging.getLogger(__name__).warning("%s cannot be locked: do not start a second run there.", what)
    try:
        started = datetime.now().isoformat(" ", "seconds")
        with replacing(note) as file:
            file.write(json.dumps({"process": os.getpid(), "host": socket.gethostname(), "since": started}).encode())
        yield
    finally:
        note.unlink(missing_ok=True)
        lock.release()


def _holder(note: Path) -> str:
    try:
        holder = json.loads(note.read_bytes())
        return f"process {holder['process']} on {holder['host']}, since {holder['since']}"
    except (OSError, ValueError, RecursionError, KeyError, TypeError):
        return "it does not say which"
