"""A study in one SQLite file: its items, each rater's tasks, and every answer from the moment of its click.

An answer is one row by its key (rater, place, attribute), which a later answer replaces; it is on disk before the rater
sees it as saved (write-ahead log, synchronous=FULL). Only a hash of a rater's token is kept.
"""

from __future__ import annotations

import hashlib
import os
import secrets
import shutil
import sqlite3
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager, suppress
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from trainer_ext.io.atomic import remove_leftovers
from trainer_ext.study import ATTRIBUTES, CHOICES, PORT
from trainer_ext.study.items import Item
from trainer_ext.study.plan import Task

SUFFIXES = (".sqlite", ".sqlite3", ".db")
_APPLICATION, _VERSION = 0x5155_4C53, 1  # what SQLite keeps in the file's header, to know ours
_PATIENCE = 10.0  # seconds to wait for another process that writes
# wal_autocheckpoint: every answer goes on into the file itself, because people copy that and forget the log beside it.
_SETTINGS = ("journal_mode = WAL", "synchronous = FULL", "foreign_keys = ON", "wal_autocheckpoint = 1")

_SCHEMA = f"""
CREATE TABLE study (name TEXT PRIMARY KEY, value TEXT NOT NULL);
CREATE TABLE items (
    item INTEGER PRIMARY KEY, kind TEXT NOT NULL, key TEXT NOT NULL, document TEXT NOT NULL,
    summary_a TEXT NOT NULL, summary_b TEXT NOT NULL
);
CREATE TABLE raters (rater INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, token_hash TEXT NOT NULL UNIQUE);
CREATE TABLE tasks (
    rater INTEGER NOT NULL REFERENCES raters, place INTEGER NOT NULL, item INTEGER NOT NULL REFERENCES items,
    swapped INTEGER NOT NULL CHECK (swapped IN (0, 1)), PRIMARY KEY (rater, place), UNIQUE (rater, item)
);
CREATE TABLE answers (
    rater INTEGER NOT NULL, place INTEGER NOT NULL,
    attribute TEXT NOT NULL CHECK (attribute IN ({", ".join(repr(attribute.key) for attribute in ATTRIBUTES)})),
    choice TEXT NOT NULL CHECK (choice IN ({", ".join(map(repr, CHOICES))})),
    saved_at TEXT NOT NULL,
    PRIMARY KEY (rater, place, attribute), FOREIGN KEY (rater, place) REFERENCES tasks (rater, place)
);
PRAGMA application_id = {_APPLICATION};
PRAGMA user_version = {_VERSION};
"""


def create_study(
    path: Path,
    items: Sequence[Item],
    plans: Sequence[Sequence[Task]],
    systems: tuple[str, str],
    seed: int,
    port: int = PORT,
) -> dict[str, str]:
    """Write a new study; ``path`` appears whole or not at all, and is never overwritten.

    Args:
        path: the file.
        items: the items to judge.
        plans: the tasks of each rater.
        systems: names of the first system and the second.
        seed: the seed of items and plans, for the record.
        port: the port in the raters' links, on which the study is served unless another is asked for.

    Returns:
        Each rater's token by their name. Tokens are random whatever the seed, and kept nowhere.

    Raises:
        ValueError: there is such a file.
        OSError: it could not be written.
    """
    tokens = {f"rater-{number}": new_token() for number in range(1, len(plans) + 1)}
    target = path.resolve()
    remove_leftovers(path)
    folder = target.with_name(f".{target.name}.{os.getpid()}.tmp")  # a folder: SQLite writes files beside its own
    try:
        folder.mkdir()
        with closing(sqlite3.connect(folder / target.name)) as connection, connection:
            connection.execute("PRAGMA journal_mode = WAL")
            connection.execute("PRAGMA synchronous = FULL")
            connection.executescript(_SCHEMA)
            settings = {"system_a": systems[0], "system_b": systems[1], "seed": str(seed), "port": str(port)}
            _fill(connection, items, plans, settings, tokens)
        _appear(folder / target.name, target, path)
    except sqlite3.Error as error:
        raise OSError(f"{path} could not be written: {error}; no file was left behind.") from error
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    return tokens


def new_token() -> str:
    """192 random bits, fit for an address."""
    return secrets.token_urlsafe(24)


