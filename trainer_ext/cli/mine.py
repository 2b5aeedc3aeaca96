"""Sample summaries from a fine-tuned summarizer, score them, select documents and their worst samples for training.

Killed at any moment and started again with the same arguments, it goes on where it was.
"""

from __future__ import annotations

import argparse
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from trainer_ext.cli.scorer_options import add_scorer_arguments, make_scorer
from trainer_ext.io.terminal import say

if TYPE_CHECKING:
    from datasets import Dataset
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

    from trainer_ext.io.tables import Rows
    from trainer_ext.mining import MiningSummary, Ranker

STEPS = ("sample", "score", "select")
# Columns of the data set that is worked on, beside those with names of their own in trainer_ext.dataset.
_ROW, _SOURCE, _REFERENCE = "row", "source", "reference"
_WIDEST = 1024  # tokens of a text where neither model nor tokenizer says what it can take


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("file", type=Path, help="JSON lines, CSV or parquet, by its suffix: a document a row")
    add("--output", type=Path, required=True, help=".jsonl or .parquet: the selected rows; written when all is done")
    add("--source-column", default="source", help="the file's column of source texts")
    add("--reference-column", default="summary", help="the file's column of reference summaries")
    add("--no-reference", action="store_true", help="the file has no reference summaries")
    add("--steps", default=",".join(STEPS), help="which to do; columns of the steps before must be in the file")
    add(
        "--work-dir", type=Path, help="where OUTPUT.mining, the finished work, is kept until the end; beside the output"
    )
    add("--max-documents", type=int, help="mine a random subset of so many, drawn by --seed")
    group = parser.add_argument_group("model and sampling")
    add = group.add_argument
    add("--model", help="folder or Hub name of the summarizer, fine-tuned")
    add("--source-prefix", default="", help="what the model expects before a source, e.g. 'summarize: '")
    add("--max-source-length", type=int, help="tokens of a source that the model reads; its limit if not given")
    add("--max-target-length", type=int, help="tokens of a reference; the model's limit if not given")
    add("--num-candidates", type=int, default=6, help="summaries sampled of each source")
    add("--top-k", type=int, default=50, help="a token is drawn from the so many likeliest; 0: from all")
    add("--top-p", type=float, default=1.0, help="and from the fewest that together have this probability")
    add("--temperature", type=float, default=1.0, help="below 1 is more cautious")
    add("--max-length", type=int, help="most tokens of a sample; the generation config's, or the longest reference's")
    add("--sampling-tokens", type=int, default=8192, help="most source tokens in a pass, candidates counted")
    add("--seed", type=int, default=42, help="of the samples and of --max-documents")
    group = parser.add_argument_group("ranker and selection")
    add = group.add_argument
    add("--ranker", choices=["quals", "rouge"], default="quals", help="what scores; the scorer options are quals's")
    add(
        "--rule",
        choices=["auto", "two_sided", "one_sided", "per_document", "all"],
        default="auto",
        help="auto is the paper's: two_sided for quals, one_sided for rouge",
    )
    add("--fraction", type=float, default=0.3, help="of documents, for each side")
    add("--num-negatives", type=_count_or_all, default=1, help="worst samples that a document keeps, or 'all'")
    add("--margin", type=float, default=0.0, help="by which best and worst differ at least, for per_document")
    add("--num-positives", type=int, default=1, help="best and worst summaries of a document, for per_document")
    add_scorer_arguments(parser)


