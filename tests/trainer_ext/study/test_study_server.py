"""The server: what raters may do, what nobody may, and what is left when it is killed."""

from __future__ import annotations

import contextlib
import json
import signal
import socket
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from support.study_data import Server, damage, make_study, pairs, serving, serving_code, wait_until

from trainer_ext.study import ATTRIBUTES, CHOICES
from trainer_ext.study.pairing import Pair

pytest.importorskip("starlette")
pytest.importorskip("uvicorn")

SCRIPT = "</script><script>window.injected = 1</script><img src=x onerror='window.injected = 2'>"


@dataclass
class Running:
    path: Path
    tokens: list[str]
    server: Server


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    path = tmp_path_factory.mktemp("study") / "study.sqlite"
    content = [*pairs(5), Pair("script", SCRIPT, (SCRIPT, SCRIPT + "!"))]
    tokens = make_study(path, content, checks=2)
    with serving(path) as server:
        yield Running(path, tokens, server)


def stored(path: Path) -> dict[tuple[int, int, str], str]:
    with closing(sqlite3.connect(path)) as connection:
        rows = connection.execute("SELECT rater, place, attribute, choice FROM answers").fetchall()
    answers = {(rater, place, attribute): choice for rater, place, attribute, choice in rows}
    assert len(answers) == len(rows)
    return answers


def test_a_click_is_in_the_file_when_it_is_answered(running: Running) -> None:
    token = running.tokens[0]
    for number, choice in enumerate(CHOICES):
        assert running.server.answer(token, 1, ATTRIBUTES[number].key, choice) == 204
        assert stored(running.path)[1, 1, ATTRIBUTES[number].key] == choice
    _, session, _ = running.server.request("GET", "/api/session", token)
    assert session["tasks"] == 8
    assert session["answers"]["1"] == {one.key: choice for one, choice in zip(ATTRIBUTES, CHOICES, strict=True)}


def test_two_tabs_change_one_answer(running: Running) -> None:
    token = running.tokens[0]
    threads = [
        threading.Thread(target=running.server.answer, args=(token, 2, "grammar", CHOICES[number % 2]))
        for number in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert running.server.answer(token, 2, "grammar", "equal") == 204
    assert {key: choice for key, choice in stored(running.path).items() if key[1] == 2} == {(1, 2, "grammar"): "equal"}


def test_a_rater_learns_neither_systems_nor_checks(running: Running) -> None:
    for place in range(1, 9):
        status, task, _ = running.server.request("GET", f"/api/tasks/{place}", running.tokens[1])
        assert status == 200
        assert set(task) == {"document", "first", "second"}
    assert set(running.server.request("GET", "/api/session", running.tokens[1])[1]) == {
        "attributes",
        "tasks",
        "answers",
    }


@pytest.mark.parametrize("token", [None, "", "x", "a" * 5000, "' OR '1'='1", "\xff", "../../etc/passwd"])
def test_forged_tokens_open_nothing(running: Running, token: str | None) -> None:
    before = stored(running.path)
    assert running.server.request("GET", "/api/session", token)[0] == 401
    assert running.server.request("GET", "/api/tasks/1", token)[0] == 401
    header = {} if token is None else {"Authorization": f"Bearer {token}"}
    body = b'{"choice": "first"}'
    assert (
        running.server.request("PUT", "/api/tasks/1/grammar", None, body, Content_Type="application/json", **header)[0]
        == 401
    )
    assert stored(running.path) == before


@pytest.mark.parametrize(
    "place",
    ["0", "9", "-1", "1.5", "99999999999999999999", "9" * 5000, "1%20OR%201=1", "1'--", "%00", "%C2%B2"],
)
def test_forged_places_are_refused(running: Running, place: str) -> None:
    before = stored(running.path)
    assert running.server.request("GET", f"/api/tasks/{place}", running.tokens[0])[0] == 404
    assert running.server.answer(running.tokens[0], place, "grammar", "first") == 404
    assert stored(running.path) == before


def test_forged_attributes_and_choices_are_refused(running: Running) -> None:
    before, token = stored(running.path), running.tokens[0]
    for attribute in ("other", "grammar'--", "grammar%00", "..%2f..", "choice)%20VALUES"):
        assert running.server.answer(token, 3, attribute, "first") == 404
    for choice in ("best", "", None, 1, ["first"], {"first": 1}, "first'); DROP TABLE answers; --"):
        assert running.server.answer(token, 3, "grammar", choice) == 400
    for body in (b"", b"[", b"[]", b"first", b"[" * 1000, b"\xff", b'{"choice": "first", "rater": 2}'):
        sent = running.server.request("PUT", "/api/tasks/3/grammar", token, body, Content_Type="application/json")
        assert sent[0] == 400
    assert stored(running.path) == before


def test_large_bodies_are_refused(running: Running) -> None:
    before, token = stored(running.path), running.tokens[0]
    body = json.dumps({"choice": "first" + " " * 2000}).encode()
    status = running.server.request("PUT", "/api/tasks/3/grammar", token, body, Content_Type="application/json")[0]
    assert status == 413
    assert stored(running.path) == before


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Origin": "http://evil.example"}, 403),
        ({"Origin": "null"}, 403),
        ({"Origin": "http://127.0.0.1:1"}, 403),
        ({"Origin": "http://[broken"}, 403),
        ({"Sec_Fetch_Site": "cross-site", "Sec_Fetch_Mode": "cors"}, 403),
        ({"Host": "evil.example"}, 421),
        ({"Host": "localhost.evil.example"}, 421),
        ({"Host": "127.0.0.1.evil.example"}, 421),
        ({"Host": "[broken"}, 421),
        ({"Content_Type": "text/plain"}, 415),
        ({"Content_Type": "application/x-www-form-urlencoded"}, 415),
    ],
)
def test_other_sites_pages_are_refused(running: Running, headers: dict[str, str], status: int) -> None:
    before = stored(running.path)
    assert running.server.answer(running.tokens[0], 3, "grammar", "first", **headers) == status
    assert stored(running.path) == before


