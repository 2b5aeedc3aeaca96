"""Train the models that the metrics need: a QAGen, a consistency classifier, a reader; or make what a QAGen needs.

A training that is killed continues from its last evaluation when the same command is given again.

Example: quals train qagen --model facebook/bart-large --train-file squad.json --validation-file dev.json
--output-dir my-qagen
"""

from __future__ import annotations

import argparse
from itertools import chain
from pathlib import Path
from pkgutil import resolve_name

from qags.pipeline import PIPELINE

from trainer_ext.cli.options.field import add_fields, from_options
from trainer_ext.recipes.factcc.recipe import FactCCRecipe
from trainer_ext.recipes.qagen.recipe import QAGenRecipe
from trainer_ext.recipes.reader.recipe import ReaderRecipe
from trainer_ext.recipes.recipe import Recipe

# By name: the recipe, and what the command does.
_RECIPES: dict[str, tuple[type[Recipe], str]] = {
    "qagen": (QAGenRecipe, "train a seq2seq checkpoint into a question-answer generator, for QUALS"),
    "factcc": (FactCCRecipe, "train an encoder into a consistency classifier, for FactCC, on synthetic claims"),
    "reader": (ReaderRecipe, "train an encoder into an extractive reader that may find no answer, for QAGS"),
}
_BASE = "make a base for a QAGen: a small BART from a BERT encoder, or a T5 or BART with fewer pieces"
_STATEMENTS = "make true and false statements about documents, for --statement-file of a QAGen or a classifier"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    models = parser.add_subparsers(dest="trained", required=True, metavar="MODEL", help="model to train")
    for name, (recipe, summary) in _RECIPES.items():
        command = models.add_parser(
            name, help=summary, description=_sentence(summary), formatter_class=parser.formatter_class
        )
        add_fields(command, recipe)
    base = models.add_parser("base", help=_BASE, description=_sentence(_BASE), formatter_class=parser.formatter_class)
    add = base.add_argument
    add(
        "--model",
        required=True,
        help="folder or Hub name of a BERT encoder, of a T5, or of a BART with BERT's tokenizer",
    )
    add("--output-dir", required=True, type=Path, help="folder for the base")
    add("--decoder-layers", type=int, help="decoder layers: 3 from a BERT's encoder, all of a T5's, if not given")
    add("--pieces", type=int, default=16_000, help="pieces of the vocabulary of a T5 or BART that stay")
    add("--train-file", action="append", default=[], help="question-answer file whose pieces stay")
    add("--text-file", action="append", default=[], help="JSON lines, CSV or parquet of documents, counted likewise")
    statements = models.add_parser(
        "statements", help=_STATEMENTS, description=_sentence(_STATEMENTS), formatter_class=parser.formatter_class
    )
    add = statements.add_argument
    add("--text-file", action="append", default=[], help="JSON lines, CSV or parquet of documents")
    add(
        "--summary-file",
        action="append",
        default=[],
        help="JSON lines, CSV or parquet of sources and true summaries, each told as it is and with one fact changed",
    )
    add("--output", required=True, type=Path, help="file for the statements (.jsonl), replaced at the end")
    add("--pipeline", default=PIPELINE, help="spaCy pipeline with tagger, parser and named entities")
    add("--per-document", type=int, default=2, help="statements per document, two of each sentence that is used")
    add(
        "--left-out", type=int, default=1, help="sentences that are taken out of a long document, and as many that stay"
    )
    add("--document-words", type=int, default=300, help="words that are read of a document")
    add("--seed", type=int, default=17, help="seed of all choices")


def run(arguments: argparse.Namespace) -> None:
    name = arguments.trained
    if name == "base":
        folder = _base(arguments)
    elif name == "statements":
        folder = _statements(arguments)
    else:
        recipe = from_options(arguments, _RECIPES[name][0])
        # Imported here, so that the help does not wait for torch.
        folder = resolve_name(f"trainer_ext.recipes.{name}.train:train_{name}")(recipe)
    print(f"Written to {folder}")


def _base(arguments: argparse.Namespace) -> Path:
    from trainer_ext.recipes.qagen.base import bart_base, can_be_cut, smaller_base

    model, folder = arguments.model, arguments.output_dir
    if can_be_cut(model):
        files = arguments.train_file, arguments.text_file
        return smaller_base(model, folder, arguments.pieces, *files, decoder_layers=arguments.decoder_layers)
    return bart_base(model, folder, 3 if arguments.decoder_layers is None else arguments.decoder_layers)


def _statements(arguments: argparse.Namespace) -> Path:
    from qags.pipeline import load_pipeline
    from quals.errors import DataError, OptionError
    from quals.inputs import whole_number
    from tqdm.auto import tqdm

    from trainer_ext.io.tables import check_output
    from trainer_ext.recipes.documents import read_documents
    from trainer_ext.recipes.qagen.statements import change_statements, make_statements
    from trainer_ext.recipes.statements import read_summaries, write_statements

    output: Path = arguments.output
    files = [*arguments.text_file, *arguments.summary_file]
    if not files:
        raise OptionError("There is nothing to make statements of: give a --text-file or a --summary-file.")
    # Told before the pipeline is loaded and all files are read.
    whole_number("--document-words", arguments.document_words, 1)
    whole_number("--per-document", arguments.per_document, 2)
    whole_number("--left-out", arguments.left_out, 0)
    check_output(output, (".jsonl",), list(map(Path, files)))
    summaries = read_summaries(arguments.summary_file)
    documents = [" ".join(text.split()[: arguments.document_words]) for text in read_documents(arguments.text_file)]
    pipeline = load_pipeline(arguments.pipeline)
    made = make_statements(
        tqdm(documents, desc="documents"),
        pipeline,
        per_document=arguments.per_document,
        left_out=arguments.left_out,
        seed=arguments.seed,
    )
    changed = change_statements(tqdm(summaries, desc="summaries"), pipeline, seed=arguments.seed)
    statements = list(dict.fromkeys(chain(made, changed)))
    if not statements:
        raise DataError("No statement could be made: no document has a sentence of 5 words in which a fact can change.")
    write_statements(output, statements)
    print(f"{len(statements)} statements, {sum(told.consistent for told in statements)} of them true")
    return output


def _sentence(summary: str) -> str:
    return f"{summary[0].upper()}{summary[1:]}."
