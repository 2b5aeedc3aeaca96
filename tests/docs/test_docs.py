"""Every code block of the docs runs: Python as it stands, commands as far as their options go."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest
from support.tiny import REPOSITORY, tiny_tokenizer

from trainer_ext import ContrastiveSeq2SeqTrainer
from trainer_ext.cli.main import build_parser

DOCS = [
    REPOSITORY / "README.md",
    *sorted((REPOSITORY / "docs").glob("*.md")),
    *(REPOSITORY / "metrics" / name / "README.md" for name in ("factcc", "qags")),
]
_BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def blocks(file: Path, language: str) -> list[str]:
    return [text for kind, text in _BLOCK.findall(file.read_text(encoding="utf-8")) if kind == language]


def commands(file: Path) -> list[str]:
    joined = "\n".join(blocks(file, "bash")).replace("\\\n", " ")
    return [line.split(" #")[0] for line in joined.splitlines() if line.startswith("quals ")]


@pytest.mark.parametrize("file", DOCS, ids=lambda file: f"{file.parent.name}/{file.name}")
def test_commands_have_the_options_that_the_docs_give_them(file: Path) -> None:
    for command in commands(file):
        build_parser().parse_args(shlex.split(command)[1:])


def test_there_are_commands_to_try() -> None:
    assert sum(len(commands(file)) for file in DOCS) >= 8


def test_the_training_guide_runs_from_top_to_bottom(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    names: dict[str, object] = {"tokenizer": tiny_tokenizer()}
    for block in blocks(REPOSITORY / "docs" / "training.md", "python"):
        exec(block, names)
    assert names["shorter_is_better"]([""], ["a b"], None) == [-2]  # type: ignore[operator]
    assert names["arguments"].ranker == "quals"  # type: ignore[attr-defined]


def test_the_reward_of_the_trl_page_is_as_the_page_says(embedded: Path) -> None:
    names: dict[str, object] = {}
    for block in blocks(REPOSITORY / "docs" / "trl.md", "python"):
        exec(block, names)
    right, wrong, empty = names["rewards"]  # type: ignore[misc]
    assert right > wrong
    assert empty is None


@pytest.mark.parametrize("file", DOCS, ids=lambda file: f"{file.parent.name}/{file.name}")
def test_links_within_the_repository_lead_somewhere(file: Path) -> None:
    for target, place in re.findall(r"\]\(([^)#:]*)(?:#([^)]+))?\)", file.read_text(encoding="utf-8")):
        linked = file.parent / target if target else file
        assert linked.exists(), target
        if place:
            headings = re.findall(r"^#+ (.+)$", linked.read_text(encoding="utf-8"), re.MULTILINE)
            assert place in {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}, place


def test_the_readmes_python_runs_and_prints_what_it_says(
    embedded: Path, evaluate_caches: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(REPOSITORY)
    names: dict[str, object] = {}
    readme = REPOSITORY / "README.md"
    for block in blocks(readme, "python"):
        exec(block, names)
    printed, said = (
        [line.split() for line in text.splitlines()] for text in (capsys.readouterr().out, blocks(readme, "text")[0])
    )
    # Another processor may prefer another of two equally likely tokens, so the numbers are near and not equal.
    assert [float(line[0]) for line in printed] == pytest.approx([float(line[0]) for line in said], abs=0.1)
    assert names["results"]["coverage"] == 1.0  # type: ignore[index]
    (swap,) = blocks(readme, "diff")
    for sign in "-+":
        exec("\n".join(line[1:] for line in swap.splitlines() if line[0] == sign), names)
    assert names["Seq2SeqTrainer"] is ContrastiveSeq2SeqTrainer
