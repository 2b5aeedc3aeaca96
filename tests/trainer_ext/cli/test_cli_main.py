"""The command line itself: quick help for every command, and errors in one line."""

from __future__ import annotations

import argparse
import inspect
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator

import pytest
import quals

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
    assert {"qagen", "factcc", "reader", "base", "statements"} == set(parsers(parsers(cli.build_parser())["train"]))


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


def leaves(parser: argparse.ArgumentParser) -> Iterator[argparse.ArgumentParser]:
    """The parser and those of its subcommands, theirs included."""
    yield parser
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            for command in dict.fromkeys(action.choices.values()):
                yield from leaves(command)


# What begins with one of these is half a sentence, whose noun a reader would have to guess.
HALF = re.compile(
    r"(about|and|as|at|because|but|by|even|for|from|how|if|in|instead|into|its|nobody|none|not|of|on|only|or|so|than|that"
    r"|their|there|these|this|those|to|under|until|what|when|where|which|who|whose|with|without)\b"
)
PARSERS = list(leaves(cli.build_parser()))


@pytest.mark.parametrize("parser", PARSERS, ids=lambda parser: parser.prog)
def test_every_option_says_what_it_is(parser: argparse.ArgumentParser) -> None:
    assert parser.description
    for action in parser._actions:
        name = action.option_strings or action.dest
        if action.help == argparse.SUPPRESS:
            continue
        assert action.help, name
        first = action.help.split()[0]
        assert re.fullmatch(r"[A-Za-z][\w'-]*,?|\W*[.]\w+", first), (name, action.help)
        assert not HALF.match(action.help.lower()), (name, action.help)
        assert action.help[-1] not in ".,;:", (name, action.help)
    shown = parser.format_help()
    assert "(default: None)" not in shown
    assert "(default: False)" not in shown
    assert "(default: [])" not in shown


@pytest.mark.parametrize("command", ["score", "explain", "study", "mine", "train"])
def test_every_command_has_an_example_that_parses(command: str) -> None:
    [parser] = [parser for parser in PARSERS if parser.prog == f"quals {command}"]
    example = (parser.description or "").partition("Example: ")[2].split("\n\n")[0]
    words = shlex.split(" ".join(example.split()))
    assert words[:2] == ["quals", command]
    cli.build_parser().parse_args(words[1:])


def test_the_version_is_shown(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="0"):
        cli.main(["--version"])
    assert capsys.readouterr().out == f"quals {quals.__version__}\n"


def test_the_scorers_options_are_all_there() -> None:
    # The commands choose the chunk, and quals score alone has a calibration.
    options = set(inspect.signature(quals.QualsScorer).parameters) - {"chunk", "calibration"}
    for parser in PARSERS:
        if parser.prog in ("quals score", "quals explain", "quals mine"):
            own = options - {"processes"} if parser.prog == "quals explain" else options  # which explains a single row
            assert own <= {action.dest for action in parser._actions}, parser.prog


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
        (
            PermissionError(13, "Denied", "x"),
            2,
            "quals train: x cannot be used (Denied): check the path and its permissions.\n",
        ),
        (OSError(28, "No space left"), 2, "quals train: No space left: mend that, then run the command again.\n"),
        (OSError("The folder x is full: make room."), 2, "quals train: The folder x is full: make room.\n"),
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
