"""A blinded study of two systems' summaries by people, side by side: create it, serve it, report on it.

Raters judge which of two summaries of a document is more factually consistent, more informative and more correct in its
grammar, or that they are equal. Order and sides are random and balanced for each rater, some items check attention, and
every click is on disk before it shows as saved.

Example: quals study create ours.jsonl theirs.jsonl --items 40 --raters 2
"""

from __future__ import annotations

import argparse
import sys
from contextlib import closing
from pathlib import Path

from trainer_ext.io.terminal import say
from trainer_ext.study import PORT

_CREATE = "draw documents, blind and balance them for each rater, and print the raters' links"
_SERVE = "show a study to raters' browsers and save their answers"
_REPORT = "report what raters said: tables as Markdown, and a picture and JSON if asked for"
_LINK = "give a rater a new link in place of a lost one"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    steps = parser.add_subparsers(dest="step", required=True, metavar="STEP", help="step to take")

    def step(name: str, summary: str) -> argparse.ArgumentParser:
        return steps.add_parser(name, help=summary, description=summary, formatter_class=parser.formatter_class)

    add = step("create", _CREATE).add_argument
    add("first", type=Path, metavar="A", help="table of the first system's summaries, one per row")
    add("second", type=Path, metavar="B", help="table of the second system's summaries of the same documents")
    add("--documents", type=Path, help="table of the source texts, if A and B lack them")
    add("--source-column", help="column of the source texts; by default one with a usual name, such as document")
    add("--summary-column", help="column of the summaries in A and in B; by default summary or prediction")
    text = "column that rows are matched by; the source text if not given, or id with --documents"
    add("--id-column", help=text)
    add("--names", nargs=2, metavar=("A", "B"), help="names of the systems in the report; the files' if not given")
    add("--items", type=int, help="number of documents to draw; all if not given")
    add("--checks", type=int, default=4, help="number of attention checks among them")
    add("--raters", type=int, default=2, help="number of raters; an even number balances the sides of each item")
    add("--seed", type=int, default=0, help="random seed of the draw, the orders and the sides")
    add("--port", type=int, default=PORT, help="port in the raters' links; `quals study serve` then listens on it")
    add("--output", type=Path, default=Path("study.sqlite"), help="file for the study; it is never overwritten")

    add = step("serve", _SERVE).add_argument
    add("study", type=Path, help="file of the study")
    add("--host", default="127.0.0.1", help="address to listen on; one that others can reach needs --allow-remote")
    add("--port", type=int, help="port to listen on; the study's if not given, any free one if 0")
    add("--allow-remote", action="store_true", help="let other machines connect; the traffic is not encrypted")
    text = "name in raters' links, such as that of a proxy that passes on the Host header; may be given again"
    add("--hostname", action="append", default=[], help=text)

    add = step("report", _REPORT).add_argument
    add("study", type=Path, help="file of the study; it may be in use")
    add("--json", type=Path, help="file for all numbers (.json)")
    add("--figure", type=Path, help="file for a picture (.png or .svg)")
    add("--least-passed", type=float, default=0.75, help="share of the attention checks that a rater must pass")
    add("--exclude-failed", action="store_true", help="leave out the raters who passed fewer")
    add("--resamples", type=int, default=1000, help="number of bootstrap resamples for the intervals")
    add("--seed", type=int, default=0, help="random seed of the bootstrap")

    add = step("link", _LINK).add_argument
    add("study", type=Path, help="file of the study")
    add("rater", help="name of the rater, such as rater-1")


def run(arguments: argparse.Namespace) -> None:
    {"create": _create, "serve": _serve, "report": _report, "link": _link}[arguments.step](arguments)


