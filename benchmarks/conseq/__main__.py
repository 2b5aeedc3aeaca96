"""Train by likelihood, then by contrast with candidates ranked by ROUGE and by QUALS; judge all on unseen documents.

    python -m benchmarks.conseq --set news=BBC.jsonl,XSUM.jsonl --set dialogue=SAMSUM.jsonl --work FOLDER

The files have a ``document`` and a ``summary`` in each line, those of ``--leads`` a ``document``. Many hours on two CPU
cores; killed, it goes on where it was. QAGS and FactCC judge and never select.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np
import quals
from quals import QualsScorer
from quals.checkpoint import EMBEDDED
from quals.inputs import whole_number
from quals.scorer import DTYPES
from quals.windows import LONG_SOURCES
from transformers import AutoTokenizer, PreTrainedTokenizerBase

from benchmarks.command import exit_status
from benchmarks.conseq.chosen import chosen_texts
from benchmarks.conseq.leads import lead_pairs
from benchmarks.conseq.stages import (
    RANKERS,
    SELECTIONS,
    Arm,
    Settings,
    fine_tuned,
    selected_folders,
    selections,
    side_by_side,
    summaries,
)
from benchmarks.conseq.table import (
    MLE,
    Found,
    chosen_table,
    markdown,
    mean_of_seeds,
    variants_table,
    write_figure,
)
from benchmarks.contrastive.data import Example, read_examples, split, tokenized
from benchmarks.contrastive.differences import RESAMPLES
from benchmarks.contrastive.judging import Judge, free_judges, judged, scorer_judge
from benchmarks.contrastive.variants import Variant
from benchmarks.contrastive.work_folder import keep_to, texts_hash
from trainer_ext.bootstrap import Floats
from trainer_ext.tables import json_line, replacing

JUDGES = ("quals", "qags", "factcc")


def main(argv: Sequence[str] | None = None) -> int:
    """Run; a mistake of the user's is one line on standard error and exit status 2."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add = parser.add_argument
    add("--set", action="append", required=True, dest="sets", metavar="NAME=FILE[,FILE]", help="a data set")
    add("--work", type=Path, required=True, help="folder for checkpoints, candidates, summaries and scores")
    add("--model", help="where fine-tuning starts; without it the embedded QAGen, which knows how to read and to copy")
    add("--test-documents", type=int, default=200, help="of each set, kept apart, never trained on")
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
    add("--processes", type=int, default=1, help="seeds' and rankers' trainings at a time, which share the threads")
    add("--output", type=Path, help="write every document's scores here, as JSON lines")
    add("--figure", type=Path, help="draw the changes here, as .png or .svg")
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
    variants = {variant: settings.varied(variant) for variant in map(Variant.of, arguments.variants)}
    sets = {name: read_examples(files) for name, files in (_named_files("--set", text) for text in arguments.sets)}
    lead_files = dict(_named_files("--leads", text) for text in arguments.leads)
    if unknown := lead_files.keys() - sets.keys():
        raise ValueError(f"--leads names {', '.join(sorted(unknown))}, which no --set names: give a set's name.")
    leads = {name: lead_pairs(files) for name, files in lead_files.items()}
    ranker = QualsScorer(dtype=arguments.ranker_dtype)
    judges = _judges(arguments, ranker)
    _keep_to(settings, arguments, sets, leads, ranker.signature)
    tokenizer = AutoTokenizer.from_pretrained(model)
    experiment = _Experiment(settings, variants, tokenizer, ranker, judges, arguments.processes)
    labels = {key: judge.label for key, judge in judges.items()}
    found: dict[str, Found] = {}
    rows: list[dict[str, object]] = []
    for name, examples in sets.items():
        train, test = split(examples, arguments.test_documents)
        train, validation = split(train, arguments.validation_documents)
        train = train[: arguments.train_documents]
        scores = experiment.one_set(name, (train, validation, test), leads.get(name, []), rows)
        found[name] = {
            method: {key: mean_of_seeds([seed[key] for seed in scores[method]]) for key in judges}
            for method in (MLE, *RANKERS)
        }
        begun = f"Begun with the first sentences of {len(leads[name]):,} articles. " if name in leads else ""
        print(f"## {name}\n\n{begun}{len(train):,} training documents, {len(test):,} test documents.\n")
        print(markdown(found[name], labels), "\n", flush=True)
        if arguments.chosen_documents:
            print(experiment.chosen(name, train, arguments.chosen_documents), "\n", flush=True)
        if variants:
            first_seed = {method: seeds[0] for method, seeds in scores.items()}
            print(variants_table(first_seed, labels, changes_of=JUDGES), "\n", flush=True)
    print(f"In brackets: 95 % intervals, {RESAMPLES:,} resamples of documents; means over {len(settings.seeds)} seeds"
          + (f", variants with seed {settings.seeds[0]} alone." if variants else "."))  # fmt: skip
    print(f"Candidates ranked by {ranker.signature} ({arguments.ranker_dtype}).")
    signatures = [judge.signature for key, judge in judges.items() if key in JUDGES]
    print(f"Judged in {arguments.judge_dtype}: {'; '.join(signatures)}")
    if arguments.output:
        with replacing(arguments.output) as file:
            file.writelines(json_line(row) for row in rows)
    if arguments.figure:
        write_figure(found, {key: label for key, label in labels.items() if key != "words"}, arguments.figure)


