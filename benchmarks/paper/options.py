"""The options of the experiment, and the documents that they name."""

from __future__ import annotations

import argparse
from collections.abc import Collection, Sequence
from pathlib import Path

from quals.batching import LONG_SOURCES
from quals.loading import DTYPES

from benchmarks.common.command import command_parser
from benchmarks.common.examples import read_examples
from benchmarks.common.ratings import Ratings, read_ratings
from benchmarks.paper.arms import ARMS
from benchmarks.paper.data import Parts, parted
from benchmarks.paper.judges import JUDGES
from benchmarks.paper.leads import lead_pairs
from benchmarks.paper.stages import SELECTIONS

_FILES = "NAME=FILE[,FILE]"


def build_parser(description: str | None) -> argparse.ArgumentParser:
    """The command line."""
    parser = command_parser("benchmarks.paper", description)
    add = parser.add_argument
    add("--set", action="append", required=True, dest="sets", metavar=_FILES, help="data set; repeatable")
    add("--work", type=Path, required=True, help="folder for checkpoints, candidates, summaries and scores")
    add("--model", help="model to fine-tune; without it the embedded QAGen, which can read and copy")
    text = "the set's own test documents, instead of some of --set; documents that both have are not trained on"
    add("--test", action="append", default=[], metavar=_FILES, help=text)
    text = "the set's own validation documents, likewise"
    add("--validation", action="append", default=[], metavar=_FILES, help=text)
    add(
        "--test-documents",
        type=int,
        default=200,
        help="documents of each set that are kept apart and never trained on; also the most of --test and of "
        "--further-test",
    )
    text = "documents of --test to pass over, because an earlier run with as many --test-documents judged them"
    add("--skip-test", type=int, default=0, metavar="DOCUMENTS", help=text)
    add(
        "--validation-documents",
        type=int,
        default=150,
        help="documents of each set that decide when fine-tuning stops; also the most of --validation",
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
        metavar=_FILES,
        help="articles without summaries; fine-tuning on the set NAME begins with their first sentences",
    )
    add(
        "--further-test",
        action="append",
        default=[],
        dest="further",
        metavar=_FILES,
        help="further test documents for the set NAME, judged in a table of their own; those of the set are left out",
    )
    add("--lead-epochs", type=float, default=1.0, help="passes over the articles of --leads")
    add("--prefix", default="", help='text that the model expects before a document, such as "summarize: "')
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
    text = (
        "arms beside likelihood: contrast ranked by ROUGE, by QUALS, or, always per document, by the share of its "
        "word pairs; training on QUALS's best sample alone; the best of six samples by QUALS without training; CaPE"
    )
    add("--arms", nargs="*", choices=ARMS, default=list(ARMS), help=text)
    text = (
        "ratings of SET's samples by another judge, such as people: document, summary and score in each line; adds an "
    )
    text += "arm that is trained by them, on each document's samples alone"
    add("--ratings", action="append", default=[], metavar="NAME=FILE", help=text)
    add("--cape-alpha", type=float, default=1.0, help="how far CaPE moves the parameters")
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
    add("--checkpoint", help="QAGen of the QUALS that ranks and judges; without it the embedded one")
    add("--questioner", help="question generator of QAGS; without it the embedded one")
    add("--reader", help="reader of QAGS; without it the embedded one")
    add("--classifier", help="classifier of FactCC; without it the embedded one")
    text = "readers' ratings of test summaries: document, summary and score in each line; a judge beside the others"
    add("--readings", type=Path, metavar="FILE", help=text)
    add("--entailment", metavar="MODEL", help="classifier of natural language inference that judges too")
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
    text = (
        "folder for each summarizer's test summaries with their documents, SET-METHOD-SEED.jsonl, to score or to read"
    )
    add("--summaries", type=Path, metavar="FOLDER", help=text)
    add("--figure", type=Path, help="file for a figure of the changes on all test documents, .png or .svg")
    return parser


def ratings_of(arguments: argparse.Namespace, sets: Collection[str]) -> dict[str, tuple[Path, Ratings]]:
    """By set: the file of ratings and what is in it.

    Raises:
        ValueError: a file cannot be used, or names no set.
    """
    files = {name: one for name, [one] in _named_files("--ratings", arguments.ratings).items()}
    if unknown := files.keys() - set(sets):
        raise ValueError(f"--ratings names {', '.join(sorted(unknown))}, which no --set names: give a set's name.")
    return {name: (file, read_ratings(file)) for name, file in files.items()}


def parts_of(arguments: argparse.Namespace) -> dict[str, Parts]:
    """By set: its documents, from --set and from the options that add to it.

    Raises:
        ValueError: a file cannot be used, or an option names no set.
    """
    sets = _named_files("--set", arguments.sets)
    more = {
        option: _named_files(option, given)
        for option, given in (
            ("--leads", arguments.leads),
            ("--validation", arguments.validation),
            ("--test", arguments.test),
            ("--further-test", arguments.further),
        )
    }
    for option, named in more.items():
        if unknown := named.keys() - sets.keys():
            raise ValueError(f"{option} names {', '.join(sorted(unknown))}, which no --set names: give a set's name.")
    leads = {name: lead_pairs(files) for name, files in more.pop("--leads").items()}
    others = {option: {name: read_examples(files) for name, files in named.items()} for option, named in more.items()}
    return {
        name: parted(
            read_examples(files),
            leads.get(name, []),
            others["--further-test"].get(name, []),
            test_documents=arguments.test_documents,
            validation_documents=arguments.validation_documents,
            train_documents=arguments.train_documents,
            validation=others["--validation"].get(name, []),
            test=others["--test"].get(name, []),
            skip_test=arguments.skip_test,
        )
        for name, files in sets.items()
    }


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
