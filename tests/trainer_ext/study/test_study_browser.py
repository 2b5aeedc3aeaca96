"""A rater's whole way in a browser, with the server killed in the middle. Needs a Chromium and playwright."""

from __future__ import annotations

import os
import re
import shutil
import signal
import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from support.study_data import make_study, pairs, serving

from trainer_ext.study import ATTRIBUTES
from trainer_ext.study.pairing import Pair

playwright = pytest.importorskip("playwright.sync_api")
pytest.importorskip("uvicorn")
SECONDS = 60  # to wait for what is to come
playwright.expect.set_options(timeout=SECONDS * 1000)
if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page, Route

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
pytestmark = [
    pytest.mark.skipif(CHROMIUM is None, reason="there is no Chromium"),
    pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="there is no SIGKILL here"),
]

SCRIPT = "</div><script>window.injected = 1</script><img src=x onerror='window.injected = 2'>"
SIZES = {"desktop": (1280, 800), "phone": (390, 780), "narrow": (320, 600)}


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    options = ["--no-sandbox"] if hasattr(os, "geteuid") and os.geteuid() == 0 else []
    with playwright.sync_playwright() as driver:
        opened = driver.chromium.launch(executable_path=CHROMIUM, args=options)
        yield opened
        opened.close()


def stored(path: Path) -> list[tuple[int, int, str, str]]:
    with closing(sqlite3.connect(path)) as connection:
        return connection.execute("SELECT rater, place, attribute, choice FROM answers ORDER BY 1, 2, 3").fetchall()


def choose(page: Page, attribute: int, choice: str) -> None:
    group = page.get_by_role("group", name=ATTRIBUTES[attribute].question)
    group.get_by_role("radio", name=choice, exact=True).check()


def chosen(page: Page) -> list[str]:
    return [str(value) for value in page.evaluate("[...document.querySelectorAll(':checked')].map((one) => one.value)")]


def expect_heading(page: Page, text: str) -> None:
    playwright.expect(page.get_by_role("heading", name=text)).to_be_visible()


def expect_status(page: Page, text: str) -> None:
    playwright.expect(page.get_by_role("status")).to_contain_text(text)