def _create(arguments: argparse.Namespace) -> None:
    from trainer_ext.io.tables import check_output
    from trainer_ext.study.items import draw_items
    from trainer_ext.study.pairing import Columns, read_pairs
    from trainer_ext.study.plan import make_plan
    from trainer_ext.study.store import SUFFIXES, already, create_study

    output: Path = arguments.output
    documents: Path | None = arguments.documents
    check_output(output, SUFFIXES, [arguments.first, arguments.second, *([documents] if documents else [])])
    if output.exists():
        raise ValueError(already(output))
    if arguments.raters < 1:
        raise ValueError(f"--raters is {arguments.raters}: give 1 or more.")
    if not 1 <= arguments.port <= 65535:
        raise ValueError(f"--port is {arguments.port}: give 1 to 65535, because the raters' links name it.")
    systems = _names(arguments)
    identifier = arguments.id_column or ("id" if documents else None)
    columns = Columns(arguments.source_column, arguments.summary_column, identifier)
    pairs = read_pairs(arguments.first, arguments.second, documents, columns)
    items = draw_items(pairs, arguments.items, arguments.checks, arguments.seed)
    plans = [make_plan(items, rater, arguments.seed) for rater in range(arguments.raters)]
    tokens = create_study(output, items, plans, systems, arguments.seed, arguments.port)
    drawn = [item for item in items if item.kind == "pair"]
    same = sum(item.summaries[0].split() == item.summaries[1].split() for item in drawn)
    lines = [("documents", f"{len(drawn)} of {len(pairs)}" + (f", {same} with identical summaries" if same else ""))]
    lines += [("checks", str(len(items) - len(drawn))), ("systems", f"{systems[0]} against {systems[1]}")]
    lines += [("written to", str(output))]
    say("\n".join(f"{name:<12}{value}" for name, value in lines))
    say(f"\nOne link per rater, shown only now. They work while `quals study serve {output}` runs:")
    say("\n".join(f"{name:<12}{_address(arguments.port, token)}" for name, token in tokens.items()))


def _serve(arguments: argparse.Namespace) -> None:
    from quals.errors import require_extra

    require_extra("study", "starlette", "uvicorn")
    from trainer_ext.study.server import is_loopback, serve
    from trainer_ext.study.store import Study

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
        say(f"{arguments.study} is served at {address}; a rater's link adds the part from # on. Ctrl-C ends it.")
        sys.stdout.flush()

    with closing(Study(arguments.study)) as study:
        port = study.port if arguments.port is None else arguments.port
        serve(study, arguments.host, port, arguments.hostname, ready)


def _report(arguments: argparse.Namespace) -> None:
    from quals.errors import require_extra

    from trainer_ext.io.atomic import json_line, replacing
    from trainer_ext.io.tables import check_output
    from trainer_ext.study.store import Study

    require_extra("study", "scipy", "krippendorff", *(["matplotlib"] if arguments.figure else []))
    from trainer_ext.io.pictures import PICTURE_SUFFIXES
    from trainer_ext.study.figure import write_figure
    from trainer_ext.study.report import make_report, markdown

    if arguments.json:
        check_output(arguments.json, [".json"], [arguments.study])
    if arguments.figure:
        check_output(arguments.figure, PICTURE_SUFFIXES, [arguments.study])
    with closing(Study(arguments.study)) as study:
        settings, rows = study.everything()
    names = ("least_passed", "exclude_failed", "resamples", "seed")
    report = make_report(settings, rows, **{name: getattr(arguments, name) for name in names})
    if arguments.json:
        with replacing(arguments.json) as file:
            file.write(json_line(report.to_dict()))
    if arguments.figure:
        write_figure(report, arguments.figure)
    say(markdown(report))


def _link(arguments: argparse.Namespace) -> None:
    from trainer_ext.study.store import Study

    with closing(Study(arguments.study)) as study:
        say(f"{arguments.rater:<12}{_address(study.port, study.renew_token(arguments.rater))}")


def _names(arguments: argparse.Namespace) -> tuple[str, str]:
    """The systems' names.

    Raises:
        ValueError: they are the same or blank.
    """
    first, second = arguments.names or (arguments.first.stem, arguments.second.stem)
    if first == second or not first.strip() or not second.strip():
        raise ValueError(f"The systems would be called {first!r} and {second!r}: give two names by --names.")
    return first, second


def _address(port: int, token: str) -> str:
    return f"http://127.0.0.1:{port}/#{token}"
