"""Score summaries against their sources: a file of many, a folder of files, or one summary as text.

Scores are in nats per token, and by --weighting information without a unit. Higher is better: QUALS is usually at most
0, and near 0 is consistent. If a long run is killed, start it again with --resume: it goes on where it stopped.
Shards, folders and Ray go on without being told.

Example: quals score summaries.jsonl --source-column document --output scored.jsonl
"""

from __future__ import annotations

import argparse
import math
import statistics
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from trainer_ext.cli.options.engine import add_engine_arguments, engine
from trainer_ext.cli.options.input import FILES, add_hub_arguments, is_of_hub, read_input
from trainer_ext.cli.options.scorer import (
    add_processes_argument,
    add_scorer_arguments,
    make_scorer,
    text_argument,
    text_files,
)
from trainer_ext.io.terminal import say

if TYPE_CHECKING:
    from quals import QualsScorer

    from trainer_ext.io.chunks import Workers
    from trainer_ext.scale.table import Reading, Texts

_LOWEST = 3  # rows named in the table


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("file", nargs="?", type=Path, help=FILES.format("summary") + "; or a folder of such files")
    add(
        "--source-column",
        help="column of the source texts; by default one with a usual name, such as source or document",
    )
    add(
        "--summary-column",
        help="column of the summaries; by default one with a usual name, such as summary or highlights",
    )
    add("--source", metavar="TEXT|@FILE", help="source as text, or the file that holds it; instead of a table")
    add("--summary", metavar="TEXT|@FILE", help="summary as text, or the file that holds it")
    text = "file for the rows with their scores (.jsonl or .parquet), replaced at the end; for a folder, a folder"
    add("--output", type=Path, help=text)
    add("--resume", action="store_true", help="continue a killed run that had the same --output")
    add(
        "--skip-invalid",
        action="store_true",
        help="leave out rows whose source or summary is null or has no words; their scores are null",
    )
    add("--calibration", type=Path, help="file that quals calibrate made; adds the probability of being consistent")
    add("--explain", action="store_true", help="add each row's question-answer pairs")
    add("--token-log-probs", action="store_true", help="add the log-probabilities of each pair's tokens, and the pairs")
    group = parser.add_argument_group("several processes")
    text = "score the I-th of N shares of the rows, or of a folder's files, into a folder that all processes see"
    group.add_argument("--shard", metavar="I/N", help=text)
    group.add_argument("--join", action="store_true", help="put the shards together, once all are done")
    text = "score nothing: count rows, and estimate the time from a first part"
    group.add_argument("--dry-run", action="store_true", help=text)
    add_hub_arguments(parser)
    add_engine_arguments(parser)
    add_processes_argument(parser)
    add_scorer_arguments(parser)


def run(arguments: argparse.Namespace) -> None:
    from quals.errors import OptionError

    from trainer_ext.io.chunks import ALONE
    from trainer_ext.scale.shards import shard

    explain = arguments.explain or arguments.token_log_probs
    is_of_hub(arguments)  # refuses options that are not of this input
    path, output, together = arguments.file, arguments.output, arguments.shard is not None or arguments.join
    if output is None:
        for name in ("resume", "shard", "join"):
            if getattr(arguments, name):
                raise OptionError(f"--{name} continues a run with an --output: give its name.")
    if arguments.shard is not None and arguments.join:
        raise OptionError("--shard makes a part, and --join puts all together: give one after the other.")
    if together and path is None:
        raise OptionError("Shards are of a file or a folder: give one.")
    own = shard(arguments.shard) if arguments.shard is not None else ALONE
    if path is not None and path.is_dir():
        _score_folder(arguments, explain, own)
    else:
        _score_file(arguments, explain, own)


def _score_file(arguments: argparse.Namespace, explain: bool, own: Workers) -> None:
    from trainer_ext.scale.estimate import estimate
    from trainer_ext.scale.rows import ScoreRows, added_columns
    from trainer_ext.scale.shards import joined, note_count, rows_of
    from trainer_ext.scale.table import CHUNK, Scoring, check_writable

    output: Path | None = arguments.output
    texts, inputs = _texts(arguments, _reading(arguments))
    if output is not None:
        calibrated = arguments.calibration is not None
        added = added_columns(explain, arguments.token_log_probs, arguments.weighting, calibrated)
        check_writable(output, texts, added, inputs)
    with engine(arguments) as pool:
        work = ScoreRows(make_scorer(arguments, CHUNK), explain, arguments.token_log_probs)
        scoring, workers = Scoring(texts, work, output), _workers(own, pool, arguments.processes)
        if arguments.dry_run:
            say(_in_columns(estimate([texts], work, workers).lines(pool.size if pool else arguments.processes)))
            return
        store = scoring.store(arguments.resume or own.apart or arguments.join or pool is not None)
        if own.apart and store.folder:
            note_count(store.folder, own)
            name = f"shard {own.rank + 1} of {own.count}"
            results = scoring.run(store, workers, f"Scoring, {name}")
            rows = rows_of(texts, own.share(len(texts.sizes)))
            say(f"{name}: {rows} are scored and kept in {scoring.folder.path}; --join ends it once all shards are done")
            return
        results = joined(texts, store) if arguments.join else scoring.run(store, workers)
    scoring.write(results)
    scoring.folder.remove_used()
    say(_table(results, texts.places, len(texts.rows), work.scorer, output))
    if explain and not output:
        _print_pairs(results, texts.places)


