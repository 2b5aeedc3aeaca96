"""Tables, studies and servers for the tests of studies."""

from __future__ import annotations

import http.client
import json
import socket
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from trainer_ext.study.items import draw_items
from trainer_ext.study.pairing import Pair
from trainer_ext.study.plan import make_plan
from trainer_ext.study.store import create_study

RUN = "import sys; from trainer_ext.cli.main import main; sys.exit(main(sys.argv[1:]))"
THINGS = ["harbour", "library", "orchard", "railway", "theatre", "glacier", "brewery", "lighthouse", "market", "bridge"]
COLOURS = ["red", "blue", "green", "yellow", "white", "black"]


def pairs(count: int) -> list[Pair]:
    """Documents about different things, with two summaries each."""
    made = []
    for number in range(count):
        thing, colour = THINGS[number % len(THINGS)], COLOURS[number % len(COLOURS)]
        document = f"The {thing} number {number} was painted {colour} in spring. Its owner paid for it."
        made.append(
            Pair(f"d{number}", document, (f"{thing} {number} is {colour}.", f"{thing} {number} is {colour}, paid."))
        )
    return made


def write_rows(path: Path, rows: list[dict[str, Any]]) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


def write_systems(folder: Path, content: list[Pair]) -> tuple[Path, Path]:
    """``a.jsonl`` and ``b.jsonl``, the second in another order."""
    a = [{"id": pair.key, "source": pair.document, "summary": pair.summaries[0]} for pair in content]
    b = [{"id": pair.key, "source": pair.document, "summary": pair.summaries[1]} for pair in reversed(content)]
    return write_rows(folder / "a.jsonl", a), write_rows(folder / "b.jsonl", b)


def make_study(path: Path, content: list[Pair], *, checks: int = 2, raters: int = 2, seed: int = 0) -> list[str]:
    """A study of all documents; returns the raters' tokens."""
    items = draw_items(content, None, checks, seed)
    plans = [make_plan(items, rater, seed) for rater in range(raters)]
    return list(create_study(path, items, plans, ("a", "b"), seed).values())


@dataclass
class Server:
    """A server in a process of its own."""

    process: subprocess.Popen[str]
    port: int

    def request(
        self, method: str, path: str, token: str | None = None, body: bytes | None = None, **headers: str
    ) -> tuple[int, Any, dict[str, str]]:
        """Status, content (parsed where it is JSON) and headers; a header's underscores stand for hyphens."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=120)
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        if token is not None:
            sent.setdefault("Authorization", f"Bearer {token}")
        try:
            connection.request(method, path, body, sent)
            response = connection.getresponse()
            content = response.read()
        finally:
            connection.close()
        found = {name.lower(): value for name, value in response.getheaders()}
        if found.get("content-type") == "application/json":
            return response.status, json.loads(content), found
        return response.status, content, found

    def answer(self, token: str, place: int | str, attribute: str, choice: Any, **headers: str) -> int:
        body = json.dumps({"choice": choice}).encode()
        kind = {"Content_Type": "application/json", **headers}
        return self.request("PUT", f"/api/tasks/{place}/{attribute}", token, body, **kind)[0]


def damage(path: Path) -> None:
    """Overwrite every page but the first, as a broken disk or a copy cut off may."""
    with closing(sqlite3.connect(path)) as connection:
        [size] = connection.execute("PRAGMA page_size").fetchone()
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    content = bytearray(path.read_bytes())
    content[size:] = b"\xa5" * (len(content) - size)
    path.write_bytes(content)


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


@contextmanager
def serving(path: Path, port: int | None = 0, *options: str) -> Iterator[Server]:
    """A server of a study; 0 is any free port, None the study's own."""
    chosen = [] if port is None else ["--port", str(port)]
    with serving_code(RUN, "study", "serve", path, *chosen, *options) as server:
        yield server


@contextmanager
def serving_code(code: str, *arguments: str | Path) -> Iterator[Server]:
    """A server that Python code starts."""
    command = [sys.executable, "-c", code, *map(str, arguments)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        line = process.stdout.readline()
        assert "is served at http://" in line
        yield Server(process, int(line.partition("http://127.0.0.1:")[2].partition("/")[0]))
    finally:
        process.kill()
        process.communicate()


def wait_until(condition: Any, seconds: float = 120.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)
