"""A visitor's way through the app in a browser, run as a Space runs it. Needs a Chromium, playwright and gradio."""

from __future__ import annotations

import csv
import io
import os
import random
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from support.tiny import REPOSITORY, train_tiny_qagen
from support.without_us import WITHOUT_US

playwright = pytest.importorskip("playwright.sync_api")
pytest.importorskip("gradio")
if TYPE_CHECKING:
    from playwright.sync_api import Browser, BrowserContext, Page

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="there is no Chromium")

SCRIPT = "</textarea></div><script>window.injected = 1</script><img src=x onerror='window.injected = 2'>"
AS_A_SPACE = "import runpy, sys; sys.path.insert(0, sys.argv[1]); runpy.run_path('app.py', run_name='__main__')"
DOCUMENT, SUMMARY, OTHER = "the cat sat on the red mat", "the king lost paris", "the cat sat on the mat"
SECONDS = 60
playwright.expect.set_options(timeout=SECONDS * 1000)


def ask(rng: random.Random, text: list[str]) -> str:
    """A target for the tiny QAGen; of many questions, so that several pairs survive."""
    return f"who did {rng.choice(text)} in the city ? <sep> {rng.choice(text)}"


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The app as a script in a folder of its own, none of our packages in reach."""
    folder = tmp_path_factory.mktemp("space")
    for file in (REPOSITORY / "metrics" / "quals").glob("*.py"):
        if file.name != "__init__.py":
            shutil.copy(file, folder)
    train_tiny_qagen(folder / "qagen-mini", ask)
    for attempt in range(3):  # its port may be taken while it starts, and Gradio asks itself only once whether it is up
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        server = start(folder, port, folder / f"log{attempt}.txt")
        if server.poll() is None:
            break
    assert server.poll() is None, (folder / f"log{attempt}.txt").read_text()
    yield f"http://127.0.0.1:{port}"
    server.terminate()
    server.wait(60)


def start(folder: Path, port: int, log: Path) -> subprocess.Popen[bytes]:
    """The app's process, once the app answers or has ended."""
    settings = {"GRADIO_SERVER_PORT": str(port), "GRADIO_NUM_PORTS": "1", "HF_HOME": str(folder / "cache")}
    settings |= {"HF_HUB_OFFLINE": "1", "NO_PROXY": "127.0.0.1", "no_proxy": "127.0.0.1"}
    with log.open("w") as output:
        server = subprocess.Popen(
            [sys.executable, "-c", WITHOUT_US + AS_A_SPACE, str(folder)],
            cwd=folder,
            env=os.environ | settings,
            stdout=output,
            stderr=subprocess.STDOUT,
        )
    directly = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    deadline = time.monotonic() + 3 * SECONDS
    while server.poll() is None:
        try:
            directly.open(f"http://127.0.0.1:{port}", timeout=5).close()
        except OSError:
            if time.monotonic() > deadline:
                server.kill()
                server.wait()
            time.sleep(0.2)
        else:
            break
    return server


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    options = ["--no-sandbox"] if hasattr(os, "geteuid") and os.geteuid() == 0 else []
    with playwright.sync_playwright() as driver:
        opened = driver.chromium.launch(executable_path=CHROMIUM, args=options)
        yield opened
        opened.close()


@pytest.fixture
def context(browser: Browser) -> Iterator[BrowserContext]:
    opened = browser.new_context()
    opened.set_default_timeout(SECONDS * 1000)
    yield opened
    opened.close()


def visit(context: BrowserContext, address: str) -> Page:
    page = context.new_page()
    page.set_default_timeout(SECONDS * 1000)
    page.goto(address)
    playwright.expect(page.get_by_role("button", name="Score the summary")).to_be_visible(timeout=SECONDS * 1000)
    return page


def fill(page: Page, document: str, summary: str) -> None:
    page.get_by_label("Document", exact=True).fill(document)
    page.get_by_label("Summary", exact=True).fill(summary)


