"""The settings of a reader's training."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from trainer_ext.recipes.recipe import QA_FILES, EncoderRecipe


@dataclass(frozen=True, kw_only=True)
class ReaderRecipe(EncoderRecipe):
    """What to train into an extractive reader, on what, for how long.

    :func:`~trainer_ext.recipes.qa_data.read_passages` reads the files.
    """

    train_files: Sequence[str] = field(metadata={"help": QA_FILES})
    validation_file: str = field(
        metadata={"help": "file of the same form; chooses the checkpoint that is kept, and measures it"}
    )
    test_file: str | None = field(
        default=None, metadata={"help": "file of the same form, e.g. with unanswerable questions; measures only"}
    )
    unanswered: float = field(
        default=0.4,
        metadata={"help": "share of the questions put to a passage without the answer too", "least": 0, "most": 1},
    )
    learning_rate: float = field(default=1e-4, metadata={"help": "peak learning rate; 3e-5 is usual for BERT-base"})
    max_tokens: int = field(default=384, metadata={"help": "tokens of a question and a window of its passage"})
    eval_steps: int = 1000
    validation_passages: int = field(
        default=300, metadata={"help": "passages of the validation file that choose the checkpoint", "least": 1}
    )
