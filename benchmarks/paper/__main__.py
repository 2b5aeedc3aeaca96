"""The paper's experiment: train by likelihood, then by contrast ranked by ROUGE or by QUALS; judge all.

    python -m benchmarks.paper --set news=bbc.jsonl,xsum.jsonl --set dialogue=samsum.jsonl --work build/paper

The files have a ``document`` and a ``summary`` in each line; those of ``--leads`` have a ``document``. It takes many
hours on two CPU cores; if it is killed, the same command resumes it. QAGS and FactCC judge and never select.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from functools import partial
from pathlib import Path

import numpy as np
import quals
from quals import QualsScorer
from quals.batching import LONG_SOURCES
from quals.checkpoint import EMBEDDED
from quals.inputs import whole_number
from quals.loading import DTYPES, model_fingerprint
from transformers import AutoTokenizer

from benchmarks.common.command import command_parser, exit_status
from benchmarks.common.differences import RESAMPLES
from benchmarks.common.examples import read_examples
from benchmarks.common.judging import Judge
from benchmarks.common.summarizers import load
from benchmarks.common.variants import Variant
from benchmarks.common.work_folder import keep_to, texts_hash
from benchmarks.paper.data import Parts, parted
from benchmarks.paper.experiment import Experiment
from benchmarks.paper.figure import write_figure
from benchmarks.paper.judges import JUDGES, JudgingModels, judges_of
from benchmarks.paper.leads import lead_pairs
from benchmarks.paper.stages import SELECTIONS, Settings
from benchmarks.paper.table import Scores, chosen_table, markdown, variants_table
from trainer_ext.io.atomic import json_line, replacing


def main(argv: Sequence[str] | None = None) -> int:
    """Run; a mistake of the user's is one line on standard error and exit status 2."""
    parser = command_parser("benchmarks.paper", __doc__)
    add = parser.add_argument
    add("--set", action="append", required=True, dest="sets", metavar="NAME=FILE[,FILE]", help="data set; repeatable")
    add("--work", type=Path, required=True, help="folder for checkpoints, candidates, summaries and scores")
    add("--model", help="model to fine-tune; without it the embedded QAGen, which can read and copy")
    add(
        "--test-documents",
        type=int,
        default=200,
        help="documents of each set that are kept apart and never trained on; also the most of --further-test",
    )
    add(
        "--validation-documents", type=int, default=150, help="documents of each set that decide when fine-tuning stops"
    )
    add("--train-documents", type=int, help="most training documents of each set; without it all")
    add("--documents", type=int, default=1500, help="most documents to sample candidates for")
    add("--temperature", type=float, default=1.0, help="sampling temperature; below 1 is more cautious")
    add(
        "--mle-epochs",
        type=float,
        default=10.0,
        help="most passes of fine-tuning; 0 if --model is a summarizer already",
    )
    add("--mle-learning-rate", type=float, default=3e-4, help="learning rate of fine-tuning")
    add(
        "--leads",
        action="append",
        default=[],
        metavar="NAME=FILE[,FILE]",
        help="articles without summaries; fine-tuning on the set NAME begins with their first sentences",
    )
    add(
        "--further-test",
        action="append",
        default=[],
        dest="further",
        metavar="NAME=FILE[,FILE]",
        help="further test documents for the set NAME, judged in a table of their own; those of the set are left out",
    )
    add("--lead-epochs", type=float, default=1.0, help="passes over the articles of --leads")
    add("--max-source", type=int, default=400, help="most tokens of a document that the summarizer reads")
    add("--epochs", type=float, default=2.0, help="passes of contrastive training")
    add("--learning-rate", type=float, default=3e-5, help="learning rate of contrastive training")
    add(
        "--selection",
        choices=SELECTIONS,
        default="paper",
        help="rule for targets: paper trains towards references of documents selected by score; per_document trains "
        "towards each document's best sample",
    )
    add("--fraction", type=float, default=0.3, help="share of documents that the paper's rule selects on either side")
    add("--loss", default="unlikelihood", help="contrastive loss")
    add("--weight", type=float, default=1.0, help="weight of the contrastive loss")
    add("--seeds", type=int, nargs="+", default=[17, 18, 19], help="seeds of contrastive training")
    add(
        "--ranker-dtype",
        choices=tuple(DTYPES),
        default="float32",
        help="dtype of the QUALS that ranks",
    )
    add("--judge-dtype", choices=tuple(DTYPES), default="float32", help="dtype of the models that judge")
    add(
        "--variant",
        action="append",
        default=[],
        dest="variants",
        metavar="NAME=VALUE[,NAME=VALUE]",
        help="further QUALS-ranked arm: first seed, same candidates, these changes; repeatable; selection is two_sided "
        "(the paper's) or per_document",
    )
    add(
        "--judges",
        nargs="*",
        choices=JUDGES,
        default=list(JUDGES),
        help="models that judge, beside ROUGE and the floors",
    )
    add("--questioner", help="question generator of QAGS; without it the embedded one")
    add("--reader", help="reader of QAGS; without it the embedded one")
    add("--classifier", help="classifier of FactCC; without it the embedded one")
    add(
        "--chosen-documents",
        type=int,
        default=100,
        help="mined documents of each set whose chosen targets and negatives are judged too; 0 for none",
    )
    add("--qags-documents", type=int, help="test documents of each set that QAGS judges, which is slow; without it all")
    add("--qags-sources", choices=LONG_SOURCES, default="windows", help="way in which QAGS reads long documents")
    add("--pipeline", default="en_core_web_sm", help="spaCy pipeline of QAGS")
    add(
        "--processes",
        type=int,
        default=1,
        help="processes that mine, train and judge side by side; they share the threads",
    )
    add("--output", type=Path, help="file for every document's scores, as JSON lines")
    add("--figure", type=Path, help="file for a figure of the changes on all test documents, .png or .svg")
    arguments = parser.parse_args(argv)
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
    )
    whole_number("--processes", arguments.processes, 1)
    whole_number("--max-source", arguments.max_source, 1)
    whole_number("--chosen-documents", arguments.chosen_documents, 0)
    if len(set(arguments.seeds)) < len(arguments.seeds):
        raise ValueError("--seeds names a seed twice: name each once.")
    variants = {variant: settings.varied(variant) for variant in map(Variant.of, arguments.variants)}
    sets = {name: _parts(name, files, arguments) for name, files in _named_files("--set", arguments.sets).items()}
    ranker = QualsScorer(dtype=arguments.ranker_dtype)
    models = JudgingModels(
        tuple(arguments.judges),
        questioner=arguments.questioner,
        reader=arguments.reader,
        classifier=arguments.classifier,
        pipeline=arguments.pipeline,
        dtype=arguments.judge_dtype,
        qags_sources=arguments.qags_sources,
        qags_documents=arguments.qags_documents,
    )
    tokenizer = AutoTokenizer.from_pretrained(model, trust_remote_code=False)
    with judges_of(models, arguments.processes) as judges:
        _keep_to(settings, sets, model_fingerprint(load(model, settings.max_target), tokenizer), ranker.signature)
        experiment = Experiment(settings, variants, tokenizer, ranker, judges, arguments.processes)
        _report(experiment, sets, arguments)


