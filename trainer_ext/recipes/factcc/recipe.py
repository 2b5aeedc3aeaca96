"""The settings of a consistency classifier's training."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

from qags.pipeline import PIPELINE

from trainer_ext.recipes.recipe import EncoderRecipe


@dataclass(frozen=True, kw_only=True)
class FactCCRecipe(EncoderRecipe):
    """What to train into a consistency classifier (FactCC), on what, for how long.

    :func:`~trainer_ext.recipes.documents.read_documents` reads the files.
    """

    train_files: Sequence[str] = field(
        metadata={
            "help": "JSON lines, CSV or parquet with a column document, source, article, context or text; may be "
            "given several times"
        }
    )
    validation_file: str = field(metadata={"help": "file of other documents; chooses the checkpoint that is kept"})
    statement_files: Sequence[str] = field(
        default=(),
        metadata={
            "help": "file of sources and statements with judgements, to train on beside the claims; may be "
            "given several times",
            "option": "statement-file",
        },
    )
    documents: int | None = field(
        default=None, metadata={"help": "documents to train on, drawn by the seed; all if not given", "least": 1}
    )
    pipeline: str = field(default=PIPELINE, metadata={"help": "spaCy pipeline with tagger, parser and named entities"})
    claims_per_document: int = field(
        default=4, metadata={"help": "claims per document, half of them consistent", "least": 2}
    )
    document_words: int = field(
        default=300,
        metadata={
            "help": "longest document in words; each is cut at a fifth of this or more",
            "least": 1,
        },
    )
    shortened: float = field(
        default=0.8,
        metadata={"help": "share of the claims that leave out parts of their sentence", "least": 0, "most": 1},
    )
    epochs: float = field(default=2.0, metadata={"help": "passes over the claims"})
    learning_rate: float = field(
        default=5e-5, metadata={"help": "peak learning rate; the paper has 2e-5 for BERT-base"}
    )
    span_weight: float = field(
        default=1.0,
        metadata={
            "help": "weight of the loss for pointing at the sentence and the changed words; 0 trains by labels alone",
            "least": 0,
            "below": math.inf,
        },
    )
    batch: int = field(default=16, metadata={"help": "claims in a step; the paper has 12"})
    max_tokens: int = field(default=512, metadata={"help": "tokens of document and claim together"})
    validation_documents: int = field(
        default=500, metadata={"help": "documents of the validation file that are used", "least": 1}
    )
