"""The paper's experiment: train by likelihood, then by contrast ranked by ROUGE or by QUALS; judge all.

    python -m benchmarks.paper --set news=bbc.jsonl,xsum.jsonl --set dialogue=samsum.jsonl --work build/paper

The files have a ``document`` and a ``summary`` in each line; those of ``--leads`` have a ``document``. It takes many
hours on two CPU cores; if it is killed, the same command resumes it. QAGS and FactCC judge and never select.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from functools import partial
from itertools import groupby
from operator import itemgetter
from pathlib import Path
from typing import Any

import numpy as np
import quals
from quals.checkpoint import EMBEDDED
from quals.inputs import whole_number
from quals.loading import model_fingerprint
from transformers import AutoTokenizer

from benchmarks.common.command import exit_status
from benchmarks.common.cost import cpu_hours
from benchmarks.common.differences import RESAMPLES
from benchmarks.common.judging import Judge
from benchmarks.common.quals_model import QualsModel
from benchmarks.common.summarizers import load
from benchmarks.common.variants import Variant
from benchmarks.common.work_folder import keep_to, texts_hash
from benchmarks.paper.data import Parts
from benchmarks.paper.experiment import Experiment
from benchmarks.paper.figure import write_figure
from benchmarks.paper.judges import JudgingModels, judges_of
from benchmarks.paper.mining import RANKERS
from benchmarks.paper.options import build_parser, parts_of, ratings_of
from benchmarks.paper.stages import Settings
from benchmarks.paper.table import MODEL_LABELS, Scores, chosen_table, tables
from trainer_ext.io.atomic import json_line, replacing


def main(argv: Sequence[str] | None = None) -> int:
    """Run; a mistake of the user's is one line on standard error and exit status 2."""
    arguments = build_parser(__doc__).parse_args(argv)
    return exit_status("paper", partial(run, arguments))


def run(arguments: argparse.Namespace) -> None:
    """Run all stages of all sets; print the tables of each."""
    model = arguments.model or str(Path(quals.__file__).parent / EMBEDDED)
    settings = Settings(
        model=model,
        work=arguments.work,
        mle_epochs=arguments.mle_epochs,
        mle_learning_rate=arguments.mle_learning_rate,
        lead_epochs=arguments.lead_epochs,
        max_source=arguments.max_source,
        documents=arguments.documents,
        temperature=arguments.temperature,
        selection=arguments.selection,
        fraction=arguments.fraction,
        epochs=arguments.epochs,
        learning_rate=arguments.learning_rate,
        loss=arguments.loss,
        weight=arguments.weight,
        seeds=tuple(arguments.seeds),
        prefix=arguments.prefix,
    )
    whole_number("--processes", arguments.processes, 1)
    whole_number("--max-source", arguments.max_source, 1)
    whole_number("--chosen-documents", arguments.chosen_documents, 0)
    if len(set(arguments.seeds)) < len(arguments.seeds):
        raise ValueError("--seeds names a seed twice: name each once.")
    variants = {variant: settings.varied(variant) for variant in map(Variant.of, arguments.variants)}
    sets = parts_of(arguments)
    ratings = ratings_of(arguments, sets)
    ranker = QualsModel(arguments.checkpoint, arguments.ranker_dtype)
    signature = ranker.load().signature
    models = JudgingModels(
        tuple(arguments.judges),
        questioner=arguments.questioner,
        reader=arguments.reader,
        classifier=arguments.classifier,
        pipeline=arguments.pipeline,
        dtype=arguments.judge_dtype,
        qags_sources=arguments.qags_sources,
        qags_documents=arguments.qags_documents,
        entailment=arguments.entailment,
        readings=arguments.readings,
        checkpoint=arguments.checkpoint,
    )
    tokenizer = AutoTokenizer.from_pretrained(model, trust_remote_code=False)
    with judges_of(models, arguments.processes) as judges:
        _keep_to(settings, sets, model_fingerprint(load(model, settings.max_target), tokenizer), signature)
        experiment = Experiment(
            settings,
            variants,
            tokenizer,
            ranker,
            judges,
            arguments.processes,
            tuple(arguments.arms),
            arguments.cape_alpha,
            ratings,
        )
        _report(experiment, sets, arguments)
    # The judges' processes have ended: their time counts only now. Not in the report, which a resumed run repeats.
    print(f"CPU-hours: {cpu_hours():.2f}. What a killed run spent before is not in them.", file=sys.stderr)


