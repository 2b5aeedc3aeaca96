"""Vary the contrastive stage of a run that `python -m benchmarks.one_run` made, on its own mined candidates.

    python -m benchmarks.one_run.ablation PAIRS.jsonl [PAIRS.jsonl ...] --work FOLDER \\
        --variant learning_rate=1e-4 --variant learning_rate=1e-4,loss=margin

Nothing is sampled or ranked again: a variant costs its training, and the scoring of its summaries. weight=0 makes a
control: as much likelihood on the same documents. The test documents are split in two halves: choose by the first,
believe the second. Killed, it goes on where it was.
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

from benchmarks.common.command import exit_status
from benchmarks.common.differences import RESAMPLES, difference, mean_of
from benchmarks.common.examples import read_examples, split, tokenized
from benchmarks.common.judging import Judge, free_judges, judged, scorer_judge
from benchmarks.common.variants import Variant
from benchmarks.common.work_folder import DONE, SETTINGS
from benchmarks.one_run.stages import Settings, contrastive, summarized
from trainer_ext.study.statistics import Floats

_BEFORE = "before: likelihood"


def main(argv: Sequence[str] | None = None) -> int:
    """Run; a mistake of the user's is one line on standard error and exit status 2."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add = parser.add_argument
    add("pairs", type=Path, nargs="+", help="the files of the run")
    add("--work", type=Path, required=True, help="the folder of the run")
    add("--test-documents", type=int, default=300, help="as in the run")
    add("--variant", action="append", required=True, help="NAME=VALUE[,NAME=VALUE], what differs; may be given again")
    return exit_status("ablation", partial(run, parser.parse_args(argv)))


def run(arguments: argparse.Namespace) -> None:
    """Train and measure every variant, then print the table.

    Raises:
        ValueError: a variant is none, or the folder holds no finished run on these texts.
    """
    variants = list(dict.fromkeys(map(Variant.of, arguments.variant)))
    examples = read_examples(arguments.pairs)
    settings = _settings(arguments.work)
    train, test = split(examples, arguments.test_documents)
    note = json.loads((settings.work / SETTINGS).read_text(encoding="utf-8"))
    scorer = QualsScorer()
    if note != settings.note(examples, arguments.test_documents, scorer.signature):
        raise ValueError(
            f"{settings.work} holds a run on other texts, with another number of --test-documents, of another model or "
            "ranked by another QUALS: give what it was made of."
        )
    tokenizer = AutoTokenizer.from_pretrained(settings.model)
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
    found = {
        name: judged(judges, summarized(settings, folder, unseen, tokenizer), test, kept)
        for name, folder in folders.items()
    }
    notes = {name: json.loads((folder / DONE).read_text(encoding="utf-8")) for name, folder in folders.items()}
    print(table(found, judges, notes))
    print(f"\nIn brackets: 95 % intervals, {RESAMPLES:,} resamples of documents. QUALS: {scorer.signature}")


def table(
    found: Mapping[str, Mapping[str, Floats]], judges: Mapping[str, Judge], notes: Mapping[str, Mapping[str, Any]]
) -> str:
    """What each variant changed of the summarizer before: QUALS on either half, the other measures' means over all.

    Args:
        found: scores by variant and judge; the first is the summarizer before.
        judges: what the scores are called.
        notes: of each variant its steps and its log, whose first entry shows what the contrast began with.
    """
    others = [name for name in judges if name != "quals"]
    base, *_ = found.values()
    half = len(base["quals"]) // 2
    heads = ["", "steps", "at the first log: targets, negatives, target ahead"]
    heads += [f"QUALS: change on the first {half}", "on the others", "of all scored"]
    heads += [judges[name].label for name in others]
    lines = [f"| {' | '.join(heads)} |", "|---|" + "---:|" * (len(heads) - 1)]
    for name, mine in found.items():
        cells = [f"{notes[name]['steps']:,}", _beginning(notes[name]["log"])]
        for part in (slice(half), slice(half, None)):
            change, low, high = difference(mine["quals"][part], base["quals"][part])
            cells.append("" if mine is base else f"{change:+.3f} [{low:+.3f}, {high:+.3f}]")
        cells.append(str(np.isfinite(mine["quals"]).sum()))
        cells += [f"{mean_of(mine[other]):.3f}" for other in others]
        lines.append(f"| {name} | {' | '.join(cells)} |")
    return "\n".join(lines)


def _beginning(log: Sequence[Mapping[str, float]]) -> str:
    """Nats a token of targets and negatives, and how often the target was ahead; nothing where it was not logged."""
    if not log or "ranking_accuracy" not in log[0]:
        return ""
    likelihoods = f"{log[0]['positive_log_likelihood']:.2f}, {log[0]['negative_log_likelihood']:.2f}"
    return f"{likelihoods}, {log[0]['ranking_accuracy']:.0%}"


def _settings(work: Path) -> Settings:
    """Those of the run in the folder.

    Raises:
        ValueError: there is none, or it is not finished.
    """
    if not (work / SETTINGS).is_file() or not (work / "control" / DONE).is_file():
        raise ValueError(f"{work} holds no finished run: make one with python -m benchmarks.one_run.")
    known = json.loads((work / SETTINGS).read_text(encoding="utf-8"))
    read = {"float": float, "int": int}
    kinds = {field.name: read.get(str(field.type), str) for field in fields(Settings) if field.name != "work"}
    return Settings(work=work, **{name: kind(known[name]) for name, kind in kinds.items()})


if __name__ == "__main__":
    raise SystemExit(main())