def run(arguments: argparse.Namespace) -> None:
    from trainer_ext.io.tables import WRITABLE, check_output, check_rows, column_names, read_table
    from trainer_ext.mining import SamplingSettings, Selection

    steps = _steps(arguments)
    sampling = SamplingSettings(
        num_candidates=arguments.num_candidates,
        top_k=arguments.top_k,
        top_p=arguments.top_p,
        temperature=arguments.temperature,
        max_length=arguments.max_length,
        batch_tokens=arguments.sampling_tokens,
        seed=arguments.seed,
    )
    selection = Selection(
        rule=arguments.rule,
        fraction=arguments.fraction,
        num_negatives=arguments.num_negatives,
        margin=arguments.margin,
        top_k=arguments.num_positives,
    )
    rows = read_table(arguments.file)
    check_output(arguments.output, WRITABLE, [arguments.file])
    check_rows(arguments.output, rows)
    added = [name for step in steps for name in _ADDED[step]]
    taken = [name for name in column_names(rows) if name in added]
    if taken:
        raise ValueError(f"The input has a column {taken[0]!r} already, which the output adds: rename it in the input.")
    work = _Work(arguments, rows, steps)
    dataset, summary = work.mined(sampling, selection)
    work.write(dataset)
    say(_table(len(rows), dataset, summary, arguments.output))


_ADDED = {
    "sample": ("candidates", "candidate_labels"),
    "score": ("candidate_scores", "reference_score"),
    "select": (),
}
_NEEDED = {"sample": (), "score": ("candidates",), "select": ("candidates", "candidate_scores")}

_FORMS = {
    "candidates": "a list of texts",
    "candidate_labels": "a list of lists of token ids",
    "candidate_scores": "a list of numbers, null where there is none",
    "reference_score": "a number or null",
}


