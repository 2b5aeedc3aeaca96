"""Show why a summary scored as it did: its question-answer pairs, least supported by the source first.

A picture (.png, .svg) has the worst three pairs, a page (.html) has all. Two bars per word show how unexpected it is
given the summary (blue) and given the source (orange).

Example: quals explain --source @article.txt --summary "It rained in Bergen." --output why.html
"""

from __future__ import annotations

import argparse
from pathlib import Path

from trainer_ext.cli.options.scorer import add_scorer_arguments, make_scorer, text_argument, text_files

_PAGE_SUFFIXES = (".html", ".htm")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("--source", metavar="TEXT|@FILE", help="source as text, or the file that holds it")
    add("--summary", metavar="TEXT|@FILE", help="summary as text, or the file that holds it")
    add("--example", action="store_true", help="explain a built-in report with a right and a wrong summary instead")
    add(
        "--output",
        action="append",
        default=[],
        type=Path,
        metavar="FILE",
        help="file to write: .html (self-contained), .png or .svg; may be given again",
    )
    add("--dark", action="store_true", help="draw .png and .svg light on dark; pages follow the reader's setting")
    add_scorer_arguments(parser)


def run(arguments: argparse.Namespace) -> None:
    from quals.errors import require_extra

    from trainer_ext.explain.figure import write_figure
    from trainer_ext.explain.terminal import comparison, pair_list
    from trainer_ext.io.atomic import replacing
    from trainer_ext.io.pictures import PICTURE_SUFFIXES
    from trainer_ext.io.tables import check_output
    from trainer_ext.io.terminal import say

    source, summaries = _texts(arguments)
    for path in arguments.output:
        check_output(path, (*_PAGE_SUFFIXES, *PICTURE_SUFFIXES), text_files(arguments))
        if path.suffix.lower() in PICTURE_SUFFIXES:
            require_extra("plot", "matplotlib")
    results = make_scorer(arguments).score([source] * len(summaries), summaries, progress=False)
    if arguments.example:
        say(f"{comparison(results)}\n\nThe last one explained:\n")
    say(pair_list(results[-1]))
    for path in arguments.output:
        if path.suffix.lower() in PICTURE_SUFFIXES:
            write_figure(results[-1], path, arguments.dark)
        else:
            with replacing(path) as file:
                file.write(results[-1].to_html().encode("utf-8"))
        say(f"written to {path}")


def _texts(arguments: argparse.Namespace) -> tuple[str, list[str]]:
    """The source and its summaries; the last summary is explained."""
    given = arguments.source is not None, arguments.summary is not None
    if arguments.example:
        if any(given):
            raise ValueError("--example brings its own texts: leave out --source and --summary.")
        from quals.example_texts import CONSISTENT, INCONSISTENT, SOURCE

        return SOURCE, [CONSISTENT, INCONSISTENT]
    if not all(given):
        raise ValueError("There is nothing to explain: give both --source and --summary, or --example.")
    return text_argument(arguments.source, "--source"), [text_argument(arguments.summary, "--summary")]
