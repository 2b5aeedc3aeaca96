"""Measure how far QUALS agrees with human judgements, beside two floors that cost nothing.

    python -m benchmarks.agreement FOLDER --sets rank19 bump --limit 100

FOLDER holds one JSON-lines file per set. Scores are kept in --cache, so that a run that was killed goes on.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path

from quals import QualsScorer
from quals.checkpoint import QAGen
from quals.loading import DTYPES

from benchmarks.agreement.aggregations import WEIGHTED
from benchmarks.agreement.cache import ScoreCache, read_manifest, write_manifest
from benchmarks.agreement.data import SPECS, Row, load_set, sets_in
from benchmarks.agreement.disagreements import Disagreement, describe, disagreements, worst
from benchmarks.agreement.evaluation import Figure, evaluate, split_by_origin
from benchmarks.agreement.rivals import RIVALS, Checkpoints, load_rivals, on_common_rows, rival_scores
from benchmarks.agreement.scoring import FLOORS, Policies, known_rows, metric_scores, score_missing
from benchmarks.agreement.table import EXTRA, MAIN, markdown, write_json_lines
from benchmarks.common.command import command_parser, exit_status

_NOTE = (
    "In brackets: 95 % intervals, {resamples:,} resamples of whole documents. Bold: above both floors. "
    "n: rows (pairs for pairwise) with a score, of all."
)


def build_parser() -> argparse.ArgumentParser:
    """The command line."""
    parser = command_parser("benchmarks.agreement", __doc__)
    add = parser.add_argument
    add("folder", type=Path, help="folder with one JSON-lines file per set")
    add(
        "--sets",
        nargs="+",
        metavar="SET",
        help=f"sets, of {', '.join(SPECS)}; without it all in FOLDER",
    )
    add("--limit", type=int, help="most rows per set; without it all of the small sets and 300 of the others")
    add("--seed", type=int, default=0, help="seed of the samples and of the bootstrap")
    add("--resamples", type=int, default=1000, help="number of bootstrap resamples")
    add("--checkpoint", help="folder or Hub name of a QAGen; without it the embedded one")
    add("--device", help="device to compute on; without it the best one")
    add("--dtype", choices=DTYPES, help="type of QUALS's computation; without it the scorer's default")
    add("--batch-tokens", type=int, help="most tokens per pass of the model; without it the scorer's default")
    add("--num-groups", type=int, help="pairs to generate per summary; without it the scorer's default")
    add("--no-windows", action="store_true", help="leave out the second pass, which reads long documents in windows")
    add("--cache", type=Path, default=Path("build/agreement"), help="folder that keeps the rows' scores")
    add("--from-cache", action="store_true", help="load no QAGen, and use only rows that earlier runs scored")
    add(
        "--rivals", nargs="*", choices=RIVALS, default=[], help="other metrics to compare with, in a table of their own"
    )
    add("--questioner", help="question generator of QAGS; without it the embedded one")
    add("--reader", help="reader of QAGS; without it the embedded one")
    add("--pipeline", default="en_core_web_sm", help="spaCy pipeline of QAGS")
    add("--classifier", help="classifier of FactCC; without it the embedded one")
    add("--entailment", help="classifier of natural language inference, for the rival of that name")
    add("--encoder", help="sentence encoder of the cosine")
    add(
        "--by-origin",
        action="store_true",
        help="measure each origin (or kind of error) with 50 rows alone too",
    )
    add(
        "--worst",
        type=int,
        default=0,
        metavar="N",
        help="number of rows to print on which people and QUALS (long sources cut) differ most",
    )
    add("--output", type=Path, help="file for all figures, as JSON lines")
    return parser


def run(arguments: argparse.Namespace) -> list[Figure]:
    """Score what is missing, print the tables, and return the figures.

    Raises:
        ValueError: an option or the data is wrong.
    """
    _check(arguments)
    names = arguments.sets or sets_in(arguments.folder)
    sets = {name: load_set(arguments.folder, name, arguments.limit, arguments.seed) for name in names}
    for name, rows in sets.items():
        if not rows:
            raise ValueError(f"{name} has no rows to score: give another file or a larger --limit.")
    rivals = load_rivals(arguments.rivals, _checkpoints(arguments))
    truncated, windows = _cached(arguments) if arguments.from_cache else _scored(arguments, sets)
    figures: list[Figure] = []
    rival_figures: list[Figure] = []
    differing: dict[str, list[Disagreement]] = {}
    for name, rows in sets.items():
        kind, known = SPECS[name].kind, known_rows(rows, truncated, windows)
        if len(known) < len(rows):
            _say(f"{name}: {len(rows) - len(known)} of {len(rows)} rows are not in the cache and are left out")
        if not known:
            continue
        metrics = metric_scores(known, truncated, windows)
        if rivals:
            compared = {key: metrics[key] for key in (*FLOORS, _quals_column(metrics))}
            compared |= {rival.name: rival_scores(rival, known, arguments.cache, name) for rival in rivals}
            both = on_common_rows(compared)
            rival_figures += evaluate(name, kind, known, both, arguments.resamples, arguments.seed)
        figures += evaluate(name, kind, known, metrics, arguments.resamples, arguments.seed)
        differing[name] = disagreements(name, kind, known, metrics[next(iter(WEIGHTED))])
        if arguments.by_origin:
            for origin, part in split_by_origin(known).items():
                metrics = metric_scores(part, truncated, windows)
                figures += evaluate(f"{name}/{origin}", kind, part, metrics, arguments.resamples, arguments.seed)
    print(markdown(figures, MAIN))
    print(f"\n{_NOTE.format(resamples=arguments.resamples)}")
    windows_signature = None if windows is None else windows.path.stem
    print(f"Scores: {truncated.path.stem}" + (f"; windows: {windows_signature}" if windows_signature else ""))
    if rivals:
        columns = list(dict.fromkeys(figure.metric for figure in rival_figures))
        print(f"\nOther metrics, on the rows that all of them score:\n\n{markdown(rival_figures, columns)}")
        print(f"\nScores: {'; '.join(rival.signature for rival in rivals if rival.signature)}")
    print(f"\nExperiments, which the scorer does not offer:\n\n{markdown(figures, EXTRA, intervals=False)}")
    for item in worst(differing, arguments.worst):
        record = truncated.get(item.row)
        print(f"\n{describe(item, record.pairs if record else ())}")
    if arguments.output is not None:
        run_values = {
            "seed": arguments.seed,
            "resamples": arguments.resamples,
            "signature": truncated.path.stem,
            "windows_signature": windows_signature,
        }
        write_json_lines(figures, arguments.output, run_values)
    return figures


def _quals_column(metrics: Mapping[str, object]) -> str:
    """The column of QUALS's default, or the first one if that was not measured."""
    return MAIN[-1] if MAIN[-1] in metrics else next(iter(WEIGHTED))