@dataclass
class _Work:
    """One run of the command: the input as a data set, the steps over it, and the output made of both."""

    arguments: argparse.Namespace
    rows: Rows
    steps: Sequence[str]

    @property
    def folder(self) -> Path:
        """Of finished chunks."""
        output: Path = self.arguments.output
        return (self.arguments.work_dir or output.parent) / (output.name + ".mining")

    @property
    def reference_column(self) -> str | None:
        return None if self.arguments.no_reference else _REFERENCE

    def mined(self, sampling: Any, selection: Any) -> tuple[Dataset, MiningSummary | None]:
        """The data set after the last step; the summary where that is a selection."""
        import datasets

        from trainer_ext.mining import random_documents, score_candidates, select_candidates
        from trainer_ext.mining.selection import effective_rule
        from trainer_ext.mining.summary import summarize

        datasets.disable_progress_bars()
        dataset = random_documents(self._dataset(), self.arguments.max_documents, sampling.seed)
        ranker, rouge_l, summary = self._ranker(), None, None
        needs_reference = self.arguments.ranker == "rouge"
        if "sample" in self.steps:
            dataset, rouge_l = self._sampled(dataset, sampling)
        if ranker is not None:
            dataset = score_candidates(
                dataset,
                ranker,
                source_column=_SOURCE,
                reference_column=self.reference_column,
                candidate_column="candidates",
                folder=self.folder,
            )
        if "select" in self.steps:
            scored, rule = dataset, effective_rule(dataset, selection, needs_reference)
            dataset = select_candidates(
                scored, selection, needs_reference=needs_reference, reference_column=self.reference_column
            )
            name, signature = (ranker.name, ranker.signature) if ranker else ("", "")
            summary = summarize(scored, dataset, ranker=name, signature=signature, rule=rule, rouge_l=rouge_l)
        return dataset, summary

    def write(self, dataset: Dataset) -> None:
        """Write the output, and remove what was kept for a run that goes on."""
        from trainer_ext.io.tables import column_names, write_table
        from trainer_ext.mining.columns import TYPES, values

        places = values(dataset, _ROW)
        added = {name: values(dataset, name) for name in TYPES if name in dataset.column_names}
        features = {name: TYPES[name] for name in added}
        if self.reference_column and "select" in self.steps and self.arguments.rule == "per_document":
            added[self.arguments.reference_column] = values(dataset, _REFERENCE)  # the best summaries, by that rule
            features[self.arguments.reference_column] = dataset.features[_REFERENCE]
        kept = [name for name in column_names(self.rows) if name not in added]
        if hasattr(self.rows, "select_columns"):
            rows: Rows = self.rows.select(places).select_columns(kept)  # type: ignore[attr-defined]
        else:
            rows = [{name: value for name, value in self.rows[at].items() if name in kept} for at in places]
        write_table(self.arguments.output, rows, added, features)
        for finished in (*self.folder.glob("samples-*"), *self.folder.glob("scores-*")):
            shutil.rmtree(finished)
        if self.folder.is_dir() and not any(self.folder.iterdir()):
            self.folder.rmdir()

    def _dataset(self) -> Dataset:
        """The input under our names of columns.

        Raises:
            ValueError: a column is missing, or holds something else than it should.
        """
        import datasets

        from trainer_ext.io.tables import column_names, text_column
        from trainer_ext.mining.columns import TYPES, fits

        arguments, path = self.arguments, self.arguments.file
        columns: dict[str, Any] = {_ROW: list(range(len(self.rows)))}
        columns[_SOURCE] = text_column(self.rows, arguments.source_column, "--source-column", path)
        if self.reference_column:
            columns[_REFERENCE] = text_column(
                self.rows, arguments.reference_column, "--reference-column (or say --no-reference)", path
            )
        there = column_names(self.rows)
        for name in _NEEDED[self.steps[0]]:
            if name not in there:
                raise ValueError(
                    f"{path} has no column {name!r}, which the step {self.steps[0]!r} goes on from: take an output of "
                    "the step before it, or do that step too."
                )
        brought = [name for name in TYPES if name in there and self.steps[0] != "sample"]
        for name in brought:
            columns[name] = [row.get(name) for row in self.rows]
            for number, value in enumerate(columns[name], start=1):
                if not fits(name, value):
                    raise ValueError(
                        f"{path}, row {number}: {name!r} is {str(value)[:40]!r}, and should be {_FORMS[name]}."
                    )
        text = datasets.Value("string")
        types = {_ROW: datasets.Value("int64"), _SOURCE: text, _REFERENCE: text, **TYPES}
        features = datasets.Features({name: types[name] for name in columns})
        return datasets.Dataset.from_dict(columns, features=features)

    def _ranker(self) -> Ranker | None:
        """Loaded before the work, so that a mistake in its options is found first."""
        from trainer_ext.mining import resolve_ranker

        if "score" not in self.steps:
            return None
        ranker = resolve_ranker(make_scorer(self.arguments) if self.arguments.ranker == "quals" else "rouge")
        if self.reference_column is None:
            ranker.require_no_reference()
        return ranker

    def _sampled(self, dataset: Dataset, sampling: Any) -> tuple[Dataset, float | None]:
        """With candidates as tokens and as texts; ROUGE-L of these."""
        from trainer_ext.mining import check_summarizer, sample_candidates
        from trainer_ext.mining.columns import with_columns
        from trainer_ext.mining.texts import candidate_texts
        from trainer_ext.rouge import rouge_scorer

        if self.reference_column:
            rouge_scorer("rougeL", stem=False)  # check_summarizer needs it, hours later
        model, tokenizer = _load(self.arguments)
        sampled = sample_candidates(model, self._tokenized(dataset, tokenizer, model), sampling, folder=self.folder)
        rouge_l = check_summarizer(sampled, tokenizer, reference_column=self.reference_column)
        return with_columns(sampled, {"candidates": candidate_texts(sampled, tokenizer)}), rouge_l

    def _tokenized(self, dataset: Dataset, tokenizer: PreTrainedTokenizerBase, model: PreTrainedModel) -> Dataset:
        """With ``input_ids`` and, where there are references, ``labels``. What looks like a special token is text."""
        import datasets

        limit = _limit(tokenizer, model)
        options: dict[str, Any] = {"truncation": True, "split_special_tokens": True, "return_attention_mask": False}
        sources = [self.arguments.source_prefix + text for text in dataset[_SOURCE]]
        length = self.arguments.max_source_length or limit
        columns = {"input_ids": tokenizer(sources, max_length=length, **options)["input_ids"]}
        if self.reference_column:
            length = self.arguments.max_target_length or limit
            targets = tokenizer(text_target=list(dataset[_REFERENCE]), max_length=length, **options)
            columns["labels"] = targets["input_ids"]
        return datasets.concatenate_datasets([dataset, datasets.Dataset.from_dict(columns)], axis=1)


