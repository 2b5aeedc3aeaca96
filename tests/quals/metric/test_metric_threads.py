"""One metric object in many threads: calls keep their texts apart, and what is added is said to be shared."""

from __future__ import annotations

import copy
from concurrent.futures import ThreadPoolExecutor
from threading import Thread
from typing import Any

import numpy as np
import pytest
from quals import DataError, QualsScorer
from quals.quals import Quals
from support.metric_texts import SOURCES, SUMMARIES, same
from support.threads import check_threads

MORE = [
    f"the {who} {did} in {where} ."
    for who in ("king", "queen")
    for did in ("won", "lost")
    for where in ("paris", "london")
]


def elsewhere(function: Any, **texts: Any) -> None:
    """Call it in another thread, to its end."""
    thread = Thread(target=lambda: function(**texts))
    thread.start()
    thread.join()


def test_calls_keep_their_texts_apart(quals: Quals) -> None:
    def score(source: str, summary: str) -> float:
        result = quals.compute(predictions=[summary], sources=[source])
        assert len(result["scores"]) == 1
        return float(result["quals"])

    check_threads(score, SOURCES * 4, (MORE * 2)[:12])


def test_a_call_changes_nothing_that_other_threads_see(quals: Quals, monkeypatch: pytest.MonkeyPatch) -> None:
    """Evaluate's own way seeds numpy for the whole process while it computes."""
    before, original = np.random.get_state()[1], QualsScorer.score

    def watched(*arguments: Any, **options: Any) -> Any:
        assert (np.random.get_state()[1] == before).all()
        return original(*arguments, **options)

    monkeypatch.setattr(QualsScorer, "score", watched)
    assert len(quals.compute(predictions=SUMMARIES, sources=SOURCES)["scores"]) == 3


def test_what_threads_add_is_scored_once_and_together(quals: Quals, expected: dict[str, Any]) -> None:
    with ThreadPoolExecutor(8) as pool:
        for _ in range(40):
            pool.submit(quals.add_batch, predictions=SUMMARIES, sources=SOURCES)
    assert len(quals) == 120
    assert same(quals.compute()["scores"], expected["scores"] * 40)
    with pytest.raises(DataError, match="nothing to score"):
        quals.compute()


def test_texts_that_another_thread_added_are_not_mixed_in(quals: Quals, expected: dict[str, Any]) -> None:
    elsewhere(quals.add_batch, predictions=SUMMARIES, sources=SOURCES)
    with pytest.raises(DataError, match="another thread added"):
        quals.compute(predictions=SUMMARIES[:1], sources=SOURCES[:1])
    assert same(quals.compute()["scores"], expected["scores"]), "kept"
    quals.add_batch(predictions=SUMMARIES, sources=SOURCES)
    assert len(quals.compute(predictions=SUMMARIES, sources=SOURCES)["scores"]) == 6, "one's own are, as evaluate does"
    assert len(quals.compute(predictions=SUMMARIES, sources=SOURCES)["scores"]) == 3


def test_a_metric_can_still_be_copied(quals: Quals) -> None:
    other = copy.copy(quals)
    other.add_batch(predictions=SUMMARIES, sources=SOURCES)
    assert other._collecting is not quals._collecting
