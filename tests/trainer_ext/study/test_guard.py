"""Which host names a server answers to: its own, and none that a foreign site lets point here."""

from __future__ import annotations

import asyncio
from collections.abc import MutableMapping
from typing import Any

import pytest

pytest.importorskip("starlette")

from starlette.responses import PlainTextResponse

from trainer_ext.study.guard import HostNames


def answer(host: str) -> tuple[int, bytes]:
    """Status and body of a request to a server with the names of ``quals app --hostname Box.lan``."""
    sent: list[MutableMapping[str, Any]] = []

    async def receive() -> MutableMapping[str, Any]:
        return {"type": "http.request", "body": b""}

    async def send(message: MutableMapping[str, Any]) -> None:
        sent.append(message)

    scope = {"type": "http", "method": "GET", "path": "/", "headers": [(b"host", host.encode())]}
    app = HostNames(PlainTextResponse("page"), ["Box.lan", "127.0.0.1"], "quals app --hostname")
    asyncio.run(app(scope, receive, send))
    return int(sent[0]["status"]), bytes(sent[1]["body"])


@pytest.mark.parametrize(
    "host", ["localhost", "localhost:7860", "127.0.0.1:7860", "[::1]:7860", "10.0.0.7", "box.lan."]
)
def test_own_names_are_answered(host: str) -> None:
    assert answer(host) == (200, b"page")


@pytest.mark.parametrize("host", ["evil.example", "localhost.evil.example:7860", "127.0.0.1.evil.example", "[", ""])
def test_foreign_names_are_refused_with_what_allows_one(host: str) -> None:
    status, body = answer(host)
    assert status == 421
    assert b"quals app --hostname" in body
