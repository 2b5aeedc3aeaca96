"""Vary the contrastive stage of a run that `python -m benchmarks.one_run` made, on its own mined candidates.

    python -m benchmarks.one_run.ablation news.jsonl more.jsonl --work build/one-run \\
        --variant learning_rate=1e-4 --variant learning_rate=1e-4,loss=margin

Nothing is sampled or ranked again: a variant costs its training and the scoring of its summaries. ``weight=0`` makes a
control, which trains by likelihood on the same documents. The table splits the test documents in two halves: choose by
the first, believe the second. If it is killed, the same command resumes it.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping, Sequence
from dataclasses import fields, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from quals import QualsScorer
from transformers import AutoTokenizer

from benchmarks.common.command import command_parser, exit_status
from benchmarks.common.differences import RESAMPLES, difference, mean_of
from benchmarks.common.examples import read_examples, split, tokenized
from benchmarks.common.judging import Judge, free_judges, judged, scorer_judge
from benchmarks.common.summarizers import summarized
from benchmarks.common.variants import Variant
from benchmarks.common.work_folder import DONE, SETTINGS
from benchmarks.one_run.stages import Settings, contrastive
from trainer_ext.study.statistics import Floats

_BEFORE = "before: likelihood"


def main(argv: Sequence[str] | None = None) -> int:
    """Run; a mistake of the user's is one line on standard error and exit status 2."""
    parser = command_parser("benchmarks.one_run.ablation", __doc__)
    add = parser.add_argument
    add("pairs", type=Path, nargs="+", help="files of the run")
    add("--work", type=Path, required=True, help="folder of the run")
    add("--test-documents", type=int, default=300, help="number of test documents, as in the run")
    add(
        "--variant",
        action="append",
        required=True,
        metavar="NAME=VALUE[,...]",
        help="what differs; repeatable",
    )
    return exit_status("ablation", partial(run, parser.parse_args(argv)))


def run(arguments: argparse.Namespace) -> None:
    """Train and measure every variant, then print the table.

    Raises:
        ValueError: a variant cannot be read, or the folder holds no finished run on these texts.
    """
    variants = list(dict.fromkeys(map(Variant.of, arguments.variant)))
    examples = read_examples(arguments.pairs)
    settings = _settings(arguments.work)
    train, test = split(examples, arguments.test_documents)
    note = json.loads((settings.work / SETTINGS).read_text(encoding="utf-8"))
    scorer = QualsScorer()
    if note != settings.note(examples, arguments.test_documents, scorer.signature):
        raise ValueError(
            f"{settings.work} holds a run with other texts, another --test-documents, another model or another QUALS: "
            "give what that run was given."
        )
    tokenizer = AutoTokenizer.from_pretrained(settings.model, trust_remote_code=False)
    sizes = settings.max_source, settings.max_target
    rows, unseen = tokenized(train, tokenizer, *sizes), tokenized(test, tokenizer, *sizes)
    judges = {"quals": scorer_judge("QUALS", scorer), **free_judges()}
    folders = {
        _BEFORE: settings.work / "before",
        "control of the run": settings.work / "control",
        "the run": settings.work / "after",
    }
    for variant in variants:
        own = {name: getattr(variant, name) for name in ("learning_rate", "epochs", "loss", "weight")}
        selecting = {
            "selection": variant.selection,
            "selection_fraction": variant.fraction,
            "num_negatives": variant.negatives,
        }
        folders[str(variant)] = contrastive(
            replace(settings, **{name: value for name, value in own.items() if value is not None}),
            folders[_BEFORE],
            rows,
            tokenizer,
            name=f"variant-{variant}",
            mining_folder=str(settings.work / "after" / "_mining"),
            **{name: value for name, value in selecting.items() if value is not None},
        )
    kept = settings.work / "scores"
    scores = {
        name: judged(judges, summarized(folder, unseen, tokenizer, settings.max_target), test, kept)
        for name, folder in folders.items()
    }
    notes = {name: json.loads((folder / DONE).read_text(encoding="utf-8")) for name, folder in folders.items()}
    print(table(scores, judges, notes))
    print(f"\nIn brackets: 95 % intervals, {RESAMPLES:,} resamples of documents. QUALS: {scorer.signature}")


def table(
    scores: Mapping[str, Mapping[str, Floats]], judges: Mapping[str, Judge], notes: Mapping[str, Mapping[str, Any]]
) -> str:
    """What each variant changed: QUALS on either half of the documents, and the means of the other measures.

    Args:
        scores: by variant and judge; the first variant is the summarizer before.
        judges: their labels head the columns.
        notes: each variant's steps and log; the first log entry shows where the contrast began.
    """
    others = [name for name in judges if name != "quals"]
    base, *_ = scores.values()
    half = len(base["quals"]) // 2
    heads = ["", "steps", "at the first log: targets, negatives, target ahead"]
    heads += [f"QUALS: change on the first {half}", "on the others", "of all scored"]
    heads += [judges[name].label for name in others]
    lines = [f"| {' | '.join(heads)} |", "|---|" + "---:|" * (len(heads) - 1)]
    for name, by_judge in scores.items():
        cells = [f"{notes[name]['steps']:,}", _beginning(notes[name]["log"])]
        for part in (slice(half), slice(half, None)):
            change, low, high = difference(by_judge["quals"][part], base["quals"][part])
            cells.append("" if by_judge is base else f"{change:+.3f} [{low:+.3f}, {high:+.3f}]")
        cells.append(str(np.isfinite(by_judge["quals"]).sum()))
        cells += [f"{mean_of(by_judge[other]):.3f}" for other in others]
        lines.append(f"| {name} | {' | '.join(cells)} |")
    return "\n".join(lines)


def _beginning(log: Sequence[Mapping[str, float]]) -> str:
    """Nats per token of targets and negatives, and how often the target was ahead; empty if it was not logged."""
    if not log or "ranking_accuracy" not in log[0]:
        return ""
    likelihoods = f"{log[0]['positive_log_likelihood']:.2f}, {log[0]['negative_log_likelihood']:.2f}"
    return f"{likelihoods}, {log[0]['ranking_accuracy']:.0%}"


def _settings(work: Path) -> Settings:
    """The settings of the run in the folder.

    Raises:
        ValueError: there is no finished run.
    """
    if not (work / SETTINGS).is_file() or not (work / "control" / DONE).is_file():
        raise ValueError(f"{work} holds no finished run: make one with python -m benchmarks.one_run.")
    known = json.loads((work / SETTINGS).read_text(encoding="utf-8"))
    read = {"float": float, "int": int}
    kinds = {field.name: read.get(str(field.type), str) for field in fields(Settings) if field.name != "work"}
    return Settings(work=work, **{name: kind(known[name]) for name, kind in kinds.items()})


if __name__ == "__main__":
    raise SystemExit(main())
