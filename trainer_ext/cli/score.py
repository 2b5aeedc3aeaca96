"""Score summaries against their sources: a file of many, or one as text.

Scores are in nats per token. Higher is better: QUALS is usually at most 0, and near 0 is consistent. If a long run is
killed, start it again with --resume: it goes on where it stopped.

Example: quals score summaries.jsonl --source-column document --output scored.jsonl
"""

from __future__ import annotations

import argparse
import math
import statistics
from collections.abc import Sequence
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any

from trainer_ext.cli.scorer_options import add_scorer_arguments, make_scorer, text_argument, text_files
from trainer_ext.io.hashing import hash_json
from trainer_ext.io.terminal import say

if TYPE_CHECKING:
    from quals import QualsResult

    from trainer_ext.io.chunks import ChunkStore, WorkFolder
    from trainer_ext.io.tables import Rows

_LOWEST = 3  # rows named in the table
_CHUNK = 32  # rows that are scored together, and lost if the run is killed


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("file", nargs="?", type=Path, help="JSON lines, JSON, CSV, TSV or parquet file with one summary per row")
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
    add("--output", type=Path, help="file for the rows with their scores (.jsonl or .parquet), replaced at the end")
    add("--resume", action="store_true", help="continue a killed run that had the same --output")
    add(
        "--skip-invalid",
        action="store_true",
        help="leave out rows whose source or summary is null or has no words; their scores are null",
    )
    add("--explain", action="store_true", help="add each row's question-answer pairs")
    add("--token-log-probs", action="store_true", help="add the log-probabilities of each pair's tokens, and the pairs")
    add_scorer_arguments(parser)


def run(arguments: argparse.Namespace) -> None:
    from trainer_ext.io.chunks import ALONE, WorkFolder, run_chunks
    from trainer_ext.io.tables import WRITABLE, check_output, check_rows, column_names, write_table

    output: Path | None = arguments.output
    if arguments.resume and output is None:
        raise ValueError("--resume continues a run with an --output: give its name.")
    rows, places, sources, summaries = _read(arguments)
    if output is not None:
        check_output(output, WRITABLE, [arguments.file] if arguments.file else text_files(arguments))
        check_rows(output, rows)
    explain = arguments.explain or arguments.token_log_probs
    features = _features(explain, arguments.token_log_probs)
    taken = [name for name in column_names(rows) if name in features] if output else []
    if taken:
        raise ValueError(f"The input has a column {taken[0]!r} already, which the output adds: rename it in the input.")
    scorer = make_scorer(arguments, _CHUNK)
    work = WorkFolder(output.with_name(output.name + ".partial") if output else None)
    texts = hash_json(sources=list(sources), summaries=list(summaries))
    made_from = {"signature": scorer.signature, "texts": texts, "columns": [explain, arguments.token_log_probs]}
    store = _store(work, made_from, arguments.resume, len(places))

    def score(number: int) -> list[dict[str, Any]]:
        part = slice(number * _CHUNK, (number + 1) * _CHUNK)
        scored = scorer.score(sources[part], summaries[part], progress=False)
        return [_columns(result, explain, arguments.token_log_probs) for result in scored]

    sizes = [min(_CHUNK, len(places) - first) for first in range(0, len(places), _CHUNK)]
    results = list(chain.from_iterable(run_chunks(store, sizes, score, ALONE, "Scoring", unit="row")))
    if output:
        added: dict[str, list[Any]] = {name: [None] * len(rows) for name in features}
        for place, result in zip(places, results, strict=True):
            for name in features:
                added[name][place] = result[name]
        write_table(output, rows, added, features)
        work.remove_used()
    say(_table(results, places, len(rows), scorer.signature, output))
    if explain and not output:
        _print_pairs(results, places)


def _read(arguments: argparse.Namespace) -> tuple[Rows, list[int], list[str], list[str]]:
    """All rows, the places of those to score, and their texts."""
    from quals.rows import REFERENCE_COLUMNS, SOURCE_COLUMNS

    from trainer_ext.io.tables import named_column, read_table, rows_with_texts, text_column

    path: Path | None = arguments.file
    if path is not None:
        if arguments.source is not None or arguments.summary is not None:
            raise ValueError("Give a file, or --source and --summary, not both.")
        given = (arguments.source_column, arguments.summary_column)
        rows = read_table(path, None if arguments.output or None in given else given)
        columns = (
            named_column(rows, given[0], SOURCE_COLUMNS, "--source-column", path),
            named_column(rows, given[1], REFERENCE_COLUMNS, "--summary-column", path),
        )
        places, scored = list(range(len(rows))), rows
        if arguments.skip_invalid:
            places = rows_with_texts(rows, columns) or places  # where there is none, the first says what is wrong
            scored = [rows[place] for place in places]
        sources = text_column(scored, columns[0], "--source-column", path)
        return rows, places, sources, text_column(scored, columns[1], "--summary-column", path)
    if arguments.source is None or arguments.summary is None:
        raise ValueError("There is nothing to score: give a file, or both --source and --summary.")
    source, summary = text_argument(arguments.source, "--source"), text_argument(arguments.summary, "--summary")
    return [{"source": source, "summary": summary}], [0], [source], [summary]