def _score_folder(arguments: argparse.Namespace, explain: bool, own: Workers) -> None:
    from quals.errors import OptionError

    from trainer_ext.io.chunks import ALONE
    from trainer_ext.scale.estimate import estimate
    from trainer_ext.scale.folder import FolderScoring, files_in
    from trainer_ext.scale.rows import ScoreRows
    from trainer_ext.scale.table import CHUNK

    if arguments.output is None and not arguments.dry_run:
        raise OptionError(f"{arguments.file} is a folder: give an --output, a folder for the scored files.")
    if arguments.source is not None or arguments.summary is not None:
        raise OptionError("Give a folder, or --source and --summary, not both.")
    with engine(arguments) as pool:
        work = ScoreRows(make_scorer(arguments, CHUNK), explain, arguments.token_log_probs)
        reading, workers = _reading(arguments), _workers(ALONE, pool, arguments.processes)
        if arguments.dry_run:
            tables = map(reading.read, files_in(arguments.file))
            say(_in_columns(estimate(tables, work, workers).lines(pool.size if pool else arguments.processes)))
            return
        folder = FolderScoring(arguments.file, arguments.output, reading, work)
        done = [] if arguments.join else folder.run(workers, own)
    if own.apart:
        say(f"shard {own.rank + 1} of {own.count} is done (files: {len(done)}); --join ends it once all shards are")
        return
    done = folder.join()
    rows, scored = sum(file["rows"] for file in done), sum(file["scored"] for file in done)
    read = rows - sum(file["left_out"] for file in done)
    lines = [("files", str(len(done))), ("rows", str(rows))]
    lines += [("left out", f"{rows - read} without both texts")] * (rows > read)
    mean = sum(file["mean"] * file["scored"] for file in done if file["scored"]) / scored if scored else math.nan
    lines += [("scored", f"{scored} (coverage {scored / read:.1%})"), ("mean", f"{mean:.4f}{_unit(work.scorer)}")]
    lines += [("signature", work.scorer.signature), ("written to", str(arguments.output))]
    say(_in_columns(lines))


def _workers(own: Workers, pool: Any, processes: int) -> Workers:
    from trainer_ext.io.ahead import ahead

    return ahead(own, processes) if pool is None else replace(own, spread=pool.spread)


def _reading(arguments: argparse.Namespace) -> Reading:
    from trainer_ext.scale.table import Reading

    return Reading(arguments.source_column, arguments.summary_column, arguments.skip_invalid)


def _texts(arguments: argparse.Namespace, reading: Reading) -> tuple[Texts, list[Path]]:
    """What to score, a table's rows or the two texts; and the files that it is read from."""
    from trainer_ext.scale.table import Texts

    path: Path | None = arguments.file
    if path is not None:
        if arguments.source is not None or arguments.summary is not None:
            raise ValueError("Give a file, or --source and --summary, not both.")
        if is_of_hub(arguments):
            rows, inputs = read_input(arguments)
            return reading.texts(rows, path), inputs
        return reading.read(path, all_columns=arguments.output is not None), [path]
    if arguments.source is None or arguments.summary is None:
        raise ValueError("There is nothing to score: give a file, or both --source and --summary.")
    source, summary = text_argument(arguments.source, "--source"), text_argument(arguments.summary, "--summary")
    texts = Texts("the texts given", [{"source": source, "summary": summary}], [0], [source], [summary])
    return texts, text_files(arguments)


def _unit(scorer: QualsScorer) -> str:
    return "" if scorer.weighting == "information" else " nats per token"


def _table(
    results: Sequence[dict[str, Any]], places: Sequence[int], total: int, scorer: QualsScorer, output: Path | None
) -> str:
    """The scores' statistics, for the terminal."""
    scores = sorted(
        (result["quals"], place + 1)
        for place, result in zip(places, results, strict=True)
        if result["quals"] is not None
    )
    values = [score for score, _ in scores]
    lines = [("rows", str(total))]
    if total > len(results):
        first = next(row for row, place in enumerate([*places, -1]) if row != place) + 1
        lines += [("left out", f"{total - len(results)} without both texts (the first is row {first})")]
    lines += [("scored", f"{len(values)} (coverage {len(values) / len(results):.1%})")]
    mean = f"{sum(values) / len(values):.4f}{_unit(scorer)}" if values else "undefined: no row has a pair"
    lines += [("mean", mean)]
    if len(values) > 1:
        low, median, high = statistics.quantiles(values, method="inclusive")
        lines += [("median", f"{median:.4f}"), ("quartiles", f"{low:.4f} to {high:.4f}")]
        lines += [("lowest", ", ".join(f"{score:.4f} (row {number})" for score, number in scores[:_LOWEST]))]
    chances = [result["probability"] for result in results if result.get("probability") is not None]
    if chances:
        lines += [("consistent", f"{sum(chances) / len(chances):.1%}: the mean probability, by the calibration")]
    sources = sum(result["source_truncated"] for result in results)
    windowed = sum(result["source_windows"] > 1 for result in results)
    cut = sum(result["summary_truncated"] for result in results)
    lines += [("truncated", f"{sources} sources, {cut} summaries")]
    if windowed:
        lines += [("windowed", f"{windowed} sources")]
    lines += [("signature", scorer.signature)]
    if output:
        lines += [("written to", str(output))]
    return _in_columns(lines)


def _in_columns(lines: Sequence[tuple[str, str]]) -> str:
    return "\n".join(f"{name:<11}{value}" for name, value in lines)


def _print_pairs(results: Sequence[dict[str, Any]], places: Sequence[int]) -> None:
    from quals.markup import signed
    from quals.words import printable

    for place, result in zip(places, results, strict=True):
        say(f"\nrow {place + 1}: {signed(math.nan if result['quals'] is None else result['quals'])}")
        for pair in sorted(result["pairs"], key=lambda pair: pair["score"]):
            say(f"{signed(pair['score']):>10}  {printable(pair['question'])} -> {printable(pair['answer'])}")
