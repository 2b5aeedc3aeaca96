"""What transformers and accelerate leave behind in a model, and mining must not see."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from transformers import trainer_utils


@contextmanager
def without_autocast(model: Any) -> Iterator[None]:
    """The model has its class's own ``forward`` in the block.

    accelerate wraps it in autocast when it prepares the model in mixed precision, for good. A model that generates in
    another precision after an evaluation than in a fresh process would sample other candidates under the same
    fingerprint.
    """
    wrapped = model.__dict__.pop("forward") if _in_autocast(model) else None
    try:
        yield
    finally:
        if wrapped is not None:
            model.forward = wrapped


def forget_preparation(model: Any) -> None:
    """Make accelerate prepare the model as one that it has never seen.

    It takes a model as it is that any trainer prepared before, if only for an evaluation: without autocast where that
    was taken off meanwhile, and not spread over ranks, which then train apart.
    """
    if _in_autocast(model):
        del model.forward
        model.__dict__.pop("_original_forward", None)
    model.__dict__.pop("_is_accelerate_prepared", None)


def _in_autocast(model: Any) -> bool:
    """Whether its ``forward`` is a wrapped one of its class; some other wrapper, of a user's, is left alone."""
    own = type(model).forward
    forward = model.__dict__.get("forward")
    while forward is not None and getattr(forward, "__func__", forward) is not own:
        forward = getattr(forward, "__wrapped__", None)
    return forward is not None


def align_special_tokens(model: Any, processing_class: Any) -> None:
    """Do now what ``train()`` does as it starts: take the tokenizer's special tokens into the model's configs.

    They are part of what candidates depend on, so they must be the same in a run that goes on as in one that did not
    stop.
    """
    align = getattr(trainer_utils, "align_special_tokens", None)  # a method of Trainer in early versions of 5
    if align is not None and processing_class is not None and hasattr(model, "config"):
        align(model, processing_class)
