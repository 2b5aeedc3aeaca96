"""What one visitor with many tabs may take of the app's queue, over HTTP and without a browser."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Iterator
from threading import Event
from typing import Any, cast

import pytest
from quals.page import _MOST, App, build
from quals.results import QualsResult

httpx = pytest.importorskip("httpx")
pytest.importorskip("gradio")


class Slow:
    """An app that scores when it is told to."""

    def __init__(self) -> None:
        self.goes_on = Event()
        self.example = QualsResult(math.nan, (), 1, False, False, "a document", "a summary", "quals-v1-0")

    def score(self, document: str, summary: str) -> Any:
        self.goes_on.wait(60)
        return self.example


@pytest.fixture
def slow() -> Iterator[tuple[Slow, str, int]]:
    """The app, its address, and the number of the function that scores."""
    app = Slow()
    page = build(cast(App, app))
    [number] = [number for number, fn in page.fns.items() if fn.name == "on_score"]
    _, address, _ = page.launch(prevent_thread_lock=True, quiet=True, server_name="127.0.0.1", ssr_mode=False)
    yield app, address, number
    app.goes_on.set()
    page.close()


def send(address: str, function: int, tab: str, visitor: str = "127.0.0.1") -> Any:
    """Click in a tab, from an address."""
    body = {"data": ["a document", "a summary"], "fn_index": function, "session_hash": tab}
    with httpx.Client(transport=httpx.HTTPTransport(local_address=visitor), trust_env=False) as client:
        return client.post(f"{address}gradio_api/queue/join", json=body, timeout=30)


def test_one_visitor_with_many_tabs_leaves_room_for_others(slow: tuple[Slow, str, int]) -> None:
    app, address, function = slow
    answers = [send(address, function, f"tab{number}") for number in range(20)]
    assert [answer.status_code for answer in answers] == [200] * _MOST["texts"] + [400] * (20 - _MOST["texts"])
    assert "4 of your texts wait or are being scored" in answers[-1].json()["detail"]
    assert send(address, function, "other", "127.0.0.2").status_code == 200
    app.goes_on.set()
    with contextlib.suppress(httpx.ReadTimeout), httpx.Client(trust_env=False) as client:  # until they are done
        for number in range(_MOST["texts"]):
            client.get(f"{address}gradio_api/queue/data", params={"session_hash": f"tab{number}"}, timeout=10)
    assert send(address, function, "later").status_code == 200
