"""Make a base for a QAGen: a small BART from a BERT encoder, or a T5 or BART with the vocabulary that texts need."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import cast

from quals.errors import OptionError
from transformers import AutoConfig, AutoModelForSeq2SeqLM, BertModel, T5ForConditionalGeneration

from trainer_ext.recipes.base_model import load_base
from trainer_ext.recipes.checkpoints import save
from trainer_ext.recipes.documents import read_documents
from trainer_ext.recipes.qa_data import read_passages
from trainer_ext.recipes.qagen.bart_from_bert import bart_from_bert
from trainer_ext.recipes.qagen.decoder_layers import keep_decoder_layers
from trainer_ext.recipes.qagen.vocabulary import cut_vocabulary

_CUT = ("t5", "bart")


def bart_base(encoder: str, folder: Path, decoder_layers: int) -> Path:
    """Write the BART of :func:`~trainer_ext.recipes.qagen.bart_from_bert.bart_from_bert`, with BERT's tokenizer.

    Args:
        encoder: folder or Hub name of a BERT encoder.
        folder: where the BART goes.
        decoder_layers: number of decoder layers, from 1 to the encoder's.

    Returns:
        The folder.

    Raises:
        CheckpointError: the encoder cannot be read, or is not a BERT.
        OptionError: the encoder has fewer layers.
    """
    bert, tokenizer = load_base(
        BertModel,
        encoder,
        lambda config: None if config.model_type == "bert" else f"a {config.model_type} model is not a BERT",
        add_pooling_layer=False,
    )
    bart = bart_from_bert(cast(BertModel, bert), decoder_layers, tokenizer.cls_token_id, tokenizer.sep_token_id)
    save(bart, tokenizer, folder)
    return folder


def smaller_base(
    model: str,
    folder: Path,
    pieces: int,
    train_files: Sequence[str] = (),
    text_files: Sequence[str] = (),
    decoder_layers: int | None = None,
) -> Path:
    """Write a model with the vocabulary of :func:`~trainer_ext.recipes.qagen.vocabulary.cut_vocabulary`.

    Args:
        model: folder or Hub name of a T5, or of a BART with BERT's tokenizer, such as a QAGen made of a BERT.
        folder: where the smaller one goes.
        pieces: pieces that stay.
        decoder_layers: decoder layers of a T5 that stay, at even distances; None keeps all.
        train_files: question-answer data, whose passages, questions and answers count.
        text_files: tables of documents, which count too.

    Returns:
        The folder.

    Raises:
        CheckpointError: the model cannot be read, or is neither.
        DataError: a file cannot be read.
        OptionError: there are no files, or a number is out of range.
    """
    if not train_files and not text_files:
        raise OptionError("The pieces that stay are those that texts use: give a --train-file or a --text-file.")
    large, tokenizer = load_base(
        AutoModelForSeq2SeqLM,
        model,
        lambda config: None if config.model_type in _CUT else f"a {config.model_type} model is neither a T5 nor a BART",
    )
    if decoder_layers is not None:
        if large.config.model_type != "t5":
            raise OptionError("decoder_layers is given, and only a T5's decoder can be cut: leave it out.")
        keep_decoder_layers(cast(T5ForConditionalGeneration, large), decoder_layers)
    save(large, cut_vocabulary(large, tokenizer, _texts(train_files, text_files), pieces), folder)
    return folder


def can_be_cut(model: str) -> bool:
    """Whether a folder or Hub name is a T5's or a BART's."""
    try:
        return AutoConfig.from_pretrained(model, trust_remote_code=False).model_type in _CUT
    except (OSError, ValueError):
        return False  # loading will say why


def _texts(train_files: Sequence[str], text_files: Sequence[str]) -> Iterator[str]:
    for name in train_files:
        for passage in read_passages(name, unanswerable=True):
            yield passage.text
            for pair in passage.pairs:
                yield from (pair.question, *pair.answers)
    yield from read_documents(text_files)
