"""The comparison with another commit: both builds run, and one that is slower or scores otherwise is told apart."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest
from support.tiny import REPOSITORY, WORDS

from benchmarks.speed.__main__ import main
from benchmarks.speed.baseline import Workload, checked_out, compare_with_commit, cut

CONTENT = [word for word in WORDS if word.isalpha() and len(word) > 2]
ROWS = [(" ".join((CONTENT * 3)[n : n + 20]), " ".join((CONTENT * 3)[n : n + 8])) for n in range(4)]
SLOW_BUILD = """
import time

class Result:
    score = 0.5

class QualsScorer:
    def __init__(self, checkpoint, **options):
        pass

    def score(self, sources, summaries, progress):
        time.sleep(5)  # ours takes less than that on a slow machine too
        return [Result()] * len(sources)
"""


def git(folder: Path, *arguments: str) -> str:
    identity = ["-c", "user.name=a", "-c", "user.email=a@example.org"]
    command = ["git", "-C", str(folder), *identity, *arguments]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()


@pytest.fixture
def other_build(tmp_path: Path) -> Path:
    """A repository whose ``quals`` is another one."""
    package = tmp_path / "other" / "metrics" / "quals"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text(SLOW_BUILD)
    git(tmp_path / "other", "init", "-q")
    git(tmp_path / "other", "add", ".")
    git(tmp_path / "other", "commit", "-qm", "another build")
    return tmp_path / "other"


def cells(line: str) -> list[str]:
    return [cell.strip() for cell in line.split("|")[1:-1]]


@pytest.mark.skipif(not (REPOSITORY / ".git").exists(), reason="not a clone")
def test_a_commit_against_itself_scores_the_same(
    asking_qagen: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    news, samples = tmp_path / "news.jsonl", tmp_path / "samples.jsonl"
    news.write_text("".join(json.dumps({"source": s, "summary": t}) + "\n" for s, t in ROWS))
    sampled = [{"document": s, "summary": t, "candidates": [t, f"{t} paris"]} for s, t in ROWS]
    samples.write_text("".join(json.dumps(row) + "\n" for row in sampled))
    options = ["--checkpoint", str(asking_qagen), "--samples", str(samples)]
    assert main([str(news), "--baseline", "HEAD", *options, "--rows", "2", "--rounds", "1"]) == 0
    lines = [cells(line) for line in capsys.readouterr().out.splitlines() if line.startswith("| ")][1:]
    assert [line[1] for line in lines] == ["2", "3", "1"], "news, one source with three summaries, cold"
    assert lines[0][2] == "20 / 8"
    for line in lines:
        assert line[4].split(" of ")[0] == line[1], "all scores are equal"
        assert line[8] == "100%", "and as many operations"
        assert float(line[3].split("x")[0]) > 0


def test_a_build_that_is_slower_and_scores_otherwise_is_told_apart(
    asking_qagen: Path, other_build: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    compare_with_commit(
        "HEAD", [Workload("rows", ROWS)], checkpoint=str(asking_qagen), rounds=1, repository=other_build
    )
    _, _, line, *_ = capsys.readouterr().out.splitlines()
    _, _, _, faster, equal, difference, *_ = cells(line)
    assert float(faster.split("x")[0]) > 2
    assert equal == "0 of 4"
    assert float(difference) > 0.1


def test_a_checkout_leaves_nothing_behind(other_build: Path) -> None:
    with checked_out("HEAD", other_build) as metrics:
        assert (metrics / "quals" / "__init__.py").read_text() == SLOW_BUILD
    assert not metrics.exists()
    assert git(other_build, "status", "--porcelain") == ""
    assert len(git(other_build, "worktree", "list").splitlines()) == 1


def test_what_is_not_a_commit_is_refused(other_build: Path) -> None:
    with pytest.raises(ValueError, match="--baseline is 'nowhere'"), checked_out("nowhere", other_build):
        raise AssertionError("not begun")


def test_a_build_that_fails_is_an_error(other_build: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (other_build / "metrics" / "quals" / "__init__.py").write_text("raise SystemExit('broken')")
    git(other_build, "commit", "-qam", "broken")
    with pytest.raises(ValueError, match="failed"):
        compare_with_commit("HEAD", [Workload("rows", ROWS)], rounds=1, repository=other_build)


def test_long_rows_come_first_and_are_cut() -> None:
    rows = [("a b", "c"), ("a b c d", "e f g"), ("h i j", "k l")]
    assert cut(rows, 2, source_words=3, summary_words=2) == [("a b c", "e f"), ("h i j", "k l")]
    assert cut(rows, 3, 3, 2)[2] == ("a b", "c")