def _report(experiment: Experiment, sets: Mapping[str, Parts], arguments: argparse.Namespace) -> None:
    settings, judges = experiment.settings, experiment.judges
    scores: dict[str, Scores] = {}
    rows: list[dict[str, object]] = []
    for name, parts in sets.items():
        summarizers = experiment.trained(name, parts)
        print(f"## {name}\n")
        if parts.leads:
            print(f"Fine-tuning began with the first sentences of {len(parts.leads):,} articles.")
        print(f"{len(parts.train):,} training documents, {len(parts.test):,} test documents.\n")
        scores[name], summary_rows = experiment.judged(name, summarizers, parts.test)
        _print_tables(scores[name], experiment)
        if arguments.chosen_documents:
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
    print(f"In brackets: 95 % intervals, {RESAMPLES:,} resamples of documents and of seeds ({len(settings.seeds)}).")
    print("Means are over all documents with a score, differences over those with both.")
    if experiment.variants:
        print(f"Every row of a table with variants: seed {settings.seeds[0]} alone.")
    print(f"Candidates ranked by {experiment.ranker.signature} ({arguments.ranker_dtype}).")
    signatures = [judge.signature for key, judge in judges.items() if key in JUDGES]
    print(f"Judged in {arguments.judge_dtype}: {'; '.join(signatures)}")
    if arguments.output:
        with replacing(arguments.output) as file:
            file.writelines(json_line(row) for row in rows)
    if arguments.figure:
        labels = {key: label for key, label in _labels(judges).items() if key != "words"}
        write_figure(scores, labels, arguments.figure)


