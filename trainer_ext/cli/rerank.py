"""Sample several summaries of each document from a summarizer, score them, and keep the best, without any training.

All rows stay, with the columns best_candidate, best_score, candidates and candidate_scores. If the run is killed, start
it again with the same arguments: it goes on where it stopped.

Example: quals rerank articles.jsonl --model my-summarizer --output reranked.jsonl
"""

from __future__ import annotations

import argparse
import math
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from trainer_ext.cli.options.field import add_fields, from_options
from trainer_ext.cli.options.input import FILES, add_hub_arguments, read_input
from trainer_ext.cli.options.sampling import add_sampling_arguments
from trainer_ext.cli.options.scorer import add_processes_argument, add_scorer_arguments, make_scorer
from trainer_ext.io.terminal import say
from trainer_ext.options import MiningOptions

if TYPE_CHECKING:
    from trainer_ext.rerank import Best


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("file", type=Path, help=FILES.format("document"))
    add("--output", type=Path, required=True, help=".jsonl or .parquet file for the rows, written at the end")
    add("--source-column", help="column of the source texts; found by its name (source, document, ...) if not given")
    text = "column of reference summaries, which --ranker rouge compares with; not read for others"
    add("--reference-column", help=text)
    add("--mining-folder", type=Path, help="folder of the finished work until the end; OUTPUT.mining if not given")
    add("--seed", type=int, default=42, help="random seed of the samples")
    add_fields(parser, MiningOptions, {"ranker": None})
    add_hub_arguments(parser)
    add_sampling_arguments(parser.add_argument_group("model and sampling"))
    add_processes_argument(parser)
    add_scorer_arguments(parser)


def run(arguments: argparse.Namespace) -> None:
    if arguments.model is None:  # said before the imports, which take seconds
        raise ValueError("--model is not given: name the summarizer to sample from.")
    import datasets
    from quals.errors import DataError
    from quals.rows import REFERENCE_COLUMNS, SOURCE_COLUMNS

    from trainer_ext.arguments import make_sampling
    from trainer_ext.io.tables import (
        WRITABLE,
        check_output,
        check_rows,
        column_names,
        named_column,
        text_column,
        write_table,
    )
    from trainer_ext.mining import WorkFolder
    from trainer_ext.rerank import best_of, columns_of

    path, options = arguments.file, from_options(arguments, MiningOptions)
    sampling = make_sampling(options, arguments.seed, arguments.generation_max_length)
    rows, inputs = read_input(arguments)
    check_output(arguments.output, WRITABLE, inputs)
    check_rows(arguments.output, rows)
    taken = [name for name in columns_of([])[0] if name in column_names(rows)]
    if taken:
        raise DataError(f"{path} has a column {taken[0]!r} already, which the output adds: rename it in the input.")
    source = named_column(rows, arguments.source_column, SOURCE_COLUMNS, "--source-column", path)
    sources, references = text_column(rows, source, "--source-column", path), None
    if arguments.ranker == "rouge":
        option = "--reference-column"
        references = text_column(
            rows, named_column(rows, arguments.reference_column, REFERENCE_COLUMNS, option, path), option, path
        )
    datasets.disable_progress_bars()
    folder = arguments.mining_folder or arguments.output.parent / (arguments.output.name + ".mining")
    work = WorkFolder(folder)
    work.require_writable()
    best = best_of(
        arguments.model,
        sources,
        sampling.num_candidates,
        make_scorer(arguments) if arguments.ranker == "quals" else arguments.ranker,
        references=references,
        sampling=sampling,
        source_prefix=arguments.mining_source_prefix,
        max_source_length=arguments.max_source_length,
        device=arguments.device,
        folder=work,
    )
    columns, features = columns_of(best)
    write_table(arguments.output, rows, columns, features)
    work.remove_used()
    say(_table(best, arguments.output))


def _table(best: Sequence[Best], output: Path) -> str:
    """What was gained, for the terminal."""
    lines = [("documents", str(len(best)))]
    empty = sum(one.place is None for one in best)
    if empty:
        lines += [("left empty", f"{empty} documents without words")]
    alone = [score for one in best for score in one.scores if not math.isnan(score)]
    chosen = [one.score for one in best if not math.isnan(one.score)]
    lines += [("with a score", f"{len(chosen)} documents, {len(alone)} candidates")]
    if alone:
        means = f"{sum(chosen) / len(chosen):.4f}, of all samples {sum(alone) / len(alone):.4f}"
        lines += [("mean of best", means)]
    lines += [("written to", str(output))]
    return "\n".join(f"{name:<13}{value}" for name, value in lines)