def test_our_own_page_is_not_refused(running: Running) -> None:
    host = f"localhost:{running.server.port}"
    own = {"Host": host, "Origin": f"http://{host}", "Sec_Fetch_Site": "same-origin"}
    assert running.server.answer(running.tokens[1], 3, "grammar", "first", **own) == 204
    link = {"Sec_Fetch_Site": "cross-site", "Sec_Fetch_Mode": "navigate"}
    assert running.server.request("GET", "/", **link)[0] == 200


@pytest.mark.parametrize("method", ["POST", "DELETE", "PATCH", "OPTIONS", "GET"])
def test_answers_take_one_method(running: Running, method: str) -> None:
    status, _, headers = running.server.request(method, "/api/tasks/3/grammar", running.tokens[0], b"{}")
    assert status == 405
    assert not any(name.startswith("access-control") for name in headers)


@pytest.mark.parametrize(
    "path",
    ["/store.py", "/../store.py", "/..%2fstore.py", "//etc/passwd", "/assets/study.js", "/study.js/..", "/%00", "/api"],
)
def test_no_other_file_is_served(running: Running, path: str) -> None:
    status, _, headers = running.server.request("GET", path)
    assert status == 404
    assert "default-src 'none'" in headers["content-security-policy"]


@pytest.mark.parametrize(
    ("path", "kind"), [("/", "text/html"), ("/study.css", "text/css"), ("/study.js", "text/javascript")]
)
def test_pages_carry_their_protection(running: Running, path: str, kind: str) -> None:
    status, content, headers = running.server.request("GET", path)
    assert status == 200
    assert headers["content-type"] == f"{kind}; charset=utf-8"
    assert "script-src 'self'" in headers["content-security-policy"]
    assert "unsafe" not in headers["content-security-policy"]
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["referrer-policy"] == "no-referrer"
    assert headers["cache-control"] == "no-store"
    assert b"http://" not in content
    assert b"https://" not in content
    assert not any(word in content for word in (b"innerHTML", b"outerHTML", b"insertAdjacentHTML", b"eval(", b"style="))


def test_script_in_a_text_stays_text(running: Running) -> None:
    tasks = [running.server.request("GET", f"/api/tasks/{place}", running.tokens[0]) for place in range(1, 9)]
    found = [headers["content-type"] for _, task, headers in tasks if SCRIPT in task["document"]]
    assert found
    assert set(found) == {"application/json"}


def test_a_named_host_is_answered(tmp_path: Path) -> None:
    path = tmp_path / "study.sqlite"
    token = make_study(path, pairs(3))[0]
    own = {"Host": "Study.example.org", "Origin": "https://study.example.org"}  # behind a proxy that speaks HTTPS
    with serving(path, 0, "--hostname", "study.example.org") as server:
        assert server.answer(token, 1, "grammar", "first", **own) == 204
        assert server.answer(token, 1, "grammar", "first", **{**own, "Host": "other.example.org"}) == 421


def test_what_cannot_be_saved_now_can_be_sent_again(tmp_path: Path) -> None:
    path = tmp_path / "study.sqlite"
    token = make_study(path, pairs(3))[0]
    with serving(path) as server:
        path.rename(tmp_path / "elsewhere")
        assert server.answer(token, 1, "grammar", "first") == 503
        (tmp_path / "elsewhere").rename(path)
        assert server.answer(token, 1, "grammar", "first") == 204
    assert stored(path) == {(1, 1, "grammar"): "first"}


