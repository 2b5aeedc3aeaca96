"""The command line itself: quick help for every command, and errors in one line."""

from __future__ import annotations

import argparse
import subprocess
import sys

import pytest

from trainer_ext.cli import main as cli

HEAVY = ("torch", "transformers", "datasets", "evaluate", "accelerate", "numpy", "matplotlib", "huggingface_hub")

HELP = f"""
import sys
from trainer_ext.cli.main import main
try:
    main(sys.argv[1:])
except SystemExit as end:
    status = end.code
heavy = [name for name in {HEAVY!r} if name in sys.modules]
if status or heavy:
    sys.exit(f"status {{status}}, imported {{heavy}}")
"""


def parsers(parser: argparse.ArgumentParser) -> dict[str, argparse.ArgumentParser]:
    """The parsers of a command's own commands."""
    actions = [action for action in parser._actions if isinstance(action, argparse._SubParsersAction)]
    return dict(actions[0].choices) if actions else {}


def commands() -> list[str]:
    return list(parsers(cli.build_parser()))


def run(code: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-c", code, *arguments], capture_output=True, text=True, timeout=300)


@pytest.mark.parametrize("command", [None, *commands()])
def test_help_imports_nothing_heavy(command: str | None) -> None:
    done = run(HELP, *([command] if command else []), "--help")
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith(f"usage: quals {command or '[-h]'}")
    if command is None:
        assert all(name in done.stdout for name in commands())


def test_the_training_commands_are_there() -> None:
    assert {"qagen", "factcc", "reader", "base"} == set(parsers(parsers(cli.build_parser())["train"]))


@pytest.mark.parametrize(
    ("former", "now"),
    [("train-qagen", "qagen"), ("train-factcc", "factcc"), ("train-reader", "reader"), ("bart-from-bert", "base")],
)
def test_former_names_still_work_and_the_help_does_not_show_them(
    former: str, now: str, capsys: pytest.CaptureFixture[str]
) -> None:
    helps = []
    for words in ([former], ["train", now]):
        with pytest.raises(SystemExit):
            cli.main([*words, "--help"])
        helps.append(capsys.readouterr().out)
    assert helps[0] == helps[1]
    assert former not in cli.build_parser().format_help()


@pytest.mark.parametrize("command", commands())
def test_every_option_has_a_help_text(command: str) -> None:
    parser = parsers(cli.build_parser())[command]
    for part in (parser, *parsers(parser).values()):
        for action in part._actions:
            assert action.help or isinstance(action, argparse._SubParsersAction), action.option_strings or action.dest
        assert part.description


@pytest.mark.parametrize("arguments", [[], ["no-such-command"], ["train-qagen"], ["bart-from-bert", "--wrong"]])
def test_wrong_usage_is_status_2(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as end:
        cli.main(arguments)
    assert end.value.code == 2
    printed = capsys.readouterr()
    assert printed.out == ""
    assert "error: " in printed.err.splitlines()[-1]


def test_an_error_is_one_line_without_a_traceback() -> None:
    code = "import sys; from trainer_ext.cli.main import main; raise SystemExit(main(sys.argv[1:]))"
    done = run(code, "bart-from-bert", "--model", "/nowhere/at/all", "--output-dir", "/nowhere/out")
    assert done.returncode == 2
    assert done.stdout == ""
    [line] = done.stderr.strip().splitlines()
    assert line.startswith("quals train: ")
    assert "/nowhere/at/all" in line


@pytest.mark.parametrize(
    ("error", "status", "printed"),
    [
        (ValueError("The file x is empty."), 2, "quals train: The file x is empty.\n"),
        (FileNotFoundError(2, "No such file", "x"), 2, "quals train: [Errno 2] No such file: 'x'\n"),
        (OSError(28, "No space left on device"), 2, "quals train: [Errno 28] No space left on device\n"),
        (ValueError("First line.\nSecond line."), 2, None),
        (KeyboardInterrupt(), 130, "\ninterrupted\n"),
    ],
)
def test_errors_become_a_line_and_a_status(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    error: BaseException,
    status: int,
    printed: str | None,
) -> None:
    def fail(arguments: argparse.Namespace) -> None:
        raise error

    monkeypatch.setattr("trainer_ext.cli.train.run", fail)
    assert cli.main(["bart-from-bert", "--model", "x", "--output-dir", "y"]) == status
    captured = capsys.readouterr()
    assert captured.out == ""
    if printed is None:
        assert len(captured.err.splitlines()) == 1
    else:
        assert captured.err == printed


def test_a_defect_of_ours_is_not_hidden(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(arguments: argparse.Namespace) -> None:
        raise KeyError("a defect")

    monkeypatch.setattr("trainer_ext.cli.train.run", fail)
    with pytest.raises(KeyError, match="a defect"):
        cli.main(["bart-from-bert", "--model", "x", "--output-dir", "y"])
