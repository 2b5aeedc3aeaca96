"""Sample summaries from a fine-tuned summarizer, score them, and select documents and their worst samples for training.

If the run is killed, start it again with the same arguments: it goes on where it stopped.

Example: quals mine articles.jsonl --model my-summarizer --output mined.jsonl
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from trainer_ext.cli.scorer_options import add_scorer_arguments, make_scorer
from trainer_ext.io.terminal import say

if TYPE_CHECKING:
    from datasets import Dataset

    from trainer_ext.mining import MiningSummary

_STEPS = "sample,score,select"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("file", type=Path, help="JSON lines, JSON, CSV, TSV or parquet file, by its suffix, with one document per row")
    add("--output", type=Path, required=True, help=".jsonl or .parquet file for the selected rows, written at the end")
    add("--source-column", help="column of the source texts; found by its name (source, document, ...) if not given")
    add("--reference-column", help="column of the reference summaries; found by its name (summary, ...) if not given")
    add("--no-reference", action="store_true", help="declare that the file has no reference summaries")
    add("--steps", default=_STEPS, help="steps to do; the file must have the columns of the steps before these")
    add("--mining-folder", type=Path, help="folder of the finished work until the end; OUTPUT.mining if not given")
    add("--work-dir", type=Path, help=argparse.SUPPRESS)  # the old option: a folder around OUTPUT.mining
    text = "size of a random subset to mine, drawn by --seed"
    _add(parser, "--max-mined-documents", "--max-documents", type=int, help=text)
    group = parser.add_argument_group("model and sampling")
    add = group.add_argument
    add("--model", help="folder or Hub name of the fine-tuned summarizer")
    text = "text that the model expects before a source, such as 'summarize: '"
    _add(group, "--mining-source-prefix", "--source-prefix", default="", help=text)
    add("--max-source-length", type=int, help="most tokens of a source; what the model reads if not given")
    add("--max-target-length", type=int, help="most tokens of a reference; what the model reads if not given")
    add("--num-candidates", type=int, default=6, help="number of summaries sampled per source")
    text = "number of likeliest tokens that a token is drawn from; 0 draws from all"
    _add(group, "--sampling-top-k", "--top-k", type=int, default=50, help=text)
    text = "probability that the tokens drawn from, the fewest possible, have together"
    _add(group, "--sampling-top-p", "--top-p", type=float, default=1.0, help=text)
    text = "divisor of the logits; below 1 is more cautious"
    _add(group, "--sampling-temperature", "--temperature", type=float, default=1.0, help=text)
    text = "most tokens of a sample; the generation config's or the longest reference's if not given"
    _add(group, "--generation-max-length", "--max-length", type=int, help=text)
    text = "most source tokens in a pass of the model, candidates counted"
    _add(group, "--sampling-batch-tokens", "--sampling-tokens", type=int, default=8192, help=text)
    add("--seed", type=int, default=42, help="random seed of the samples and of --max-mined-documents")
    group = parser.add_argument_group("ranker and selection")
    add = group.add_argument
    text = "ranker of the candidates; the scorer options are for quals"
    add("--ranker", choices=["quals", "rouge"], default="quals", help=text)
    rules = ["auto", "two_sided", "one_sided", "per_document", "all"]
    text = "rule of selection; auto is the paper's: two_sided for quals, one_sided for rouge"
    _add(group, "--selection", "--rule", choices=rules, default="auto", help=text)
    text = "share of the documents that each side of the rule takes"
    _add(group, "--selection-fraction", "--fraction", type=float, default=0.3, help=text)
    text = "number of worst samples that a document keeps, or 'all'"
    add("--num-negatives", type=_count_or_all, default=1, help=text)
    text = "least difference between the scores of best and worst, for per_document"
    _add(group, "--selection-margin", "--margin", type=float, default=0.0, help=text)
    text = "number of best and of worst summaries of a document, for per_document"
    _add(group, "--selection-num-extremes", "--num-positives", type=int, default=1, help=text)
    add_scorer_arguments(parser)
    parser.add_argument("--ranker-checkpoint", dest="checkpoint", default=argparse.SUPPRESS, help=argparse.SUPPRESS)


def run(arguments: argparse.Namespace) -> None:
    steps = [name.strip() for name in arguments.steps.split(",")]
    if "sample" in steps and arguments.model is None:  # said before the imports, which take seconds
        raise ValueError("--model is not given: name the summarizer to sample from, or leave sample out of --steps.")
    import datasets
    from quals.rows import REFERENCE_COLUMNS, SOURCE_COLUMNS

    from trainer_ext.io.tables import WRITABLE, check_output, check_rows, named_column, read_table
    from trainer_ext.mining import SamplingSettings, Selection, WorkFolder, mine
    from trainer_ext.mining.columns import CANDIDATES
    from trainer_ext.mining.preparation import checked_steps
    from trainer_ext.mining.summarizer import load_summarizer
    from trainer_ext.mining.table import REFERENCE, SOURCE, MiningTable, with_tokens

    sampling = SamplingSettings(
        num_candidates=arguments.num_candidates,
        top_k=arguments.sampling_top_k,
        top_p=arguments.sampling_top_p,
        temperature=arguments.sampling_temperature,
        max_length=arguments.generation_max_length,
        batch_tokens=arguments.sampling_batch_tokens,
        seed=arguments.seed,
    )
    selection = Selection(
        rule=arguments.selection,
        fraction=arguments.selection_fraction,
        num_negatives=arguments.num_negatives,
        margin=arguments.selection_margin,
        num_extremes=arguments.selection_num_extremes,
    )
    ordered, rows = checked_steps(steps), read_table(arguments.file)
    check_output(arguments.output, WRITABLE, [arguments.file])
    check_rows(arguments.output, rows)
    source = named_column(rows, arguments.source_column, SOURCE_COLUMNS, "--source-column", arguments.file)
    reference = None
    if not arguments.no_reference:
        option = "--reference-column (or say --no-reference)"
        reference = named_column(rows, arguments.reference_column, REFERENCE_COLUMNS, option, arguments.file)
    table = MiningTable(arguments.file, rows, ordered, source, reference)
    datasets.disable_progress_bars()
    dataset, model, tokenizer = table.dataset(), None, None
    ranker = make_scorer(arguments) if arguments.ranker == "quals" and "score" in ordered else arguments.ranker
    work = WorkFolder(_folder(arguments))
    work.require_writable()
    if "sample" in ordered:
        model, tokenizer = load_summarizer(arguments.model, arguments.device, "--device")
        lengths = arguments.max_source_length, arguments.max_target_length
        dataset = with_tokens(dataset, model, tokenizer, arguments.mining_source_prefix, *lengths)
    mined, summary = mine(
        model,
        dataset,
        tokenizer=tokenizer,
        ranker=ranker,
        sampling=sampling,
        selection=selection,
        steps=ordered,
        source_column=SOURCE,
        reference_column=REFERENCE if reference else None,
        candidate_column=CANDIDATES,
        folder=work,
        max_documents=arguments.max_mined_documents,
    )
    table.write(arguments.output, mined, "select" in ordered and selection.rule == "per_document")
    work.remove_used()
    say(_table(mined, summary, arguments.output))


def _add(parser: Any, name: str, *old: str, **options: Any) -> None:
    """Add an option that its old names, which are not shown, set too."""
    action = parser.add_argument(name, **options)
    for alias in old:
        kept = {key: value for key, value in options.items() if key in ("type", "choices")}
        parser.add_argument(alias, dest=action.dest, default=argparse.SUPPRESS, help=argparse.SUPPRESS, **kept)


def _folder(arguments: argparse.Namespace) -> Path:
    """Where finished chunks are kept."""
    if arguments.mining_folder is not None:
        folder: Path = arguments.mining_folder
        return folder
    output: Path = arguments.output
    return (arguments.work_dir or output.parent) / (output.name + ".mining")


def _count_or_all(text: str) -> int | None:
    return None if text == "all" else int(text)


def _table(mined: Dataset, summary: MiningSummary, output: Path) -> str:
    """What was mined, for the terminal."""
    lines = [("documents", str(summary.documents))]
    if summary.empty:
        lines += [("left out", f"{summary.empty} documents without words in source or reference")]
    if summary.candidates:
        coverage = "" if summary.coverage != summary.coverage else f" (with a score: {summary.coverage:.1%})"
        lines += [("candidates", f"{summary.candidates}{coverage}")]
    lines += [("mean score", f"{summary.mean_candidate_score:.4f}, of the worst {summary.mean_worst_score:.4f}")]
    lines += [("references", f"{summary.mean_reference_score:.4f}")]
    lines += [("ROUGE-L", f"{summary.rouge_l:.3f}")]
    if summary.rule:
        lines += [("rule", summary.rule), ("selected", f"{summary.selected} rows, {summary.negatives} candidates")]
        lines += [("their score", f"{summary.mean_negative_score:.4f}, of targets {summary.mean_target_score:.4f}")]
    else:
        lines += [("rows", str(len(mined)))]
    lines += [("ranker", summary.signature), ("written to", str(output))]
    return "\n".join(f"{name:<13}{value}" for name, value in lines if value and not value.startswith("nan"))
