"""State that transformers and accelerate leave in a model, and that mining must not see."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from transformers import TrainingArguments, enable_full_determinism, set_seed


@contextmanager
def without_autocast(model: Any) -> Iterator[None]:
    """Inside, the model has the ``forward`` of its class, without mixed precision.

    accelerate wraps ``forward`` in autocast for good when it prepares a model in mixed precision. After an evaluation
    the model would then sample in another precision than in a fresh process, and its weights would be the same.
    """
    wrapped = model.__dict__.pop("forward") if _in_autocast(model) else None
    try:
        yield
    finally:
        if wrapped is not None:
            model.forward = wrapped


def forget_preparation(model: Any) -> None:
    """Make accelerate prepare the model as if it had never seen it.

    transformers 5.x prepares the model for an evaluation too (its pull request 24014), and then trains it without
    preparing it again: several ranks are not wrapped in DDP, and drift apart. The finding is
    findings/ranks-drift-after-evaluate.sh; this function may go when that finding fails.
    """
    if _in_autocast(model):
        del model.forward
        model.__dict__.pop("_original_forward", None)
    model.__dict__.pop("_is_accelerate_prepared", None)


def _in_autocast(model: Any) -> bool:
    """Whether ``forward`` is a wrapped one of the model's class; a user's own wrapper is left alone."""
    own = type(model).forward
    forward = model.__dict__.get("forward")
    while forward is not None and getattr(forward, "__func__", forward) is not own:
        forward = getattr(forward, "__wrapped__", None)
    return forward is not None


def seed_everything(args: TrainingArguments) -> None:
    """Seed as Trainer does before it makes a model."""
    if args.full_determinism:
        enable_full_determinism(args.seed)
    else:
        set_seed(args.seed)
