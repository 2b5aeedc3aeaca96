"""What all scorers do alike, on QUALS: texts in chunks, options, loading, and calls from many threads."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from quals import DataError, OptionError, QualsScorer
from quals.source_scorer import SourceScorer
from support.learned import OPTIONS, texts, values
from support.threads import check_threads


class Lengths(SourceScorer[int]):
    """A metric of a test: words of the summary."""

    NAME = "Lengths"
    VERSION = "3"
    CHUNK = 2

    def _score_chunk(self, rows: list[tuple[str, str]], advance: Any) -> Iterator[int]:
        assert len(set(rows)) == len(rows) <= self.chunk
        return (len(summary.split()) for _, summary in rows)


def test_a_metric_without_a_model_does_not_wait_for_transformers_models() -> None:
    """Processes of such a metric start in half the time."""
    code = "import sys, quals.source_scorer; sys.exit('transformers.modeling_utils' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_a_metric_of_ones_own() -> None:
    scorer = Lengths()
    assert scorer.score(["a"] * 5, ["b", "b c", "b", "", "b c d"]) == [1, 2, 1, 0, 3]
    assert list(scorer.iter_score(iter("aaa"), iter(["b", "b", "b c"]))) == [1, 1, 2]
    assert scorer.signature.startswith("lengths-v3-")
    assert Lengths(long_sources="truncate").signature != scorer.signature
    assert Lengths(batch_tokens=7, chunk=1).signature == scorer.signature
    with pytest.raises(OptionError, match="long_sources"):
        Lengths(long_sources="all")


def test_threads_get_their_own_scores(scorer: QualsScorer) -> None:
    """One scorer in 8 threads, as in a server; each call has texts of its own, long ones too."""
    sources, summaries = texts(50)
    for place in range(0, 50, 5):
        sources[place] = " ".join([sources[place]] * 6)  # read in windows
    check_threads(lambda *pair: scorer.score(*([text] for text in pair), progress=False)[0].score, sources, summaries)


def test_a_dtype_may_be_torchs_own(learned: Path, scorer: QualsScorer) -> None:
    given = QualsScorer(scorer.qagen, dtype=torch.float32, **OPTIONS)
    assert given.signature == scorer.signature
    assert given.settings == scorer.settings
    assert QualsScorer(str(learned), dtype=torch.bfloat16, **OPTIONS).settings["dtype"] == "bfloat16"
    with pytest.raises(OptionError, match="loaded as float32"):
        QualsScorer(scorer.qagen, dtype=torch.bfloat16)


def test_a_text_that_comes_twice_is_checked_and_scored_once(scorer: QualsScorer) -> None:
    class Counted(str):
        __slots__ = ()
        checks = 0

        def encode(self, *arguments: Any, **options: Any) -> bytes:
            Counted.checks += 1
            return super().encode(*arguments, **options)

    sources, summaries = texts(3)
    passes = []
    hook = scorer.qagen.model.get_encoder().register_forward_pre_hook(lambda *_: passes.append(1))
    first = values(scorer.score(sources, summaries))
    once = len(passes)
    again = values(scorer.score([Counted(source) for source in sources] * 2, summaries * 2))
    hook.remove()
    assert again == pytest.approx(first * 2, nan_ok=True, abs=0)
    assert len(passes) == 2 * once
    assert Counted.checks == 6


@pytest.mark.parametrize("enabled", ["1", ""])
def test_loading_shows_no_bar_and_leaves_transformers_bars_as_they_were(learned: Path, enabled: str) -> None:
    code = (
        "import sys\nfrom quals import QualsScorer\nfrom transformers import AutoModel\n"
        "from transformers.utils import logging\n"
        "enabled = bool(sys.argv[2]) or logging.disable_progress_bar()\n"
        "QualsScorer(sys.argv[1])\nassert logging.is_progress_bar_enabled() == bool(enabled)\n"
        "print('loaded', file=sys.stderr)\nAutoModel.from_pretrained(sys.argv[1])"
    )
    environment = {name: value for name, value in os.environ.items() if name != "HF_HUB_DISABLE_PROGRESS_BARS"}
    command = [sys.executable, "-c", code, str(learned), enabled]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True, timeout=300)
    ours, theirs = done.stderr.split("loaded", 1)
    assert ours == ""
    assert ("Loading weights" in theirs) == bool(enabled)


def test_generators_are_read_a_chunk_at_a_time(scorer: QualsScorer) -> None:
    sources, summaries = texts(10)
    read = 0

    def counted() -> Iterator[str]:
        nonlocal read
        for text in sources:
            read += 1
            yield text

    results = QualsScorer(scorer.qagen, chunk=4, **OPTIONS).iter_score(counted(), iter(summaries))
    first = next(results)
    assert read == 4
    rest = [first, *results]
    assert values(rest) == pytest.approx(values(scorer.score(sources, summaries)), nan_ok=True, abs=1e-4)


@pytest.mark.parametrize(
    ("sources", "summaries", "message"),
    [
        (["a"], ["a", "b"], "1 sources and 2 summaries"),
        (["a", None], ["a", "b"], "source at place 1 .* NoneType"),
        (["a"], [3], "summary at place 0 .* int"),
        ("a", "b", "lists of strings"),
        (iter(["a"]), iter(["a", "b"]), "more summaries than 1"),
        (iter(["a", "b"]), iter(["a"]), "more sources than 1"),
        ([], [], "nothing to score"),
        (iter([]), iter([]), "nothing to score"),
        (None, ["a"], "lists of strings"),
        (["a"], 3, "lists of strings"),
        (["a", "half \ud83d"], ["a", "b"], "source at place 1 holds half a character"),
    ],
)
def test_bad_input_is_a_value_error(scorer: QualsScorer, sources: object, summaries: object, message: str) -> None:
    with pytest.raises(DataError, match=message):
        scorer.score(sources, summaries)  # type: ignore[arg-type]
    assert scorer.generate_pairs([]) == scorer.score_pairs([], []) == []
    assert len(scorer.score(["the cat won"], ["the cat won"])) == 1


def test_progress_bar(scorer: QualsScorer, capsys: pytest.CaptureFixture[str]) -> None:
    sources, summaries = texts(3)
    scorer.score(sources, summaries, progress=True)
    assert "3/3" in capsys.readouterr().err
    scorer.score(sources, summaries, progress=False)
    assert capsys.readouterr().err == ""