def _checkpoints(arguments: argparse.Namespace) -> Checkpoints:
    return Checkpoints(
        arguments.questioner,
        arguments.reader,
        arguments.pipeline,
        arguments.classifier,
        arguments.encoder,
        arguments.entailment,
    )


def _check(arguments: argparse.Namespace) -> None:
    """Refuse before the scoring what would fail after hours of it."""
    for name in ("limit", "resamples", "batch_tokens", "num_groups"):
        value = getattr(arguments, name)
        if value is not None and value < 1:
            raise ValueError(f"--{name.replace('_', '-')} is {value}: give 1 or more.")
    if arguments.from_cache and arguments.checkpoint is not None:
        raise ValueError("--from-cache loads no QAGen, and --checkpoint names one: leave one of them out.")
    if arguments.from_cache and arguments.dtype is not None:
        raise ValueError("--from-cache computes no scores, and --dtype says in which type: leave one of them out.")
    if arguments.from_cache and arguments.num_groups is not None:
        raise ValueError("--from-cache generates no pairs, and --num-groups says how many: leave one of them out.")
    if arguments.worst < 0:
        raise ValueError(f"--worst is {arguments.worst}: give 0 or more.")
    if len(set(arguments.sets or ())) < len(arguments.sets or ()):
        raise ValueError("--sets names a set twice: name each once.")
    if arguments.output is not None and not arguments.output.parent.is_dir():
        raise ValueError(f"{arguments.output} cannot be written, because its folder does not exist: make it first.")


def _cached(arguments: argparse.Namespace) -> tuple[ScoreCache, ScoreCache | None]:
    signatures = read_manifest(arguments.cache)
    windows = None
    if not arguments.no_windows:
        if "windows" not in signatures:
            raise ValueError(f"The scores in {arguments.cache} were made without windows: add --no-windows.")
        windows = ScoreCache(arguments.cache, signatures["windows"])
    return ScoreCache(arguments.cache, signatures["truncate"]), windows


def _scored(arguments: argparse.Namespace, sets: dict[str, list[Row]]) -> tuple[ScoreCache, ScoreCache | None]:
    truncating = _scorer(arguments, arguments.checkpoint, "truncate")
    windowing = None if arguments.no_windows else _scorer(arguments, truncating.qagen, "windows")
    signatures = {"truncate": truncating.signature} | ({"windows": windowing.signature} if windowing else {})
    write_manifest(arguments.cache, signatures)
    truncated = ScoreCache(arguments.cache, truncating.signature)
    windows = ScoreCache(arguments.cache, windowing.signature) if windowing else None
    policies = Policies(truncating, truncated, windowing, windows)
    for name, rows in sets.items():
        count, seconds = score_missing(policies, rows, name)
        speed = f", {seconds / count:.2f} s per row" if count else ""
        _say(f"{name}: {count} of {len(rows)} rows scored in {seconds:.0f} s{speed}")
    return truncated, windows


def _scorer(arguments: argparse.Namespace, checkpoint: str | QAGen | None, policy: str) -> QualsScorer:
    device = None if isinstance(checkpoint, QAGen) else arguments.device
    given = {name: getattr(arguments, name) for name in ("num_groups", "dtype")}
    # This weighting has what all others need.
    return QualsScorer(
        checkpoint,
        device=device,
        **{name: value for name, value in given.items() if value is not None},
        batch_tokens=arguments.batch_tokens,
        long_sources=policy,
        weighting="information",
    )


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def main(argv: Sequence[str] | None = None) -> int:
    """Run; a user's mistake is one line on standard error and exit status 2."""
    arguments = build_parser().parse_args(argv)
    return exit_status("agreement", partial(run, arguments))


if __name__ == "__main__":
    sys.exit(main())