def score(page: Page) -> None:
    page.get_by_role("button", name="Score the summary").click()


def choose_file(page: Page, file: Path) -> None:
    page.get_by_role("tab", name="A file of many").click()
    page.locator("input[type=file]").first.set_input_files(file)
    # Its name shows while it is sent, too, perhaps too briefly to be seen; the link is there once it has arrived.
    page.locator(f"a[download='{file.name}']").wait_for()


def expect_reading(page: Page, text: str) -> None:
    playwright.expect(page.locator("#reading")).to_contain_text(text)


def test_the_whole_way(context: BrowserContext, address: str) -> None:
    page = visit(context, address)
    playwright.expect(page.get_by_label("Summary", exact=True)).not_to_have_value("")
    expect_reading(page, "No score")  # of the example that it starts with, whose words the tiny QAGen does not know
    fill(page, "", "")
    score(page)
    expect_reading(page, "There is no document")
    playwright.expect(page.get_by_role("radio")).to_have_count(0)
    page.get_by_label("Example").click()
    page.get_by_role("option", name="The bridge: right").click()
    playwright.expect(page.get_by_label("Summary", exact=True)).not_to_have_value("")
    fill(page, DOCUMENT, SUMMARY)
    score(page)
    expect_reading(page, "QUALS \N{MINUS SIGN}")
    expect_reading(page, "quals-v2-")
    pairs = page.get_by_role("radio")
    playwright.expect(pairs.nth(1)).to_be_visible()
    playwright.expect(pairs.first).to_be_checked()
    detail = page.locator("#detail")
    first = detail.inner_text()
    pairs.first.focus()
    page.keyboard.press("Tab")  # no mouse is needed
    page.keyboard.press("Space")
    playwright.expect(pairs.nth(1)).to_be_checked()
    playwright.expect(detail).not_to_have_text(first, use_inner_text=True)
    assert detail.locator("mark").count() >= 1
    assert detail.locator("ol.words li").count() > 3
    bars = detail.locator("ol.words .bars").first
    assert "summary" in str(bars.get_attribute("aria-label"))
    assert page.locator("#reading[aria-live]").count() == 1


def test_texts_stay_texts(context: BrowserContext, address: str) -> None:
    page = visit(context, address)
    fill(page, f"{SCRIPT} {DOCUMENT}", f"{SUMMARY} {SCRIPT}")
    score(page)
    expect_reading(page, "QUALS")
    page.get_by_role("radio").first.wait_for()
    for number in range(page.get_by_role("radio").count()):
        page.get_by_role("radio").nth(number).check()
    playwright.expect(page.locator("#detail")).to_contain_text("In the summary")
    assert page.evaluate("window.injected") is None


def test_a_document_of_a_megabyte_is_refused_and_the_page_goes_on(context: BrowserContext, address: str) -> None:
    page = visit(context, address)
    fill(page, "a king " * 150_000, SUMMARY)
    score(page)
    expect_reading(page, "The document has 1,050,000 characters, and the limit is 100,000")
    assert page.get_by_role("radio").count() == 0
    fill(page, DOCUMENT, SUMMARY)
    score(page)
    expect_reading(page, "QUALS \N{MINUS SIGN}")


def test_two_visitors_at_once_get_each_their_own(browser: Browser, address: str) -> None:
    contexts = [browser.new_context(), browser.new_context()]
    try:
        pages = [visit(context, address) for context in contexts]
        for page, summary in zip(pages, (SUMMARY, OTHER), strict=True):
            fill(page, DOCUMENT if summary == SUMMARY else OTHER, summary)
        for page in pages:
            score(page)
        for page in pages:
            expect_reading(page, "QUALS")
        readings = [page.locator("#reading h2").inner_text() for page in pages]
        assert readings[0] != readings[1]
        assert readings[1] == "QUALS 0.000", "its own source"
        for page, summary in zip(pages, (SUMMARY, OTHER), strict=True):
            playwright.expect(page.locator("#detail blockquote.summary")).to_have_text(summary)
    finally:
        for context in contexts:
            context.close()