def _report(experiment: Experiment, sets: Mapping[str, Parts], arguments: argparse.Namespace) -> None:
    settings, judges = experiment.settings, experiment.judges
    scores: dict[str, Scores] = {}
    rows: list[dict[str, object]] = []
    for name, parts in sets.items():
        summarizers = experiment.trained(name, parts)
        print(f"## {name}\n")
        if parts.leads:
            print(f"Fine-tuning began with the first sentences of {len(parts.leads):,} articles.")
        if parts.left_out:
            print(f"{parts.left_out:,} documents are not trained on, because validation or test has them too.")
        print(f"{len(parts.train):,} training documents, {len(parts.test):,} test documents.\n")
        scores[name], summary_rows = experiment.judged(name, summarizers, parts.test)
        _print_tables(scores[name], experiment)
        if arguments.chosen_documents and set(RANKERS) <= set(experiment.arms):
            written, chosen = experiment.chosen(name, parts.train, arguments.chosen_documents)
            count = len(next(iter(written.values()), ()))
            print(f"Candidates that were chosen, of {count} documents that both rankers selected:\n")
            if count:
                print(chosen_table(written, chosen, _labels(judges)), "\n", flush=True)
        rows += summary_rows
        if parts.further:
            further, summary_rows = experiment.judged(name, summarizers, parts.further)
            print(f"{len(parts.further):,} further test documents.\n")
            _print_tables(further, experiment)
            print("Both together.\n")
            scores[name] = _together(scores[name], further)
            _print_tables(scores[name], experiment)
            rows += [{**row, "further": True} for row in summary_rows]
        if arguments.summaries:
            _write_summaries([row for row in rows if row["set"] == name], parts, arguments.summaries)
    print(f"In brackets: 95 % intervals, {RESAMPLES:,} resamples of documents and of seeds ({len(settings.seeds)}).")
    print("Means are over all documents with a score, differences over those with both.")
    if experiment.variants:
        print(f"Every row of a table with variants: seed {settings.seeds[0]} alone.")
    print(f"Candidates ranked by {experiment.ranker.load().signature} ({arguments.ranker_dtype}).")
    signatures = [judge.signature for key, judge in judges.items() if key in MODEL_LABELS]
    print(f"Judged in {arguments.judge_dtype}: {'; '.join(signatures)}")
    if arguments.output:
        with replacing(arguments.output) as file:
            file.writelines(json_line(row) for row in rows)
    if arguments.figure:
        labels = {key: label for key, label in _labels(judges).items() if key != "words"}
        write_figure(scores, labels, arguments.figure)


def _write_summaries(rows: Sequence[Mapping[str, Any]], parts: Parts, folder: Path) -> None:
    """A file per summarizer, as ``quals score`` and ``quals study create`` read them."""
    folder.mkdir(parents=True, exist_ok=True)
    arm = itemgetter("set", "method", "seed")
    for names, written in groupby(sorted(rows, key=arm), key=arm):
        with replacing(folder / f"{'-'.join(map(str, names))}.jsonl") as file:
            for row in written:
                example = (parts.further if "further" in row else parts.test)[row["document"]]
                file.write(json_line({"document": example.document, "summary": row["summary"]}))


def _print_tables(scores: Scores, experiment: Experiment) -> None:
    for table in tables(scores, _labels(experiment.judges)):
        print(table, "\n", flush=True)


def _together(scores: Scores, further: Scores) -> Scores:
    return {
        method: {judge: np.concatenate([rows, further[method][judge]], axis=1) for judge, rows in judged.items()}
        for method, judged in scores.items()
    }


def _labels(judges: Mapping[str, Judge]) -> dict[str, str]:
    return {key: judge.label for key, judge in judges.items()}


def _keep_to(settings: Settings, sets: Mapping[str, Parts], model: str, ranked_by: str) -> None:
    """Reserve the folder for these settings, training texts, model and ranker; judges and test texts may change.

    Raises:
        ValueError: the folder belongs to another run.
    """
    wanted = {name: str(value) for name, value in asdict(settings).items() if name not in ("work", "model")}
    if not settings.prefix:  # folders of runs from before there was one stay usable
        del wanted["prefix"]
    for part in ("leads", "train", "validation"):
        texts = {name: list(map(asdict, getattr(parts, part))) for name, parts in sets.items()}
        wanted[part] = texts_hash(texts)
    keep_to(settings.work, wanted | {"model": model, "ranked_by": ranked_by})


if __name__ == "__main__":
    raise SystemExit(main())
