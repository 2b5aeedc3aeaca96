"""Several processes give what one gives: scores, their order, errors, and errors' order."""

from __future__ import annotations

import errno
import gc
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from unittest.mock import Mock

import pytest
import spacy
from factcc import FactCCScorer
from qags import QAGSScorer
from quals import DataError, OptionError, QualsScorer, matmul
from quals.processes import _known, in_order
from support.learned import OPTIONS, texts
from support.overlap import OverlapScorer


@pytest.fixture(scope="module")
def overlap() -> OverlapScorer:
    return OverlapScorer(device="cpu", processes=2, chunk=2)


def running(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


def gone(pids: set[int]) -> bool:
    """Whether these processes end soon."""
    until = time.monotonic() + 20
    while time.monotonic() < until:
        if not any(map(running, pids)):
            return True
        time.sleep(0.05)
    return False


def test_scores_are_those_of_one_process_to_the_last_bit(scorer: QualsScorer, learned: Path) -> None:
    sources, summaries = texts(20)
    sources[3] = " ".join([sources[3]] * 6)  # read in windows
    sources, summaries = [*sources, sources[0]], [*summaries, summaries[0]]
    wanted = QualsScorer(scorer.qagen, chunk=3, **OPTIONS).score(sources, summaries)
    many = QualsScorer(str(learned), chunk=3, processes=2, **OPTIONS)
    before = {name: tensor.clone() for name, tensor in many.qagen.model.state_dict().items()}
    found = many.score(iter(sources), iter(summaries))
    assert list(map(repr, found)) == list(map(repr, wanted))
    assert [r.to_dict(True) for r in found] == [r.to_dict(True) for r in wanted]
    assert [r.summary for r in found] == summaries
    assert many.signature == scorer.signature
    state = many.qagen.model.state_dict()
    assert all(tensor.is_shared() and tensor.equal(before[name]) for name, tensor in state.items())
    again = QualsScorer(many.qagen, chunk=3, **OPTIONS).score(sources, summaries)  # in this process, from that memory
    assert list(map(repr, again)) == list(map(repr, wanted))


def test_the_rivals_have_it_too(embedded: Path) -> None:
    names = spacy.blank("en")
    names.add_pipe("entity_ruler").add_patterns([{"label": "PERSON", "pattern": "Helen Marsh"}])
    sources = ["The old bridge closes on Monday. Helen Marsh runs the bakery beside the bridge."] * 2
    summaries = ["Helen Marsh runs the bakery.", "Helen Marsh runs the bridge."]
    one, two = (QAGSScorer(pipeline=names, device="cpu", chunk=1, processes=count) for count in (1, 2))
    assert two.score(sources, summaries) == one.score(sources, summaries)
    first, second = (FactCCScorer(device="cpu", chunk=1, processes=count) for count in (1, 2))
    assert second.score(sources, summaries) == first.score(sources, summaries)


def test_the_work_is_done_elsewhere_and_ends_with_the_scorer() -> None:
    scorer = OverlapScorer(device="cpu", processes=2, chunk=1)
    pids = {int(pid) for pid in scorer.score([str(n) for n in range(40)], ["who"] * 40)}
    assert os.getpid() not in pids
    assert 1 <= len(pids) <= 2
    assert all(map(running, pids))
    del scorer
    gc.collect()
    assert gone(pids)


def test_texts_are_read_little_ahead(overlap: OverlapScorer) -> None:
    read = 0

    def counted() -> Iterator[str]:
        nonlocal read
        for place in range(100):
            read += 1
            yield f"a b {place}"

    scores = overlap.iter_score(counted(), (f"a {place}" for place in range(100)))
    assert next(scores) == 1.0
    assert read <= 4 * 2, "chunks of two: one done, two at work, one waiting"
    assert len(list(scores)) == 99
    assert read == 100


def test_an_error_is_the_same_and_comes_at_its_place(overlap: OverlapScorer) -> None:
    sources, summaries = ["a b"] * 9, ["a", "b", "c", "a b", "a c", "raise", "b c", "c a", "d"]
    scores = overlap.iter_score(sources, summaries)
    assert [next(scores) for _ in range(4)] == [1.0, 1.0, 0.0, 1.0]
    with pytest.raises(DataError, match=r"^The source 'a b' is wrong: give another\.$"):
        next(scores)
    assert overlap.score(["a"], ["a"]) == [1.0], "the others serve on"


def test_what_is_wrong_with_a_text_comes_after_the_scores_before_it(overlap: OverlapScorer) -> None:
    scores = overlap.iter_score(iter(["a"] * 5), iter(["a", "b", "a b", "c", None]))  # type: ignore[list-item]
    assert [next(scores) for _ in range(4)] == [1.0, 0.0, 0.5, 0.0]
    with pytest.raises(DataError, match="summary at place 4"):
        next(scores)


def test_threads_share_the_processes(overlap: OverlapScorer) -> None:
    def score(thread: int) -> list[float]:
        summaries = [f"{place} {thread}" for place in range(30)]
        return overlap.score([f"{place} x" for place in range(0, 60, 2)], summaries, progress=False)

    with ThreadPoolExecutor(6) as pool:
        for scores in pool.map(score, range(100, 106)):
            assert scores == [0.5 if place == 0 else 0.0 for place in range(30)]


def test_a_process_that_was_killed_is_said_and_others_take_over(overlap: OverlapScorer) -> None:
    overlap.score(["a"], ["a"])
    with pytest.raises(ChildProcessError, match=r"ended from outside.*fewer processes"):
        overlap.score(["a"] * 6, ["a", "b", "die", "c", "d", "e"])
    assert overlap.score(["a"] * 4, ["a", "b", "a b", "c"]) == [1.0, 0.0, 0.5, 0.0]


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="there is no SIGKILL here")
def test_a_pool_that_breaks_while_it_is_given_work_is_said(
    overlap: OverlapScorer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its pipes are closed by then, and the error is of one of them."""
    overlap.score(["a"], ["a"])
    pool = _known[overlap]._pool

    def submit(*_: object) -> None:
        os.kill(next(iter(pool._processes)), signal.SIGKILL)
        until = time.monotonic() + 60
        while not pool._broken:
            assert time.monotonic() < until
            time.sleep(0.01)
        raise OSError(errno.EBADF, "Bad file descriptor")

    monkeypatch.setattr(pool, "submit", submit)
    with pytest.raises(ChildProcessError, match="ended from outside"):
        overlap.score(["a"] * 2, ["a", "b"])
    assert overlap.score(["a"], ["a"]) == [1.0]


def test_threads_that_stop_a_pool_at_once_close_it_once(
    overlap: OverlapScorer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Closing a pipe twice is an error, or closes another file that got its number."""
    overlap.score(["a"], ["a"])
    processes = _known[overlap]
    shutdown, calls = processes._pool.shutdown, []

    def slow(**options: bool) -> None:
        calls.append(options)
        time.sleep(0.2)
        shutdown(**options)

    monkeypatch.setattr(processes._pool, "shutdown", slow)
    with ThreadPoolExecutor(4) as threads:
        list(threads.map(lambda _: processes.stop(), range(4)))
    assert len(calls) == 1
    assert processes.broken
    assert overlap.score(["a"], ["a"]) == [1.0]


def test_an_error_of_a_file_stays_one(overlap: OverlapScorer, monkeypatch: pytest.MonkeyPatch) -> None:
    overlap.score(["a"], ["a"])
    gone = FileNotFoundError("gone")
    with monkeypatch.context() as patch:
        patch.setattr(_known[overlap]._pool, "submit", Mock(side_effect=gone))
        with pytest.raises(FileNotFoundError, match="gone"):
            overlap.score(["a"], ["a"])
    assert overlap.score(["a"], ["a"]) == [1.0]


def test_it_is_refused_where_one_process_fills_the_device() -> None:
    with pytest.raises(OptionError, match=r"processes is 2, and the model computes on meta.*leave processes at 1"):
        QualsScorer(device="meta", processes=2)
    with pytest.raises(OptionError, match="processes is 0"):
        QualsScorer(processes=0)


def test_in_order_cancels_what_it_leaves() -> None:
    futures: list[Future[int]] = []

    def begin(number: int) -> Future[int]:
        futures.append(Future())
        if number == 1:
            futures[-1].set_exception(OSError("no"))
        elif number == 0:
            futures[-1].set_result(10)
        return futures[-1]

    done = in_order(begin, range(9), 3)
    assert next(done) == (0, 10)
    with pytest.raises(OSError, match="no"):
        next(done)
    assert [future.cancelled() for future in futures] == [False, False, True, True, True]


def test_all_processes_multiply_as_the_first_does(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each would find out by itself which way is faster, and round as that does."""
    for pays in (True, False):
        monkeypatch.setattr(matmul, "_tried", lambda trial, pays=pays: pays)
        assert matmul.precision_here() in (None, ("none", pays))
    code = (
        "from quals import matmul; import torch; matmul.multiply_as({!r}); s = torch.backends.mkldnn.matmul\n"
        "print(s.fp32_precision, matmul._tried(lambda setting: None))"
    )
    for told, printed in (
        (("none", True), "none True"),
        (("none", False), "none False"),
        (("bf16", False), "bf16 False"),
    ):
        ran = subprocess.run([sys.executable, "-c", code.format(told)], capture_output=True, text=True, timeout=300)
        assert ran.stdout.strip() == printed, ran.stderr
    for told in (True, False):
        code = f"from quals import screen; screen.screen_as({told}); print(screen.int8_pays())"
        ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=300)
        assert ran.stdout.strip() == str(told), ran.stderr
