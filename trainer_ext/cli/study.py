"""A blinded study of two systems' summaries by people, side by side: create it, serve it, report on it.

Raters judge which of two summaries of a document is more factually consistent, more informative and more correct in its
grammar, or that they are equal. Order and sides are random and balanced for each rater, some items check attention, and
every click is on disk before it shows as saved.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from trainer_ext.io.terminal import say

_PORT = 8040


def add_arguments(parser: argparse.ArgumentParser) -> None:
    commands = parser.add_subparsers(dest="step", required=True, metavar="STEP", help="what to do")
    for name, (summary, add_options, _) in _STEPS.items():
        add_options(
            commands.add_parser(
                name, help=summary, description=summary, formatter_class=argparse.ArgumentDefaultsHelpFormatter
            )
        )


def run(arguments: argparse.Namespace) -> None:
    _STEPS[arguments.step][2](arguments)


def _create_options(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("first", type=Path, metavar="A", help="the first system's summaries: JSON lines, CSV or parquet, one a row")
    add("second", type=Path, metavar="B", help="the second system's, of the same documents")
    add("--documents", type=Path, help="a table of the source texts, where A and B lack them")
    add("--source-column", default="source", help="the column of source texts")
    add("--summary-column", default="summary", help="the column of summaries, in A and in B")
    add("--id-column", help="the column that rows are matched by; without it the source text, or id with --documents")
    add("--names", nargs=2, metavar=("A", "B"), help="the systems' names in the report; without it the files'")
    add("--items", type=int, help="documents to draw; without it all")
    add("--checks", type=int, default=4, help="attention checks among them")
    add("--raters", type=int, default=2, help="how many people judge; an even number balances the sides of each item")
    add("--seed", type=int, default=0, help="of the draw, the orders and the sides")
    add("--output", type=Path, default=Path("study.sqlite"), help="the study's file; never overwritten")


def _create(arguments: argparse.Namespace) -> None:
    from trainer_ext.io.tables import check_output
    from trainer_ext.study.items import draw_items
    from trainer_ext.study.pairing import Columns, read_pairs
    from trainer_ext.study.plan import make_plan
    from trainer_ext.study.store import SUFFIXES, already, create_study

    output: Path = arguments.output
    documents: Path | None = arguments.documents
    inputs = [arguments.first, arguments.second, *([documents] if documents else [])]
    check_output(output, SUFFIXES, inputs)
    if output.exists():
        raise ValueError(already(output))
    if arguments.raters < 1:
        raise ValueError(f"--raters is {arguments.raters}: give 1 or more.")
    systems = _names(arguments)
    identifier = arguments.id_column or ("id" if documents else None)
    columns = Columns(arguments.source_column, arguments.summary_column, identifier)
    pairs = read_pairs(arguments.first, arguments.second, documents, columns)
    items = draw_items(pairs, arguments.items, arguments.checks, arguments.seed)
    plans = [make_plan(items, rater, arguments.seed) for rater in range(arguments.raters)]
    tokens = create_study(output, items, plans, systems, arguments.seed)
    drawn = [item for item in items if item.kind == "pair"]
    same = sum(item.summaries[0].split() == item.summaries[1].split() for item in drawn)
    lines = [("documents", f"{len(drawn)} of {len(pairs)}" + (f", {same} with identical summaries" if same else ""))]
    lines += [("checks", str(len(items) - len(drawn))), ("systems", f"{systems[0]} against {systems[1]}")]
    lines += [("written to", str(output))]
    say("\n".join(f"{name:<12}{value}" for name, value in lines))
    say("\nOne link for each rater, shown only now. The part before # is that of `quals study serve`:")
    say("\n".join(f"{name:<12}{_link(token)}" for name, token in tokens.items()))


def _link_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("study", type=Path, help="the study's file")
    parser.add_argument("rater", help="whose link; its name, e.g. rater-1")


def _renew(arguments: argparse.Namespace) -> None:
    from contextlib import closing

    from trainer_ext.study.store import Study

    with closing(Study(arguments.study)) as study:
        say(f"{arguments.rater:<12}{_link(study.renew_token(arguments.rater))}")


def _serve_options(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("study", type=Path, help="the study's file")
    add("--host", default="127.0.0.1", help="address to listen on; one that others can reach needs --allow-remote")
    add("--port", type=int, default=_PORT, help="0 takes any free one")
    add("--allow-remote", action="store_true", help="let other machines connect; the traffic is not encrypted")
    add(
        "--hostname",
        action="append",
        default=[],
        help="a name in raters' links, e.g. of a proxy that passes on the Host header; may be given again",
    )


def _serve(arguments: argparse.Namespace) -> None:
    from contextlib import closing

    from trainer_ext.study import require
    from trainer_ext.study.store import Study

    require("starlette", "uvicorn")
    from trainer_ext.study.server import is_loopback, serve

    remote = not is_loopback(arguments.host)
    if remote and not arguments.allow_remote:
        raise ValueError(f"--host {arguments.host} lets other machines connect: add --allow-remote if that is meant.")
    if remote:
        print(
            "Warning: other machines can connect, and texts, links and answers travel unencrypted. Put a proxy that "
            "speaks HTTPS before this server, or use it in a network that you trust.",
            file=sys.stderr,
        )

    def ready(address: str) -> None:
        say(f"{arguments.study} is served at {address}, with each rater's #... behind it. Ctrl-C ends it.")
        sys.stdout.flush()

    with closing(Study(arguments.study)) as study:
        serve(study, arguments.host, arguments.port, arguments.hostname, ready)


def _report_options(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("study", type=Path, help="the study's file; it may be in use")
    add("--json", type=Path, help=".json: all numbers")
    add("--figure", type=Path, help=".png or .svg: the table as bars")
    add("--least-passed", type=float, default=0.75, help="share of the attention checks that a rater must pass")
    add("--exclude-failed", action="store_true", help="leave out the raters who did not")
    add("--resamples", type=int, default=1000, help="of the bootstrap, for the intervals")
    add("--seed", type=int, default=0, help="of the bootstrap")


def _report(arguments: argparse.Namespace) -> None:
    from contextlib import closing

    from trainer_ext.io.atomic import json_line, replacing
    from trainer_ext.io.tables import check_output
    from trainer_ext.study import require
    from trainer_ext.study.store import Study

    require("scipy", "krippendorff")
    from trainer_ext.study.figure import FIGURE_SUFFIXES, write_figure
    from trainer_ext.study.report import make_report, markdown

    if arguments.json:
        check_output(arguments.json, [".json"], [arguments.study])
    if arguments.figure:
        check_output(arguments.figure, FIGURE_SUFFIXES, [arguments.study])
        require("matplotlib")
    with closing(Study(arguments.study)) as study:
        settings, rows = study.everything()
    report = make_report(
        settings,
        rows,
        least_passed=arguments.least_passed,
        exclude_failed=arguments.exclude_failed,
        resamples=arguments.resamples,
        seed=arguments.seed,
    )
    if arguments.json:
        with replacing(arguments.json) as file:
            file.write(json_line(report.to_dict()))
    if arguments.figure:
        write_figure(report, arguments.figure)
    say(markdown(report))


def _names(arguments: argparse.Namespace) -> tuple[str, str]:
    """The systems' names.

    Raises:
        ValueError: they are the same or blank.
    """
    first, second = arguments.names or (arguments.first.stem, arguments.second.stem)
    if first == second or not first.strip() or not second.strip():
        raise ValueError(f"The systems would be called {first!r} and {second!r}: give two names by --names.")
    return first, second


def _link(token: str) -> str:
    return f"http://127.0.0.1:{_PORT}/#{token}"


_STEPS = {
    "create": (
        "draw documents, blind and balance them for each rater, and print the raters' links",
        _create_options,
        _create,
    ),
    "serve": ("show a study to raters' browsers and save their answers", _serve_options, _serve),
    "report": ("what raters found: tables as Markdown, and a figure and JSON if asked for", _report_options, _report),
    "link": ("give a rater a new link in place of a lost one", _link_options, _renew),
}