def _steps(arguments: argparse.Namespace) -> list[str]:
    """The steps that are asked for, in order.

    Raises:
        ValueError: there is no such step, one in between is left out, or sampling has no model.
    """
    asked = {name.strip() for name in arguments.steps.split(",")}
    if not asked <= set(STEPS):
        raise ValueError(f"--steps is {arguments.steps!r}: give some of {','.join(STEPS)}.")
    steps = [name for name in STEPS if name in asked]
    if steps == ["sample", "select"]:
        raise ValueError("--steps leaves out score, without which nothing can be selected: add it.")
    if "sample" in steps and arguments.model is None:
        raise ValueError("--model is not given: name the summarizer to sample from, or leave sample out of --steps.")
    return steps


def _load(arguments: argparse.Namespace) -> tuple[PreTrainedModel, PreTrainedTokenizerBase]:
    """The summarizer, in float32, and its tokenizer.

    Raises:
        ValueError: there is none under this name, or torch cannot use the device.
    """
    import torch
    import transformers
    from quals.loading import first_line, usable_device
    from safetensors import SafetensorError
    from transformers import AutoModelForSeq2SeqLM, AutoTokenizer

    device = usable_device(arguments.device, "--device")
    transformers.logging.disable_progress_bar()  # type: ignore[no-untyped-call,unused-ignore]
    try:
        tokenizer = AutoTokenizer.from_pretrained(arguments.model)
        model, info = AutoModelForSeq2SeqLM.from_pretrained(
            arguments.model, dtype=torch.float32, use_safetensors=True, output_loading_info=True
        )
    except (OSError, ValueError, RuntimeError, SafetensorError) as error:
        raise ValueError(
            f"No summarizer could be loaded from {arguments.model!r} ({first_line(error)}): give the folder or Hub "
            "name of an encoder-decoder with its tokenizer, weights as safetensors."
        ) from error
    if info["missing_keys"]:  # transformers would make them up at random
        missing = ", ".join(sorted(info["missing_keys"])[:3])
        raise ValueError(f"{arguments.model!r} is no summarizer: its weights lack {missing}. Give another checkpoint.")
    return model.to(device), tokenizer


def _limit(tokenizer: PreTrainedTokenizerBase, model: PreTrainedModel) -> int:
    """Most tokens of a text; a tokenizer that knows none has a huge number instead."""
    limits = [getattr(model.config, "max_position_embeddings", None), tokenizer.model_max_length]
    return min([limit for limit in limits if limit and limit < 1_000_000] or [_WIDEST])


def _count_or_all(text: str) -> int | None:
    return None if text == "all" else int(text)


def _table(documents: int, dataset: Dataset, summary: MiningSummary | None, output: Path) -> str:
    """What was mined, for the terminal."""
    lines = [("documents", str(summary.documents if summary else documents))]
    if summary:
        lines += [("candidates", f"{summary.candidates} (with a score: {summary.coverage:.1%})")]
        lines += [("mean score", f"{summary.mean_candidate_score:.4f}, of the worst {summary.mean_worst_score:.4f}")]
        lines += [("references", f"{summary.mean_reference_score:.4f}")]
        lines += [("ROUGE-L", f"{summary.rouge_l:.3f}")]
        lines += [("rule", summary.rule), ("selected", f"{summary.selected} rows, {summary.negatives} candidates")]
        lines += [("their score", f"{summary.mean_negative_score:.4f}, of targets {summary.mean_target_score:.4f}")]
        lines += [("ranker", summary.signature)]
    else:
        lines += [("rows", str(len(dataset)))]
    lines += [("written to", str(output))]
    return "\n".join(f"{name:<13}{value}" for name, value in lines if value not in ("", "nan"))