def test_damage_in_use_is_answered_by_503_with_the_headers_of_every_answer(tmp_path: Path) -> None:
    path = tmp_path / "study.sqlite"
    token = make_study(path, pairs(200))[0]
    with serving(path) as server:
        damage(path)
        for method, place in (("GET", "/api/session"), ("GET", "/api/tasks/1"), ("PUT", "/api/tasks/1/grammar")):
            status, content, headers = server.request(
                method, place, token, b'{"choice": "first"}', Content_Type="application/json"
            )
            assert status == 503, place
            assert list(content) == ["error"]
            assert "default-src 'none'" in headers["content-security-policy"]


def test_a_defect_of_ours_has_the_headers_too(tmp_path: Path) -> None:
    import asyncio

    from trainer_ext.study.app import make_app

    class Broken:
        def rater(self, token: str) -> int:
            raise KeyError("a defect")

    sent: list[Any] = []

    async def receive() -> dict[str, str]:
        return {"type": "http.request"}

    async def send(message: Any) -> None:
        sent.append(message)

    scope = {"type": "http", "method": "GET", "path": "/api/session", "query_string": b"", "http_version": "1.1"}
    scope |= {"headers": [(b"host", b"localhost"), (b"authorization", b"Bearer x")]}
    with pytest.raises(KeyError, match="a defect"):
        asyncio.run(make_app(Broken())(scope, receive, send))  # type: ignore[arg-type]
    assert sent[0]["status"] == 500
    assert b"content-security-policy" in dict(sent[0]["headers"])


IMPATIENT = """
import sys
from pathlib import Path
from trainer_ext.study import app, server
from trainer_ext.study.store import Study

app._BODY_SECONDS = 0.5
def ready(address):
    print(f"a study is served at {address}", flush=True)
server.serve(Study(Path(sys.argv[1])), "127.0.0.1", 0, [], ready, patience=0.5)
"""


def test_silent_connections_keep_nobody_out(tmp_path: Path) -> None:
    path = tmp_path / "study.sqlite"
    token = make_study(path, pairs(3))[0]
    head = b"GET / HTTP/1.1\r\nHost: localhost\r\n"
    body = b"PUT /api/tasks/1/grammar HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
    body += b"Authorization: Bearer " + token.encode() + b"\r\nContent-Length: 20\r\n\r\n{"
    with serving_code(IMPATIENT, path) as server, contextlib.ExitStack() as stack:

        def connect(beginning: bytes) -> socket.socket:
            connection = stack.enter_context(socket.create_connection(("127.0.0.1", server.port), timeout=60))
            connection.sendall(beginning)
            return connection

        silent = [connect(head if number % 2 else b"") for number in range(300)]
        wait_until(lambda: server.request("GET", "/")[0] == 200)
        assert [connection.recv(1) for connection in silent] == [b""] * 300, "they were closed"
        second = connect(head + b"\r\n" + head)  # a whole request, then a head that does not end
        answered = b""
        while part := second.recv(100_000):
            answered += part
        assert answered.startswith(b"HTTP/1.1 200 ")
        assert connect(body).recv(100).startswith(b"HTTP/1.1 408 ")
        assert server.answer(token, 1, "grammar", "first") == 204


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="there is no SIGKILL here")
def test_a_killed_server_loses_and_doubles_nothing(tmp_path: Path) -> None:
    path = tmp_path / "study.sqlite"
    tokens = make_study(path, pairs(40), checks=0)
    acknowledged: dict[tuple[int, int, str], str] = {}
    sent: dict[tuple[int, int, str], str] = {}

    def click(server: Server, rater: int) -> None:
        for place in range(1, 41):
            for attribute in ATTRIBUTES:
                key, choice = (rater, place, attribute.key), CHOICES[(place + rater) % 3]
                if key in acknowledged:
                    continue
                sent[key] = choice
                try:
                    status = server.answer(tokens[rater - 1], place, attribute.key, choice)
                except OSError:
                    return
                assert status == 204
                acknowledged[key] = choice

    for least in (30, 90):
        with serving(path) as server:
            threads = [threading.Thread(target=click, args=(server, rater)) for rater in (1, 2)]
            for thread in threads:
                thread.start()
            wait_until(lambda least=least: len(acknowledged) >= least)
            server.process.send_signal(signal.SIGKILL)
            for thread in threads:
                thread.join()
        kept = stored(path)
        assert acknowledged.items() <= kept.items() <= sent.items()
    with serving(path) as server:
        for rater in (1, 2):
            click(server, rater)
    assert stored(path) == acknowledged == sent
    assert len(sent) == 2 * 40 * 3
