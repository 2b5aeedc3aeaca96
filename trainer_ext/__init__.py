"""Training Hugging Face summarizers to state what their source states.

The names below are the public face, with two sub-modules: :mod:`trainer_ext.mining`, the steps of mining as functions
over a data set, and :mod:`trainer_ext.losses`, the contrastive losses.

Example:
    >>> from trainer_ext import ContrastiveSeq2SeqTrainingArguments
    >>> from trainer_ext.losses import LOSSES
    >>> sorted(LOSSES)
    ['hellinger', 'hinge', 'margin', 'preference', 'unlikelihood']
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from quals import __version__
from quals.errors import require_extra

if TYPE_CHECKING:
    from trainer_ext.arguments import ContrastiveSeq2SeqTrainingArguments
    from trainer_ext.collator import ContrastiveCollator
    from trainer_ext.evaluation import QualsComputeMetrics, QualsMetrics
    from trainer_ext.io.processes import end_training
    from trainer_ext.trainer import ContrastiveSeq2SeqTrainer

__all__ = [
    "ContrastiveCollator",
    "ContrastiveSeq2SeqTrainer",
    "ContrastiveSeq2SeqTrainingArguments",
    "QualsComputeMetrics",
    "QualsMetrics",
    "__version__",
    "end_training",
]

_HOMES = {
    "ContrastiveCollator": "collator",
    "ContrastiveSeq2SeqTrainer": "trainer",
    "ContrastiveSeq2SeqTrainingArguments": "arguments",
    "QualsComputeMetrics": "evaluation",
    "QualsMetrics": "evaluation",  # the earlier name
    "end_training": "io.processes",
}


def __getattr__(name: str) -> Any:
    # Imported when asked for: the commands start without transformers, so that --help is quick.
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    require_extra("train", "accelerate", "rouge_score")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
