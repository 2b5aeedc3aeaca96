"""Every benchmark is a command with a help that shows an example and says what each option is."""

from __future__ import annotations

import re
from importlib import import_module

import pytest

from benchmarks.common.command import command_parser, exit_status

COMMANDS = [
    "agreement", "one_run", "one_run.ablation", "paper", "paper.report", "paraphrased", "speed", "step", "swapped",
    "typography",
]  # fmt: skip


@pytest.mark.parametrize("name", COMMANDS)
def test_its_help_has_an_example(
    name: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    module = import_module(
        f"benchmarks.{name}" if name in ("one_run.ablation", "paper.report") else f"benchmarks.{name}.__main__"
    )
    with pytest.raises(SystemExit) as end:
        module.main(["--help"])
    assert end.value.code == 0
    shown = capsys.readouterr().out
    assert f"\n    python -m benchmarks.{name} " in shown or f"\n    python -m benchmarks.{name}\n" in shown
    assert "(default: None)" not in shown
    helps = re.findall(r"^  (?:-\S.*?|[a-z_]+(?: \.\.\.)?)(?:  +|\n +)(\S+)", shown, re.MULTILINE)
    assert helps
    assert not {"of", "that", "which", "so", "in", "at", "by"} & set(helps)


def test_a_mistake_is_one_line_and_status_2(capsys: pytest.CaptureFixture[str]) -> None:
    def wrong() -> None:
        raise ValueError("--rows is 0: give 1 or more.")

    def interrupted() -> None:
        raise KeyboardInterrupt

    assert exit_status("speed", wrong) == 2
    assert capsys.readouterr().err == "speed: --rows is 0: give 1 or more.\n"
    assert exit_status("speed", interrupted) == 130
    assert exit_status("speed", lambda: None) == 0


def test_defaults_are_shown_where_there_is_one(capsys: pytest.CaptureFixture[str]) -> None:
    parser = command_parser("benchmarks.none", "A line.")
    parser.add_argument("--rows", type=int, default=3, help="number of rows")
    parser.add_argument("--file", help="a file")
    parser.print_help()
    shown = capsys.readouterr().out
    assert "number of rows (default: 3)" in shown
    assert "a file\n" in shown
