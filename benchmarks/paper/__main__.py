"""Train by likelihood, then by contrast with candidates ranked by ROUGE and by QUALS; judge all on unseen documents.

    python -m benchmarks.paper --set news=BBC.jsonl,XSUM.jsonl --set dialogue=SAMSUM.jsonl --work FOLDER

The files have a ``document`` and a ``summary`` in each line, those of ``--leads`` a ``document``. Many hours on two CPU
cores; killed, it goes on where it was. QAGS and FactCC judge and never select.
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

from benchmarks.common.command import exit_status
from benchmarks.common.differences import RESAMPLES
from benchmarks.common.examples import read_examples
from benchmarks.common.judging import Judge
from benchmarks.common.variants import Variant
from benchmarks.common.work_folder import keep_to, texts_hash
from benchmarks.one_run.stages import load
from benchmarks.paper.data import Parts, parted
from benchmarks.paper.experiment import Experiment
from benchmarks.paper.figure import write_figure
from benchmarks.paper.judges import JUDGES, JudgingModels, judges_of
from benchmarks.paper.leads import lead_pairs
from benchmarks.paper.stages import SELECTIONS, Settings
from benchmarks.paper.table import Found, chosen_table, markdown, variants_table
from trainer_ext.io.atomic import json_line, replacing


def main(argv: Sequence[str] | None = None) -> int:
    """Run; a mistake of the user's is one line on standard error and exit status 2."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add = parser.add_argument
    add("--set", action="append", required=True, dest="sets", metavar="NAME=FILE[,FILE]", help="a data set")
    add("--work", type=Path, required=True, help="folder for checkpoints, candidates, summaries and scores")
    add("--model", help="where fine-tuning starts; without it the embedded QAGen, which knows how to read and to copy")
    add(
        "--test-documents", type=int, default=200, help="of each set, kept apart, never trained on; so many further too"
    )
    add("--validation-documents", type=int, default=150, help="of each set, that end the fine-tuning")
    add("--train-documents", type=int, help="of each set at most; all without it")
    add("--documents", type=int, default=1500, help="that candidates are sampled for, at most")
    add("--temperature", type=float, default=1.0, help="of the sampling; below 1 is more cautious")
    add("--mle-epochs", type=float, default=10.0, help="at most; 0 where --model is a summarizer already")
    add("--mle-learning-rate", type=float, default=3e-4)
    add(
        "--leads",
        action="append",
        default=[],
        metavar="NAME=FILE[,FILE]",
        help="articles without summaries, whose first sentences fine-tuning on the set NAME begins with",
    )
    add(
        "--further-test",
        action="append",
        default=[],
        dest="further",
        metavar="NAME=FILE[,FILE]",
        help="documents from elsewhere that the set NAME's summarizers are judged on too, in a table of their own; "
        "those of the set are left out",
    )
    add("--lead-epochs", type=float, default=1.0, help="passes over them")
    add("--max-source", type=int, default=400, help="tokens of a document that the summarizer reads")
    add("--epochs", type=float, default=2.0, help="of contrastive training")
    add("--learning-rate", type=float, default=3e-5, help="of contrastive training; the paper's tenth")
    add(
        "--selection",
        choices=SELECTIONS,
        default="paper",
        help="paper: towards references, on documents selected by score; per_document: on each towards its best sample",
    )
    add("--fraction", type=float, default=0.3, help="of documents selected on either side, by the paper's rule")
    add("--loss", default="unlikelihood", help="contrastive loss")
    add("--weight", type=float, default=1.0, help="of the contrastive loss")
    add("--seeds", type=int, nargs="+", default=[17, 18, 19], help="of contrastive training")
    add(
        "--ranker-dtype",
        choices=tuple(DTYPES),
        default="float32",
        help="of QUALS where it ranks",
    )
    add("--judge-dtype", choices=tuple(DTYPES), default="float32", help="of the models that judge")
    add(
        "--variant",
        action="append",
        default=[],
        dest="variants",
        metavar="NAME=VALUE[,NAME=VALUE]",
        help="train by QUALS with the first seed in another way too, on the same candidates; may be given again; "
        "selection is two_sided, which is the paper's, or per_document",
    )
    add("--judges", nargs="*", choices=JUDGES, default=list(JUDGES), help="models that judge, besides ROUGE and floors")
    add("--questioner", help="QAGS's question generator; without it the embedded one")
    add("--reader", help="QAGS's reader; without it the embedded one")
    add("--classifier", help="FactCC's classifier; without it the embedded one")
    add(
        "--chosen-documents",
        type=int,
        default=100,
        help="of each set that candidates were ranked for: judge what the rankers chose there too; 0: of none",
    )
    add("--qags-documents", type=int, help="of each set's test documents that the slow QAGS judges; all without it")
    add("--qags-sources", choices=LONG_SOURCES, default="windows", help="how QAGS reads long documents")
    add("--pipeline", default="en_core_web_sm", help="QAGS's spaCy pipeline")
    add("--processes", type=int, default=1, help="that mine, train arms and judge, side by side and share the threads")
    add("--output", type=Path, help="write every document's scores here, as JSON lines")
    add("--figure", type=Path, help="draw the changes, on all test documents, here, as .png or .svg")
    arguments = parser.parse_args(argv)
    return exit_status("conseq", partial(run, arguments))


