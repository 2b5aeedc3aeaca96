"""The settings of a QAGen's training."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from trainer_ext.recipes.recipe import QA_FILES, Recipe


@dataclass(frozen=True, kw_only=True)
class QAGenRecipe(Recipe):
    """What to train into a QAGen, on what, for how long.

    :func:`~trainer_ext.recipes.qa_data.read_passages` reads the files. The learning rate rises over ``warmup_steps``
    and then falls linearly to 0.

    Example:
        >>> recipe = QAGenRecipe(
        ...     model="facebook/bart-large", train_files=["squad.json"], validation_file="dev.json", output_dir="qagen"
        ... )
        >>> recipe.tokens_per_batch
        2048
    """

    model: str = field(metadata={"help": "folder or Hub name of a seq2seq checkpoint, e.g. facebook/bart-large"})
    train_files: Sequence[str] = field(metadata={"help": QA_FILES})
    validation_file: str = field(
        metadata={"help": "file of the same form; chooses the checkpoint that is kept, and measures it"}
    )
    epochs: float = field(default=2.0, metadata={"help": "passes over the data; the last may be a part, as in 1.5"})
    learning_rate: float = field(
        default=5e-4, metadata={"help": "peak learning rate; the paper has 3e-5 for BART-large"}
    )
    warmup_steps: int = field(default=300, metadata={"help": "optimizer steps up to the peak", "least": 0})
    tokens_per_batch: int = field(
        default=2048, metadata={"help": "source tokens, and target tokens, in a batch", "least": 1}
    )
    accumulation: int = field(
        default=1,
        metadata={"help": "batches in an optimizer step", "option": "gradient-accumulation-steps", "least": 1},
    )
    max_tokens: int = field(default=512, metadata={"help": "longest passage in tokens; longer ones are cut"})
    label_smoothing: float = field(
        default=0.0, metadata={"help": "label smoothing; the paper has 0.1", "least": 0, "below": 1}
    )
    eval_steps: int = 400
    validation_passages: int = field(
        default=600, metadata={"help": "passages of the validation file that choose the checkpoint", "least": 1}
    )
    answer_first: bool = field(
        default=False, metadata={"help": "train a question generator for QAGS, which writes the answer first"}
    )
    statement_files: Sequence[str] = field(
        default=(),
        metadata={
            "help": "file of true and false statements about sources, for the contrast; the model must be a QAGen; "
            "may be given several times",
            "option": "statement-file",
        },
    )
    contrast_weight: float = field(
        default=1.0, metadata={"help": "weight of the statements against the question-answer data", "least": 0}
    )
    rank_weight: float = field(
        default=0.5,
        metadata={
            "help": "weight of ranking the pairs that a source states above its others, against judging each alone",
            "least": 0,
        },
    )
    pairs_per_statement: int = field(
        default=6, metadata={"help": "pairs that the QAGen asks of a statement", "least": 1}
    )
