"""Show why a summary scored as it did: its question-answer pairs, those first that the source supports least.

A pair's bars show how probable each of its tokens is under the summary (blue) and under the source (orange).
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from trainer_ext.cli.scorer_options import add_scorer_arguments, make_scorer, text_argument, text_files

if TYPE_CHECKING:
    from trainer_ext.explain import Explanation


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("--source", metavar="TEXT|@FILE", help="the source")
    add("--summary", metavar="TEXT|@FILE", help="its summary")
    add("--example", action="store_true", help="instead: a boxing report, a right summary and a wrong one")
    add(
        "--output",
        action="append",
        default=[],
        type=Path,
        metavar="FILE",
        help=".html (self-contained), .png or .svg; may be given again",
    )
    add_scorer_arguments(parser)


def run(arguments: argparse.Namespace) -> None:
    from trainer_ext.explain import Explanation
    from trainer_ext.explain.figure import FIGURE_SUFFIXES, require_matplotlib
    from trainer_ext.explain.page import PAGE_SUFFIXES
    from trainer_ext.explain.terminal import pair_list
    from trainer_ext.io.tables import check_output
    from trainer_ext.io.terminal import say

    source, summaries = _texts(arguments)
    for path in arguments.output:
        check_output(path, (*PAGE_SUFFIXES, *FIGURE_SUFFIXES), text_files(arguments))
        if path.suffix.lower() in FIGURE_SUFFIXES:
            require_matplotlib()
    scorer = make_scorer(arguments)
    results = scorer.score([source] * len(summaries), summaries, progress=False)
    if arguments.example:
        say(_comparison(source, list(zip(summaries, (result.score for result in results), strict=True))))
    explanation = Explanation(source, summaries[-1], results[-1], scorer.signature)
    say(pair_list(explanation))
    for path in arguments.output:
        _write(explanation, path)
        say(f"written to {path}")


def _write(explanation: Explanation, path: Path) -> None:
    from trainer_ext.explain.figure import FIGURE_SUFFIXES, write_figure
    from trainer_ext.explain.page import write_page

    (write_figure if path.suffix.lower() in FIGURE_SUFFIXES else write_page)(explanation, path)


def _texts(arguments: argparse.Namespace) -> tuple[str, list[str]]:
    """The source and its summaries, of which the last is explained."""
    given = arguments.source is not None, arguments.summary is not None
    if arguments.example:
        if any(given):
            raise ValueError("--example brings its own texts: leave out --source and --summary.")
        from quals.example_texts import CONSISTENT, INCONSISTENT, SOURCE

        return SOURCE, [CONSISTENT, INCONSISTENT]
    if not all(given):
        raise ValueError("There is nothing to explain: give both --source and --summary, or --example.")
    return text_argument(arguments.source, "--source"), [text_argument(arguments.summary, "--summary")]


def _comparison(source: str, scored: list[tuple[str, float]]) -> str:
    """The example's texts and scores."""
    import shutil

    from quals.markup import signed

    from trainer_ext.io.terminal import wrap

    width = max(40, shutil.get_terminal_size().columns)
    lines = ["Source:", *(f"  {line}" for line in wrap(source, width - 2)), "", "Two summaries of it, and their QUALS:"]
    for summary, score in scored:
        first, *others = wrap(summary, width - 12)
        lines += [f"{signed(score):>10}  {first}", *(f"{'':12}{line}" for line in others)]
    return "\n".join([*lines, "", "The last one explained:", ""])
