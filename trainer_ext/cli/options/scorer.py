"""The scorer's options, and texts given as arguments, for the commands that score."""

from __future__ import annotations

import argparse
from inspect import signature
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from quals import QualsScorer


def add_scorer_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options that :func:`make_scorer` reads. The choices stand here literally to keep ``--help`` fast."""
    group = parser.add_argument_group("scorer")
    add = group.add_argument
    add("--checkpoint", help="folder or Hub name of a QAGen, or small, a larger one; the embedded one if not given")
    add("--revision", help="branch, tag or commit of a Hub model")
    add("--device", help="device to compute on, such as cuda, mps or cpu; the first that is there if not given")
    add("--dtype", choices=["float32", "bfloat16", "float16"], default="float32", help="type of the computation")
    add("--batch-tokens", type=int, help="most tokens in one pass of the model; 1024 on a CPU, else 32768")
    add("--num-groups", type=int, default=60, help="number of question-answer pairs generated per summary")
    add("--diversity", type=float, default=0.5, help="penalty in nats for a token that an earlier pair chose")
    add("--max-pairs", type=int, default=10, help="most pairs that a summary is scored by")
    add("--min-tokens", type=int, default=8, help="least tokens of a generated pair")
    add("--max-tokens", type=int, default=60, help="most tokens of a generated pair")
    add(
        "--long-sources",
        choices=["windows", "truncate"],
        default="windows",
        help="way to read a long source: all of it in overlapping windows, or its beginning (the paper)",
    )
    add("--max-source-tokens", type=int, help="tokens read of a text, or per window; the model's limit if not given")
    add("--window-overlap", type=int, help="tokens that neighbouring windows share; a quarter of a window if not given")
    add(
        "--weighting",
        choices=["tokens", "answer", "balanced", "information"],
        default="tokens",
        help="mean over all tokens (the paper), over the answer's, or over question and answer alike; or the share of "
        "what the summary tells that the source lacks, negative",
    )


def add_processes_argument(parser: argparse.ArgumentParser) -> None:
    """Add the option ``--processes`` for a command that scores many texts; :func:`make_scorer` reads it."""
    text = "number of processes that score on a CPU; they share its threads and one model in memory"
    parser.add_argument("--processes", type=int, default=1, help=text)


def make_scorer(arguments: argparse.Namespace, chunk: int | None = None) -> QualsScorer:
    """The scorer that the options ask for, with ``chunk`` summaries scored together (None: the scorer's own number).

    Raises:
        ValueError: an option is out of range, or the checkpoint is not a QAGen.
    """
    import transformers
    from quals import QualsScorer

    transformers.logging.disable_progress_bar()  # type: ignore[no-untyped-call,unused-ignore]
    known = signature(QualsScorer).parameters
    return QualsScorer(**{name: value for name, value in vars(arguments).items() if name in known}, chunk=chunk)


def text_argument(value: str, option: str) -> str:
    """A text as given, or the contents of FILE for ``@FILE``; ``@@`` at the beginning stands for one ``@``.

    Raises:
        ValueError: the file cannot be read as UTF-8 text.
    """
    if not value.startswith("@") or value.startswith("@@"):
        return value[1:] if value.startswith("@@") else value
    try:
        return Path(value[1:]).read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        reason = "it is not UTF-8 text" if isinstance(error, UnicodeDecodeError) else error.strerror
        raise ValueError(
            f"{option}: {value[1:]} cannot be read ({reason}); write @@ where a text itself begins with @."
        ) from error


def text_files(arguments: argparse.Namespace) -> list[Path]:
    """The files that ``--source`` and ``--summary`` were read from."""
    values = [value for value in (arguments.source, arguments.summary) if value is not None]
    return [Path(value[1:]) for value in values if value.startswith("@") and not value.startswith("@@")]