def _store(work: WorkFolder, made_from: dict[str, Any], resume: bool, total: int) -> ChunkStore:
    """The store of what was made from just this.

    Raises:
        ValueError: an earlier run finished some rows without ``resume``, or rows of other work.
    """
    from trainer_ext.io.chunks import ALONE

    before = {path.parent for path in work.path.glob("*/chunk-*.json")} if work.path else set()
    store = work.open("scores", made_from, ALONE)
    if before - {store.folder}:
        raise ValueError(
            f"{work.path} holds results of another run, with other texts, settings or columns: repeat that run with "
            "--resume, give this one another --output, or delete the folder."
        )
    kept = min(total, _CHUNK * len(list(store.folder.glob("chunk-*.json")))) if store.folder else 0
    if kept and not resume:
        raise ValueError(
            f"{work.path} holds {kept} of {total} rows of an unfinished run: add --resume to continue it, or delete "
            "the folder to start anew."
        )
    return store


def _columns(result: QualsResult, explain: bool, token_log_probs: bool) -> dict[str, Any]:
    values = result.to_dict(token_log_probs)
    pairs = values.pop("pairs")
    columns = {"quals": values.pop("score"), **values}
    return {**columns, "pairs": pairs} if explain else columns


def _features(explain: bool, token_log_probs: bool) -> dict[str, Any]:
    """The added columns, in order, with their types in parquet."""
    from datasets import Value

    numbers = [Value("float64")]
    pair: dict[str, Any] = {"question": Value("string"), "answer": Value("string")}
    pair |= {"start": Value("int64"), "end": Value("int64"), "score": Value("float64")}
    pair |= {"log_likelihood_summary": Value("float64"), "log_likelihood_source": Value("float64")}
    if token_log_probs:
        pair |= {"tokens": [Value("string")]}
        pair |= {"token_log_probs_summary": numbers, "token_log_probs_source": numbers}
        pair |= {"answer_tokens": Value("int64")}
    columns: dict[str, Any] = {"quals": Value("float64"), "num_pairs": Value("int64")}
    columns |= {"source_windows": Value("int64"), "source_truncated": Value("bool"), "summary_truncated": Value("bool")}
    return columns | ({"pairs": [pair]} if explain else {})


def _table(
    results: Sequence[dict[str, Any]], places: Sequence[int], total: int, signature: str, output: Path | None
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
    mean = f"{sum(values) / len(values):.4f} nats per token" if values else "undefined: no row has a pair"
    lines += [("mean", mean)]
    if len(values) > 1:
        low, median, high = statistics.quantiles(values, method="inclusive")
        lines += [("median", f"{median:.4f}"), ("quartiles", f"{low:.4f} to {high:.4f}")]
        lines += [("lowest", ", ".join(f"{score:.4f} (row {number})" for score, number in scores[:_LOWEST]))]
    sources = sum(result["source_truncated"] for result in results)
    windowed = sum(result["source_windows"] > 1 for result in results)
    cut = sum(result["summary_truncated"] for result in results)
    lines += [("truncated", f"{sources} sources, {cut} summaries")]
    if windowed:
        lines += [("windowed", f"{windowed} sources")]
    lines += [("signature", signature)]
    if output:
        lines += [("written to", str(output))]
    return "\n".join(f"{name:<11}{value}" for name, value in lines)


def _print_pairs(results: Sequence[dict[str, Any]], places: Sequence[int]) -> None:
    from quals.markup import signed
    from quals.words import printable

    for place, result in zip(places, results, strict=True):
        say(f"\nrow {place + 1}: {signed(math.nan if result['quals'] is None else result['quals'])}")
        for pair in sorted(result["pairs"], key=lambda pair: pair["score"]):
            say(f"{signed(pair['score']):>10}  {printable(pair['question'])} -> {printable(pair['answer'])}")