class Study:
    """An existing study. It may be used from several threads, and by several processes at once.

    Answers are saved through one connection and read through another, so that nobody who reads waits for a writer.

    Args:
        path: the file.

    Raises:
        ValueError: there is no such file, it is damaged, or it holds no study of this version.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        if not path.is_file():
            raise ValueError(f"There is no file {path}: make a study with `quals study create` first.")
        self._identity = _identity(path)
        self._writing, self._reading = threading.Lock(), threading.Lock()
        opened: list[sqlite3.Connection] = []
        try:
            for _ in range(2):
                opened.append(self._connect())
            self._writer, self._reader = opened
            self._check_header()
            for setting in _SETTINGS:
                self._writer.execute(f"PRAGMA {setting}")
            self._reader.execute("PRAGMA query_only = ON")
            self._reader.row_factory = sqlite3.Row
            [[problem]] = self._reader.execute("PRAGMA quick_check(1)").fetchall()
            if problem != "ok":
                raise sqlite3.DatabaseError(" ".join(problem.split()))
        except (ValueError, sqlite3.Error) as error:
            for connection in opened:
                connection.close()
            if isinstance(error, ValueError):
                raise
            raise ValueError(
                f"{self.path} cannot be opened as a study ({error}): give a file that `quals study create` made, whole "
                "and in a folder that can be written to."
            ) from error

    def _connect(self) -> sqlite3.Connection:
        return sqlite3.connect(
            f"{self.path.resolve().as_uri()}?mode=rw",  # rw: connecting must not make a new file
            uri=True,
            timeout=_PATIENCE,
            isolation_level=None,
            check_same_thread=False,
        )

    def close(self) -> None:
        """Close the file; SQLite then moves its log into it."""
        with self._reading, self._writing:
            self._reader.close()
            self._writer.close()

    @property
    def port(self) -> int:
        """The port in the raters' links."""
        rows = self._rows("SELECT value FROM study WHERE name = 'port'")
        return int(rows[0]["value"]) if rows else PORT

    def rater(self, token: str) -> int | None:
        """The rater to whom a token belongs."""
        rows = self._rows("SELECT rater FROM raters WHERE token_hash = ?", token_hash(token))
        return rows[0]["rater"] if rows else None

    def answers(self, rater: int) -> tuple[int, dict[int, dict[str, str]]]:
        """How many tasks a rater has, and the choices so far: by place (from 1) and attribute."""
        choices: dict[int, dict[str, str]] = {}
        for row in self._rows("SELECT place, attribute, choice FROM answers WHERE rater = ?", rater):
            choices.setdefault(row["place"], {})[row["attribute"]] = row["choice"]
        return self._rows("SELECT count(*) AS tasks FROM tasks WHERE rater = ?", rater)[0]["tasks"], choices

    def task(self, rater: int, place: int) -> dict[str, str] | None:
        """Document, first and second summary as the rater sees them, and no more; None if there is no such task."""
        rows = self._rows(
            "SELECT swapped, document, summary_a, summary_b FROM tasks JOIN items USING (item) "
            "WHERE rater = ? AND place = ?",
            rater,
            place,
        )
        if not rows:
            return None
        first, second = ("summary_b", "summary_a") if rows[0]["swapped"] else ("summary_a", "summary_b")
        return {"document": rows[0]["document"], "first": rows[0][first], "second": rows[0][second]}

    def save(self, rater: int, place: int, attribute: str, choice: str) -> None:
        """Put an answer on disk, in place of an earlier one to the same question.

        Raises:
            ValueError: the rater has no such task, or there is no such attribute or choice.
            OSError: the file is no longer there, or cannot be written, for example because the disk is full.
        """
        if _identity(self.path) != self._identity:
            raise OSError(f"{self.path} was moved or replaced while it was in use: put it back.")
        try:
            self._write(
                "INSERT INTO answers VALUES (?, ?, ?, ?, ?) ON CONFLICT (rater, place, attribute) "
                "DO UPDATE SET choice = excluded.choice, saved_at = excluded.saved_at",
                rater,
                place,
                attribute,
                choice,
                datetime.now(timezone.utc).isoformat(timespec="milliseconds"),
            )
        except sqlite3.IntegrityError as error:
            raise ValueError(f"There is no such task, attribute or choice ({error}).") from error

    def renew_token(self, name: str) -> str:
        """A new token for a rater; the old one no longer opens anything.

        Raises:
            ValueError: there is no rater of this name.
        """
        names = [row["name"] for row in self._rows("SELECT name FROM raters ORDER BY rater")]
        if name not in names:
            raise ValueError(f"{self.path} has no rater {name!r}: give one of {', '.join(names)}.")
        token = new_token()
        self._write("UPDATE raters SET token_hash = ? WHERE name = ?", token_hash(token), name)
        return token

    def everything(self) -> tuple[dict[str, str], list[Mapping[str, Any]]]:
        """The study's settings, and a row for each rater, task and attribute, all of one moment.

        The rows' columns: rater (the name), place, item, kind, swapped (0 or 1), attribute, choice (None: no answer).
        """
        attributes = ", ".join(["(?)"] * len(ATTRIBUTES))
        with self._transaction():
            settings = {row["name"]: row["value"] for row in self._fetch("SELECT name, value FROM study")}
            rows = self._fetch(
                f"WITH judged(attribute) AS (VALUES {attributes}) "
                "SELECT raters.name AS rater, place, item, kind, swapped, judged.attribute AS attribute, choice "
                "FROM tasks JOIN raters USING (rater) JOIN items USING (item) CROSS JOIN judged "
                "LEFT JOIN answers USING (rater, place, attribute) ORDER BY raters.rater, place",
                *(attribute.key for attribute in ATTRIBUTES),
            )
        return settings, rows

    def _check_header(self) -> None:
        application, version = (
            self._reader.execute(f"PRAGMA {name}").fetchone()[0] for name in ("application_id", "user_version")
        )
        if application != _APPLICATION:
            raise ValueError(f"{self.path} is not a study: give a file that `quals study create` made.")
        if version != _VERSION:
            raise ValueError(f"{self.path} is a study of version {version}, and this reads {_VERSION}: upgrade quals.")

    def _rows(self, statement: str, *values: str | int) -> list[Mapping[str, Any]]:
        with self._transaction():
            return self._fetch(statement, *values)

    def _write(self, statement: str, *values: str | int) -> None:
        with self._writing, self._usable():
            self._writer.execute(statement, values)

    def _fetch(self, statement: str, *values: str | int) -> list[Mapping[str, Any]]:
        return [dict(row) for row in self._reader.execute(statement, values)]

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        """The file as it is at one moment."""
        with self._reading, self._usable():
            self._reader.execute("BEGIN")
            try:
                yield
            finally:
                self._reader.execute("ROLLBACK")  # nothing was written

    @contextmanager
    def _usable(self) -> Iterator[None]:
        """SQLite's errors as one line with the file's name; what an answer must fulfil is the caller's matter."""
        try:
            yield
        except sqlite3.IntegrityError:
            raise
        except sqlite3.Error as error:
            raise OSError(
                f"{self.path} cannot be used ({error}): look whether the disk is full, another program locks the file, "
                "or it is damaged; answers already saved are in it."
            ) from error