def _print_tables(scores: Scores, experiment: Experiment) -> None:
    labels = _labels(experiment.judges)
    print(markdown(scores, labels), "\n", flush=True)
    if experiment.variants:
        first_seed = {method: {judge: rows[0] for judge, rows in judged.items()} for method, judged in scores.items()}
        print(variants_table(first_seed, labels, changes_of=JUDGES), "\n", flush=True)


def _together(scores: Scores, further: Scores) -> Scores:
    return {
        method: {judge: np.concatenate([rows, further[method][judge]], axis=1) for judge, rows in judged.items()}
        for method, judged in scores.items()
    }


def _labels(judges: Mapping[str, Judge]) -> dict[str, str]:
    return {key: judge.label for key, judge in judges.items()}


def _parts(name: str, files: Sequence[Path], arguments: argparse.Namespace) -> Parts:
    """One set's documents, with what --leads and --further-test add to it."""
    for option, given in (("--leads", arguments.leads), ("--further-test", arguments.further)):
        if unknown := _named_files(option, given).keys() - _named_files("--set", arguments.sets).keys():
            raise ValueError(f"{option} names {', '.join(sorted(unknown))}, which no --set names: give a set's name.")
    leads = _named_files("--leads", arguments.leads).get(name)
    further = _named_files("--further-test", arguments.further).get(name)
    return parted(
        read_examples(files),
        lead_pairs(leads) if leads else [],
        read_examples(further) if further else [],
        test_documents=arguments.test_documents,
        validation_documents=arguments.validation_documents,
        train_documents=arguments.train_documents,
    )


def _named_files(option: str, given: Sequence[str]) -> dict[str, list[Path]]:
    named: dict[str, list[Path]] = {}
    for text in given:
        name, equals, files = text.partition("=")
        if not equals or not name or not files:
            raise ValueError(f"{option} is {text!r}: give NAME=FILE, or NAME=FILE,FILE.")
        if name in named:
            raise ValueError(f"{option} names {name} twice: give NAME=FILE,FILE once.")
        named[name] = [Path(file) for file in files.split(",")]
    return named


def _keep_to(settings: Settings, sets: Mapping[str, Parts], model: str, ranked_by: str) -> None:
    """Reserve the folder for these settings, training texts, model and ranker; judges and test texts may change.

    Raises:
        ValueError: the folder belongs to another run.
    """
    wanted = {name: str(value) for name, value in asdict(settings).items() if name not in ("work", "model")}
    for part in ("leads", "train", "validation"):
        texts = {name: list(map(asdict, getattr(parts, part))) for name, parts in sets.items()}
        wanted[part] = texts_hash(texts)
    keep_to(settings.work, wanted | {"model": model, "ranked_by": ranked_by})


if __name__ == "__main__":
    raise SystemExit(main())
