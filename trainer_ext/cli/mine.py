"""Sample summaries from a fine-tuned summarizer, score them, and select documents and their worst samples for training.

With a decoder-only model the output holds preference pairs for TRL: prompt, chosen and rejected, in the conversational
form where the model has a chat template; the rule is per_document if none is given.

If the run is killed, start it again with the same arguments: it goes on where it stopped.

Example: quals mine articles.jsonl --model my-summarizer --output mined.jsonl
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from trainer_ext.cli.options.engine import add_engine_arguments, engine
from trainer_ext.cli.options.field import add_fields, from_options
from trainer_ext.cli.options.input import FILES, add_hub_arguments, read_input
from trainer_ext.cli.options.sampling import add_sampling_arguments
from trainer_ext.cli.options.scorer import add_processes_argument, add_scorer_arguments, make_scorer
from trainer_ext.io.terminal import say
from trainer_ext.options import STEPS, MiningOptions

if TYPE_CHECKING:
    from trainer_ext.io.chunks import Spread

_MEASURED = 16  # documents that a dry run mines, twice
# The trainer's fields that are options here too, each with the option's earlier name.
_SELECTION = {
    "ranker": None,
    "selection": "--rule",
    "selection_fraction": "--fraction",
    "selection_margin": "--margin",
    "selection_num_extremes": "--num-positives",
    "selection_references": None,
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("file", type=Path, help=FILES.format("document"))
    add("--output", type=Path, required=True, help=".jsonl or .parquet file for the selected rows, written at the end")
    add("--source-column", help="column of the source texts; found by its name (source, document, ...) if not given")
    add("--reference-column", help="column of the reference summaries; found by its name (summary, ...) if not given")
    add("--no-reference", action="store_true", help="declare that the file has no reference summaries")
    add("--steps", default=",".join(STEPS), help="steps to do; the file must have the columns of the ones before")
    add("--dry-run", action="store_true", help="mine nothing: count documents, and estimate the time from a few")
    add("--mining-folder", type=Path, help="folder of the finished work until the end; OUTPUT.mining if not given")
    add("--work-dir", type=Path, help=argparse.SUPPRESS)  # the old option: a folder around OUTPUT.mining
    add_hub_arguments(parser)
    group = parser.add_argument_group("model and sampling")
    add_sampling_arguments(group)
    text = "most tokens of a reference; what the model reads if not given"
    group.add_argument("--max-target-length", type=int, help=text)
    group.add_argument("--seed", type=int, default=42, help="random seed of the samples and of --max-mined-documents")
    add_fields(group, MiningOptions, {"max_mined_documents": "--max-documents"})
    group = parser.add_argument_group("ranker and selection")
    add_fields(group, MiningOptions, _SELECTION)
    text = "number of worst samples that a document keeps, or 'all'"
    group.add_argument("--num-negatives", type=_count_or_all, default=1, help=text)
    add_engine_arguments(parser)
    add_processes_argument(parser)
    add_scorer_arguments(parser)
    parser.add_argument("--ranker-checkpoint", dest="checkpoint", default=argparse.SUPPRESS, help=argparse.SUPPRESS)


def run(arguments: argparse.Namespace) -> None:
    steps = [name.strip() for name in arguments.steps.split(",")]
    if arguments.dry_run and not {"sample", "score"} & set(steps):
        raise ValueError("--dry-run estimates sampling and scoring, and --steps has neither: leave --dry-run out.")
    if "sample" in steps and arguments.model is None:  # said before the imports, which take seconds
        raise ValueError("--model is not given: name the summarizer to sample from, or leave sample out of --steps.")
    with engine(arguments) as pool:
        _mine(arguments, steps, pool)


def _mine(arguments: argparse.Namespace, steps: Sequence[str], pool: Any) -> None:
    import datasets
    from quals.rows import REFERENCE_COLUMNS, SOURCE_COLUMNS

    from trainer_ext.arguments import ContrastiveOptions, make_sampling, make_selection
    from trainer_ext.io.tables import WRITABLE, check_output, check_rows, named_column, write_table
    from trainer_ext.mining import Workers, WorkFolder, mine, random_documents, select_candidates
    from trainer_ext.mining.columns import CANDIDATES
    from trainer_ext.mining.generation import is_decoder_only
    from trainer_ext.mining.preparation import checked_steps
    from trainer_ext.mining.prompts import pair_selection, preference_pairs
    from trainer_ext.mining.summarizer import load_summarizer
    from trainer_ext.mining.table import REFERENCE, SOURCE, MiningTable, with_tokens

    output, options = Path(arguments.output), from_options(arguments, ContrastiveOptions)
    sampling = make_sampling(options, arguments.seed, arguments.generation_max_length)
    selection = replace(make_selection(options), num_negatives=arguments.num_negatives)
    ordered, (rows, inputs) = checked_steps(steps), read_input(arguments)
    check_output(output, WRITABLE, inputs)
    check_rows(output, rows)
    source = named_column(rows, arguments.source_column, SOURCE_COLUMNS, "--source-column", arguments.file)
    reference = None
    if not arguments.no_reference:
        option = "--reference-column (or say --no-reference)"
        reference = named_column(rows, arguments.reference_column, REFERENCE_COLUMNS, option, arguments.file)
    table = MiningTable(arguments.file, rows, ordered, source, reference)
    datasets.disable_progress_bars()
    dataset, model, tokenizer = table.dataset(), None, None
    ranker = make_scorer(arguments) if options.ranker == "quals" and "score" in ordered else options.ranker
    default = (arguments.work_dir or output.parent) / (output.name + ".mining")
    work = WorkFolder(arguments.mining_folder or default)
    work.require_writable()
    pairs = False
    if "sample" in ordered:
        model, tokenizer = load_summarizer(arguments.model, arguments.device, "--device")
        lengths = arguments.max_source_length, arguments.max_target_length, sampling.max_length
        dataset = with_tokens(dataset, model, tokenizer, arguments.mining_source_prefix, *lengths)
        pairs = is_decoder_only(model) and "select" in ordered
    if pairs:
        selection = pair_selection(selection, reference is not None)
    alone = pairs and reference is None  # the chosen summaries need a column first
    mined_by: dict[str, Any] = {
        "tokenizer": tokenizer,
        "ranker": ranker,
        "sampling": sampling,
        "source_column": SOURCE,
        "reference_column": REFERENCE if reference else None,
        "candidate_column": CANDIDATES,
        "workers": Workers(spread=pool.spread) if pool else Workers(),
    }
    if arguments.dry_run:
        if pool:
            mined_by["workers"] = Workers(spread=_one_by_one(pool.spread))
        dataset = random_documents(dataset, options.max_mined_documents, sampling.seed)
        few = random_documents(dataset, _MEASURED, sampling.seed)
        seconds = _seconds(lambda: mine(model, few, steps=[name for name in ordered if name != "select"], **mined_by))
        say(_estimate(len(dataset), len(few), seconds, pool.size if pool else 1))
        return
    mined, summary = mine(
        model,
        dataset,
        selection=selection,
        steps=ordered[:-1] if alone else ordered,
        folder=work,
        max_documents=options.max_mined_documents,
        **mined_by,
    )
    if alone:
        mined = select_candidates(mined.add_column(REFERENCE, [""] * len(mined)), selection, reference_column=REFERENCE)
    if pairs and tokenizer is not None:
        mined = preference_pairs(mined, REFERENCE, bool(tokenizer.chat_template))
        write_table(output, mined, {}, {})
    else:
        table.write(output, mined, "select" in ordered and selection.rule == "per_document")
    work.remove_used()
    lines = [*summary.table(), ("ranker", summary.signature), ("written to", f"{output} ({len(mined)} rows)")]
    say("\n".join(f"{name:<13}{value}" for name, value in lines if value))


def _seconds(work: Callable[[], object]) -> float:
    """How long it takes, once it was done before: loading, and starting workers, do not count."""
    work()
    start = time.monotonic()
    work()
    return time.monotonic() - start


def _one_by_one(spread: Spread) -> Spread:
    """Chunks computed one after another, so that their rate is one worker's."""

    def each(
        compute: Callable[[Any], Any], inputs: Callable[[int], Any], numbers: Sequence[int]
    ) -> Iterator[tuple[int, Any]]:
        for number in numbers:
            yield from spread(compute, inputs, [number])

    return each


def _estimate(documents: int, measured: int, seconds: float, workers: int) -> str:
    from trainer_ext.io.progress import duration

    rate = f"{measured / max(seconds, 1e-9):.3g} documents per second and worker, on {measured} drawn at random"
    total = f"about {duration(documents / measured * seconds / workers)} on {workers} worker{'s' * (workers > 1)}"
    return f"documents  {documents:,}\nmeasured   {rate}\ntime       {total}"


def _count_or_all(text: str) -> int | None:
    return None if text == "all" else int(text)