def token_hash(token: str) -> str:
    """The hash that is kept of a token, which is random and long, so that a plain hash cannot be guessed back."""
    return hashlib.sha256(token.encode("utf-8", "backslashreplace")).hexdigest()


def _fill(
    connection: sqlite3.Connection,
    items: Sequence[Item],
    plans: Sequence[Sequence[Task]],
    settings: Mapping[str, str],
    tokens: Mapping[str, str],
) -> None:
    settings = {**settings, "created_at": datetime.now(timezone.utc).isoformat(timespec="seconds")}
    connection.executemany("INSERT INTO study VALUES (?, ?)", settings.items())
    connection.executemany(
        "INSERT INTO items VALUES (?, ?, ?, ?, ?, ?)",
        ((number, item.kind, item.key, item.document, *item.summaries) for number, item in enumerate(items, start=1)),
    )
    for rater, (plan, (name, token)) in enumerate(zip(plans, tokens.items(), strict=True), start=1):
        connection.execute("INSERT INTO raters VALUES (?, ?, ?)", (rater, name, token_hash(token)))
        connection.executemany(
            "INSERT INTO tasks VALUES (?, ?, ?, ?)",
            ((rater, place, task.item + 1, int(task.swapped)) for place, task in enumerate(plan, start=1)),
        )


def _appear(temporary: Path, target: Path, shown: Path) -> None:
    """Give a finished file its name, unless that is taken."""
    with temporary.open("rb+") as file:
        os.fsync(file.fileno())
    try:
        os.link(temporary, target)  # which never overwrites
    except FileExistsError as error:
        raise ValueError(already(shown)) from error
    except OSError:  # a file system without hard links
        if target.exists():
            raise ValueError(already(shown)) from None
        os.rename(temporary, target)
    with suppress(OSError):
        folder = os.open(target.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)


def already(path: Path) -> str:
    """The message that a study exists already."""
    return f"There is a file {path} already, which may hold people's answers: give another name by --output."


def _identity(path: Path) -> tuple[int, int] | None:
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_dev, status.st_ino