def test_a_file_is_scored_and_comes_back(context: BrowserContext, address: str, tmp_path: Path) -> None:
    page = visit(context, address)
    (tmp_path / "rows.csv").write_text("source,summary\n" + f"{DOCUMENT},{SUMMARY}\n{DOCUMENT},\n" * 6)
    choose_file(page, tmp_path / "rows.csv")
    page.get_by_role("button", name="Score the file").click()
    playwright.expect(page.locator("#file-reading")).to_contain_text("mean of 6 of 12 rows")
    with page.expect_download() as download:
        page.get_by_role("link", name="Download the scores").or_(
            page.get_by_role("button", name="Download the scores")
        ).first.click()
    rows = list(csv.DictReader(io.StringIO(Path(download.value.path()).read_text())))
    assert [bool(row["quals"]) for row in rows] == [True, False] * 6
    assert float(rows[0]["quals"]) <= 0


def test_a_long_file_keeps_nobody_waiting_and_ends_when_its_visitor_leaves(
    browser: Browser, address: str, tmp_path: Path
) -> None:
    (tmp_path / "long.csv").write_text(
        "source,summary\n" + "".join(f"{DOCUMENT * 150},{SUMMARY} {i}\n" for i in range(200))
    )
    (tmp_path / "short.csv").write_text(f"source,summary\n{DOCUMENT},{SUMMARY}\n")
    contexts = [browser.new_context(), browser.new_context()]
    try:
        long, other = (visit(context, address) for context in contexts)
        choose_file(long, tmp_path / "long.csv")
        long.get_by_role("button", name="Score the file").click()
        playwright.expect(long.locator("#file-reading")).to_contain_text("of 200 rows scored")
        fill(other, OTHER, OTHER)
        score(other)
        playwright.expect(other.locator("#reading h2")).to_have_text("QUALS 0.000")
        playwright.expect(long.locator("#file-reading")).to_contain_text("of 200 rows scored")
        choose_file(other, tmp_path / "short.csv")
        other.get_by_role("button", name="Score the file").click()
        playwright.expect(other.locator("#file-reading")).to_contain_text("Waiting")
        contexts[0].close()
        playwright.expect(other.locator("#file-reading")).to_contain_text("mean of 1 of 1 row")
    finally:
        contexts[1].close()


def test_a_file_that_cannot_be_scored_says_why(context: BrowserContext, address: str, tmp_path: Path) -> None:
    page = visit(context, address)
    (tmp_path / "rows.csv").write_text("body,summary\na,b\n")
    choose_file(page, tmp_path / "rows.csv")
    page.get_by_role("button", name="Score the file").click()
    playwright.expect(page.locator("#file-reading")).to_contain_text("no column 'source'")
    assert page.locator("#file-reading[aria-live]").count() == 1


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_it_fits_a_phone(browser: Browser, address: str, scheme: str) -> None:
    context = browser.new_context(viewport={"width": 360, "height": 740}, color_scheme=scheme)
    try:
        page = visit(context, address)
        fill(page, DOCUMENT, SUMMARY + " x" * 40)
        score(page)
        expect_reading(page, "QUALS")
        page.locator("#detail h3").first.wait_for()
        assert page.evaluate("document.documentElement.scrollWidth") <= 360
        colours = page.evaluate(
            "['color', 'backgroundColor'].map((name) => getComputedStyle(name === 'color' ? "
            "document.querySelector('#reading h2') : document.body)[name])"
        )
        bright = [sum(map(int, colour.split("(")[1].rstrip(")").split(",")[:3])) > 382 for colour in colours]
        assert bright == ([False, True] if scheme == "light" else [True, False])
    finally:
        context.close()