def test_a_raters_way_with_a_killed_server(tmp_path: Path, browser: Browser) -> None:
    path = tmp_path / "study.sqlite"
    token = make_study(path, [*pairs(2), Pair("script", SCRIPT, (SCRIPT + " 1", ""))], checks=1)[0]
    context = browser.new_context()
    page = context.new_page()
    problems: list[str] = []
    page.on("pageerror", lambda error: problems.append(str(error)))
    with serving(path) as server:
        link = f"http://127.0.0.1:{server.port}/#{token}"
        page.goto(link)
        expect_heading(page, "Comparison 1 of 4")
        playwright.expect(page.get_by_text("0 of 4 done")).to_be_visible()
        assert page.evaluate("getComputedStyle(document.querySelector('#questions label span')).minHeight") == "44px"
        choose(page, 0, "Summary 1")
        expect_status(page, "Saved")
        server.process.send_signal(signal.SIGKILL)
        server.process.wait()
        assert stored(path) == [(1, 1, "consistency", "first")]
        choose(page, 1, "Equal")
        expect_status(page, "Not saved yet")
        choose(page, 1, "Summary 2")  # a change of mind while nothing can be saved
        choose(page, 2, "Summary 2")

    with serving(path, server.port):
        expect_status(page, "Saved")
        playwright.expect(page.get_by_text("1 of 4 done")).to_be_visible()
        first = [(1, 1, "consistency", "first"), (1, 1, "grammar", "second"), (1, 1, "informativeness", "second")]
        assert stored(path) == first
        page.reload()
        expect_heading(page, "Comparison 2 of 4")

        other = context.new_page()  # a second tab, which answers first
        other.goto(link)
        expect_heading(other, "Comparison 2 of 4")
        choose(other, 0, "Equal")
        expect_status(other, "Saved")
        page.bring_to_front()
        page.evaluate("dispatchEvent(new Event('focus'))")
        playwright.expect(page.get_by_role("radio", name="Equal", exact=True).first).to_be_checked()
        choose(page, 0, "Summary 2")
        expect_status(page, "Saved")
        assert [row for row in stored(path) if row[1] == 2] == [(1, 2, "consistency", "second")]
        other.close()

        for key in ("2", "2", "0"):  # the first again, where the focus is
            page.keyboard.press(key)
        playwright.expect(page.get_by_text("2 of 4 done")).to_be_visible()
        assert chosen(page)[-3:] == ["second", "second", "equal"]
        page.keyboard.press("Enter")  # the focus has come to the button
        expect_heading(page, "Comparison 3 of 4")
        page.keyboard.press("p")
        expect_heading(page, "Comparison 2 of 4")
        assert chosen(page)[-3:] == ["second", "second", "equal"]
        page.keyboard.press("n")
        page.keyboard.press("n")
        expect_heading(page, "Comparison 4 of 4")
        for key in ("1", "1", "1", "n"):
            page.keyboard.press(key)
        expect_heading(page, "Some answers are missing")
        page.get_by_role("button", name="Go to comparison 3").click()
        expect_heading(page, "Comparison 3 of 4")
        page.get_by_text("How to judge").click()
        page.get_by_label("Use these keys").uncheck()
        page.keyboard.press("n")
        expect_heading(page, "Comparison 3 of 4")
        for attribute in range(3):
            choose(page, attribute, "Equal")
        page.get_by_role("button", name="Next").click()
        page.get_by_role("button", name="Next").click()
        expect_heading(page, "All done, thank you")
        # "Saved" may still be said of the answer before the last.
        playwright.expect(page.get_by_text("All your answers are saved")).to_be_visible()
        assert len(stored(path)) == 4 * 3
        page.reload()
        expect_heading(page, "All done, thank you")
    assert problems == []
    context.close()


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("size", SIZES)
def test_pages_fit_and_texts_stay_texts(tmp_path: Path, browser: Browser, size: str, scheme: str) -> None:
    path = tmp_path / "study.sqlite"
    document = f"{SCRIPT} {'word ' * 400}{'unbroken' * 60}\n\n\u0645\u0631\u062d\u0628\u0627"
    token = make_study(path, [Pair("script", document, (SCRIPT, " "))], checks=0)[0]
    width, height = SIZES[size]
    viewport = {"width": width, "height": height}
    context = browser.new_context(viewport=viewport, color_scheme=scheme)  # type: ignore[arg-type]
    page = context.new_page()
    with serving(path) as server:
        page.goto(f"http://127.0.0.1:{server.port}/#{token}")
        expect_heading(page, "Comparison 1 of 1")
        assert page.get_by_role("region", name="Document").last.text_content() == document
        assert {page.locator("#first").text_content(), page.locator("#second").text_content()} == {SCRIPT, ""}
        assert page.evaluate("window.injected") is None
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        paper = page.evaluate("getComputedStyle(document.body).backgroundColor")
        assert (sum(map(int, re.findall(r"\d+", paper))) < 200) == (scheme == "dark")
    context.close()


def test_no_answer_goes_to_a_task_that_is_not_yet_shown(tmp_path: Path, browser: Browser) -> None:
    path = tmp_path / "study.sqlite"
    token = make_study(path, pairs(3))[0]
    context = browser.new_context()
    page = context.new_page()
    held: list[Route] = []
    page.route("**/api/tasks/2", lambda route: held.append(route))
    with serving(path) as server:
        page.goto(f"http://127.0.0.1:{server.port}/#{token}")
        expect_heading(page, "Comparison 1 of 5")
        page.keyboard.press("n")
        page.keyboard.press("1")
        playwright.expect(page.get_by_role("radio", name="Equal", exact=True).first).not_to_be_focused()
        deadline = time.monotonic() + SECONDS
        while not held:  # the request is on its way
            assert time.monotonic() < deadline
            page.wait_for_timeout(20)
        held[0].continue_()
        expect_heading(page, "Comparison 2 of 5")
        assert chosen(page) == ["on"]  # the box for the keys
        page.keyboard.press("1")
        expect_status(page, "Saved")
        assert stored(path) == [(1, 2, "consistency", "first")]
    context.close()


def test_a_wrong_link_says_so(tmp_path: Path, browser: Browser) -> None:
    path = tmp_path / "study.sqlite"
    make_study(path, pairs(3))
    context = browser.new_context()
    page = context.new_page()
    with serving(path) as server:
        page.goto(f"http://127.0.0.1:{server.port}/")
        playwright.expect(page.get_by_role("alert")).to_contain_text("a rater's whole link")
        page.goto(f"http://127.0.0.1:{server.port}/#forged")
        playwright.expect(page.get_by_role("alert")).to_contain_text("opens no study")
    context.close()
