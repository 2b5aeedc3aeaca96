"""The command ``quals``: one file a subcommand, each imported only when it runs."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from importlib import import_module

_COMMANDS = {
    "score": "score summaries against their sources: a file of them, or one",
    "explain": "show one summary's question-answer pairs in the terminal, as a figure or a page",
    "app": "serve a page to paste a document and a summary into, as the metric's Space does",
    "mine": "sample summaries from a model, score them, select the worst for contrastive training",
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


def build_parser() -> argparse.ArgumentParser:
    """The parser of all subcommands; building it imports neither torch nor transformers."""
    parser = argparse.ArgumentParser(
        prog="quals", description="Score and improve the factual consistency of summaries."
    )
    subparsers = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for name, summary in _COMMANDS.items():
        module = import_module(f"trainer_ext.cli.{name.replace('-', '_')}")
        command = subparsers.add_parser(
            name, help=summary, description=module.__doc__, formatter_class=argparse.ArgumentDefaultsHelpFormatter
        )
        module.add_arguments(command)
        command.set_defaults(run=module.run)
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Run one subcommand. Errors that a user can mend are one line on standard error and exit status 2."""
    words = list(sys.argv[1:] if argv is None else argv)
    arguments = build_parser().parse_args([*_FORMER.get(words[0], words[:1]), *words[1:]] if words else words)
    try:
        arguments.run(arguments)
    except (ValueError, OSError) as error:
        print(f"quals {arguments.command}: {' '.join(str(error).split())}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("\ninterrupted", file=sys.stderr)
        return 130
    return 0
