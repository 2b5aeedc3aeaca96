"""What transformers and accelerate leave behind in a model, and mining must not see."""

from __future__ import annotations

from typing import Any

from transformers import trainer_utils


def without_autocast(model: Any) -> None:
    """Give the model its class's own ``forward`` again.

    accelerate wraps it in autocast whenever it prepares the model in mixed precision, for good, and once more at each
    ``train()`` and the first ``evaluate()``. A model that generates in another precision after an evaluation than in a
    fresh process would sample other candidates under the same fingerprint.
    """
    own = type(model).forward
    forward = model.__dict__.get("forward")
    while forward is not None and getattr(forward, "__func__", forward) is not own:
        forward = getattr(forward, "__wrapped__", None)
    if forward is not None:  # some other wrapper, of a user's, is left alone
        del model.forward
        model.__dict__.pop("_original_forward", None)


def align_special_tokens(model: Any, processing_class: Any) -> None:
    """Do now what ``train()`` does as it starts: take the tokenizer's special tokens into the model's configs.

    They are part of what candidates depend on, so they must be the same in a run that goes on as in one that did not
    stop.
    """
    align = getattr(trainer_utils, "align_special_tokens", None)  # a method of Trainer in early versions of 5
    if align is not None and processing_class is not None and hasattr(model, "config"):
        align(model, processing_class)