def run(arguments: argparse.Namespace) -> None:
    """All stages of all sets, then the tables."""
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
    tokenizer = AutoTokenizer.from_pretrained(model)
    with judges_of(models, arguments.processes) as judges:
        _keep_to(settings, sets, model_fingerprint(load(model, settings.decoding()), tokenizer), ranker.signature)
        experiment = Experiment(settings, variants, tokenizer, ranker, judges, arguments.processes)
        _report(experiment, sets, arguments)


def _report(experiment: Experiment, sets: Mapping[str, Parts], arguments: argparse.Namespace) -> None:
    settings, judges = experiment.settings, experiment.judges
    found: dict[str, Found] = {}
    rows: list[dict[str, object]] = []
    for name, parts in sets.items():
        summarizers = experiment.trained(name, parts)
        print(f"## {name}\n")
        if parts.leads:
            print(f"Begun with the first sentences of {len(parts.leads):,} articles.")
        print(f"{len(parts.train):,} training documents, {len(parts.test):,} test documents.\n")
        found[name], mine = experiment.judged(name, summarizers, parts.test)
        _print_tables(found[name], experiment)
        if arguments.chosen_documents:
            written, chosen = experiment.chosen(name, parts.train, arguments.chosen_documents)
            count = len(next(iter(written.values()), ()))
            print(f"What was chosen of {count} documents' candidates; both rankers selected these documents:\n")
            if count:
                print(chosen_table(written, chosen, _labels(judges)), "\n", flush=True)
        rows += mine
        if parts.further:
            further, mine = experiment.judged(name, summarizers, parts.further)
            print(f"{len(parts.further):,} further test documents.\n")
            _print_tables(further, experiment)
            print("Both together.\n")
            found[name] = _together(found[name], further)
            _print_tables(found[name], experiment)
            rows += [{**row, "further": True} for row in mine]
    print(f"In brackets: 95 % intervals, {RESAMPLES:,} resamples of documents and of seeds ({len(settings.seeds)}).")
    print("Means are over all documents with a score, differences over those with both.")
    if experiment.variants:
        print(f"All of a table with variants: seed {settings.seeds[0]} alone.")
    print(f"Candidates ranked by {experiment.ranker.signature} ({arguments.ranker_dtype}).")
    signatures = [judge.signature for key, judge in judges.items() if key in JUDGES]
    print(f"Judged in {arguments.judge_dtype}: {'; '.join(signatures)}")
    if arguments.output:
        with replacing(arguments.output) as file:
            file.writelines(json_line(row) for row in rows)
    if arguments.figure:
        labels = {key: label for key, label in _labels(judges).items() if key != "words"}
        write_figure(found, labels, arguments.figure)


def _print_tables(found: Found, experiment: Experiment) -> None:
    labels = _labels(experiment.judges)
    print(markdown(found, labels), "\n", flush=True)
    if experiment.variants:
        first_seed = {method: {judge: scores[0] for judge, scores in mine.items()} for method, mine in found.items()}
        print(variants_table(first_seed, labels, changes_of=JUDGES), "\n", flush=True)


def _together(found: Found, further: Found) -> Found:
    return {
        method: {judge: np.concatenate([scores, further[method][judge]], axis=1) for judge, scores in mine.items()}
        for method, mine in found.items()
    }


def _labels(judges: Mapping[str, Judge]) -> dict[str, str]:
    return {key: judge.label for key, judge in judges.items()}


def _parts(name: str, files: Sequence[Path], arguments: argparse.Namespace) -> Parts:
    """Of a set, with what the other options have for it."""
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
    found: dict[str, list[Path]] = {}
    for text in given:
        name, equals, files = text.partition("=")
        if not equals or not name or not files:
            raise ValueError(f"{option} is {text!r}: give NAME=FILE, or NAME=FILE,FILE.")
        if name in found:
            raise ValueError(f"{option} names {name} twice: give NAME=FILE,FILE once.")
        found[name] = [Path(file) for file in files.split(",")]
    return found


def _keep_to(settings: Settings, sets: Mapping[str, Parts], model: str, ranked_by: str) -> None:
    """The folder belongs to one run's settings, training texts, model and ranker; judges and test texts may change.

    Raises:
        ValueError: it belongs to another's.
    """
    wanted = {name: str(value) for name, value in asdict(settings).items() if name not in ("work", "model")}
    for part in ("leads", "train", "validation"):
        texts = {name: list(map(asdict, getattr(parts, part))) for name, parts in sets.items()}
        wanted[part] = texts_hash(texts)
    keep_to(settings.work, wanted | {"model": model, "ranked_by": ranked_by})


if __name__ == "__main__":
    raise SystemExit(main())
