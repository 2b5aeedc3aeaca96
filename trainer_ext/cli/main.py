"""The command ``quals``: one file per subcommand; what a subcommand needs is imported only when it runs."""

from __future__ import annotations

import argparse
import sys
import textwrap
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from typing import Any

from quals import DoubtfulTextWarning, __version__

_COMMANDS = {
    "score": "score summaries against their sources: a file of them, or one",
    "calibrate": "fit a map from scores to probabilities, on summaries that people judged",
    "explain": "show one summary's question-answer pairs in the terminal, as a picture or a page",
    "app": "serve a page to paste a document and a summary into, as the metric's Space does",
    "mine": "sample summaries from a model, score them, select the worst for contrastive training",
    "rerank": "sample several summaries of each document and keep the best by a ranker, without any training",
    "study": "let people judge two systems' summaries side by side, blinded, and report what they found",
    "publish": "publish the metric, or a trained summarizer, to the Hugging Face Hub",
    "install": 'let evaluate.load("quals") find this package from any folder',
    "train": "train the models behind the metrics: a QAGen, a classifier of claims, a reader",
}
# The names that commands had before; they still work, but the help does not show them.
_FORMER = {
    "uninstall": ["install", "--remove"],
    "train-qagen": ["train", "qagen"],
    "train-factcc": ["train", "factcc"],
    "train-reader": ["train", "reader"],
    "bart-from-bert": ["train", "base"],
}


class HelpFormatter(argparse.ArgumentDefaultsHelpFormatter):
    """Help with paragraphs, and with defaults where they say something."""

    def _fill_text(self, text: str, width: int, indent: str) -> str:
        return "\n\n".join(textwrap.fill(part, width) for part in textwrap.dedent(text).strip().split("\n\n"))

    def _get_help_string(self, action: argparse.Action) -> str | None:
        says_nothing = action.default is None or action.default is False or action.default in ("", [])
        return action.help if says_nothing else super()._get_help_string(action)


def build_parser() -> argparse.ArgumentParser:
    """The parser of all subcommands; building it imports neither torch nor transformers."""
    parser = argparse.ArgumentParser(
        prog="quals",
        description="Score and improve the factual consistency of summaries.\n\nExample: quals explain --example",
        formatter_class=HelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"quals {__version__}", help="show the version and exit")
    subparsers = parser.add_subparsers(dest="command", required=True, metavar="COMMAND", help="command to run")
    for name, summary in _COMMANDS.items():
        module = import_module(f"trainer_ext.cli.{name.replace('-', '_')}")
        command = subparsers.add_parser(name, help=summary, description=module.__doc__, formatter_class=HelpFormatter)
        module.add_arguments(command)
        command.set_defaults(run=module.run)
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Run one subcommand. Errors that a user can fix are one line on standard error and exit status 2."""
    words = list(sys.argv[1:] if argv is None else argv)
    arguments = build_parser().parse_args([*_FORMER.get(words[0], words[:1]), *words[1:]] if words else words)
    try:
        with _warnings_in_a_line(arguments.command):
            arguments.run(arguments)
    except (ValueError, OSError) as error:
        print(f"quals {arguments.command}: {' '.join(_said(error).split())}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("\ninterrupted", file=sys.stderr)
        return 130
    return 0


def _said(error: ValueError | OSError) -> str:
    """The error's message; the system's own name a file and a number alone."""
    if not isinstance(error, OSError) or error.errno is None:
        return str(error)
    reason = error.strerror or "input or output failed"
    if error.filename is None:
        return f"{reason}: mend that, then run the command again."
    start = f" A path that begins without / starts at {Path.cwd()}." if isinstance(error, FileNotFoundError) else ""
    return f"{error.filename} cannot be used ({reason}): check the path and its permissions.{start}"


@contextmanager
def _warnings_in_a_line(command: str) -> Iterator[None]:
    """In the block, our own warnings are a line without the place in the code."""
    with warnings.catch_warnings():
        others = warnings.showwarning

        def show(message: Warning | str, category: type[Warning], *place: Any, **options: Any) -> None:
            if issubclass(category, DoubtfulTextWarning):
                print(f"quals {command}: warning: {message}", file=sys.stderr)
            else:
                others(message, category, *place, **options)

        warnings.showwarning = show
        yield