@dataclass(frozen=True)
class _Experiment:
    """What all data sets share."""

    settings: Settings
    variants: Mapping[Variant, Settings]
    tokenizer: PreTrainedTokenizerBase
    ranker: QualsScorer
    judges: Mapping[str, Judge]
    processes: int

    def one_set(
        self,
        name: str,
        data: Sequence[Sequence[Example]],
        leads: Sequence[Example],
        rows: list[dict[str, object]],
    ) -> dict[str, list[dict[str, Floats]]]:
        """Of each method, and of each variant, each seed's scores of the test documents.

        Args:
            name: of the set.
            data: its training, validation and test documents.
            leads: articles with their first sentences, to begin with, if any.
            rows: gets one for every summary.
        """
        settings = self.settings
        sizes = settings.max_source, settings.max_target
        train, validation, test = (tokenized(part, self.tokenizer, *sizes) for part in data)
        first = tokenized(leads, self.tokenizer, *sizes) if leads else None
        mle = fine_tuned(settings, name, train, validation, self.tokenizer, first)
        select = partial(selections, name=name, mle=mle, train=train, tokenizer=self.tokenizer, scorer=self.ranker)
        selected = select(settings)
        arms = [
            Arm(settings, name, ranker, seed, mle, selected[ranker], test, self.tokenizer)
            for ranker in RANKERS
            for seed in settings.seeds
        ]
        for variant, varied in self.variants.items():
            rows_of = select(varied, variant=variant)["quals"]
            arms.append(Arm(varied, name, "quals", settings.seeds[0], mle, rows_of, test, self.tokenizer, variant))
        side_by_side(arms, self.processes)
        folders = [(MLE, 0, mle)] + [(str(arm.variant) or arm.ranker, arm.seed, arm.folder) for arm in arms]
        scores: dict[str, list[dict[str, Floats]]] = {}
        for method, seed, folder in folders:
            texts = summaries(settings, folder, test, self.tokenizer)
            mine = judged(self.judges, texts, data[2], settings.work / name / "scores")
            scores.setdefault(method, []).append(mine)
            rows += [
                {"set": name, "method": method, "seed": seed, "document": place, "summary": text}
                | {key: float(values[place]) if np.isfinite(values[place]) else None for key, values in mine.items()}
                for place, text in enumerate(texts)
            ]
        return scores

    def chosen(self, name: str, train: Sequence[Example], documents: int) -> str:
        """A table of what the judges say of the rankers' targets and negatives, for so many documents at most."""
        examples, texts = chosen_texts(selected_folders(self.settings, name), train, documents, self.tokenizer)
        if not examples:
            return "There is no document that both rankers selected."
        folder = self.settings.work / name / "scores"
        found = {
            ranker: (judged(self.judges, targets, examples, folder), judged(self.judges, negatives, examples, folder))
            for ranker, (targets, negatives) in texts.items()
        }
        labels = {key: judge.label for key, judge in self.judges.items()}
        return f"What was chosen of {len(examples)} documents' candidates:\n\n{chosen_table(found, labels)}"


def _judges(arguments: argparse.Namespace, ranker: QualsScorer) -> dict[str, Judge]:
    """Loaded before the work, so that one that is missing is known at once."""
    found: dict[str, Judge] = {}
    dtype = arguments.judge_dtype
    if arguments.qags_documents is not None:
        whole_number("--qags-documents", arguments.qags_documents, 1)
    if "qags" in arguments.judges:
        from qags import QAGSScorer

        scorer = QAGSScorer(
            arguments.questioner,
            arguments.reader,
            pipeline=arguments.pipeline,
            dtype=dtype,
            long_sources=arguments.qags_sources,
        )
        found["qags"] = replace(scorer_judge("QAGS", scorer), documents=arguments.qags_documents)
    if "factcc" in arguments.judges:
        from factcc import FactCCScorer

        found["factcc"] = scorer_judge("FactCC", FactCCScorer(arguments.classifier, dtype=dtype))
    if "quals" in arguments.judges:
        judge = ranker if ranker.dtype == dtype else QualsScorer(dtype=dtype)
        found["quals"] = scorer_judge("QUALS, nats a token", judge)
    return found | free_judges()


def _named_files(option: str, text: str) -> tuple[str, list[Path]]:
    name, equals, files = text.partition("=")
    if not equals or not name or not files:
        raise ValueError(f"{option} is {text!r}: give NAME=FILE, or NAME=FILE,FILE.")
    return name, [Path(file) for file in files.split(",")]


def _keep_to(
    settings: Settings,
    arguments: argparse.Namespace,
    sets: Mapping[str, Sequence[Example]],
    leads: Mapping[str, Sequence[Example]],
    ranked_by: str,
) -> None:
    """The folder belongs to one run's settings, texts and ranker; judges may change.

    Raises:
        ValueError: it belongs to another's.
    """
    wanted = {name: str(value) for name, value in asdict(settings).items() if name != "work"}
    wanted |= {
        name: str(getattr(arguments, name)) for name in ("test_documents", "validation_documents", "train_documents")
    }
    for option, named in {"sets": sets, "leads": leads}.items():
        wanted[option] = texts_hash({name: list(map(asdict, examples)) for name, examples in named.items()})
    wanted["ranked_by"] = ranked_by
    keep_to(settings.work, wanted)


if __name__ == "__main__":
    raise SystemExit(main())
