"""State that transformers and accelerate leave in a model, and that mining must not see."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from torch import nn
from transformers import TrainingArguments, enable_full_determinism, set_seed

_SPARSE = "create_masks_for_block_sparse_attn"  # what such an encoder alone has


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


def attend_as_configured(model: nn.Module) -> None:
    """Let BigBird-Pegasus choose between sparse and full attention for each batch anew.

    transformers changes it to full attention at the first batch that is too short for blocks, and leaves it so: samples
    and losses would depend on the documents before, and differ after a resume. The finding is
    findings/bigbird-pegasus-stays-in-full-attention.sh; this function may go when that finding fails.
    """
    for module in model.modules():
        if hasattr(module, _SPARSE) and _choose_attention not in module._forward_pre_hooks.values():
            module.register_forward_pre_hook(_choose_attention, with_kwargs=True)


def _choose_attention(encoder: Any, inputs: tuple[Any, ...], named: dict[str, Any]) -> None:
    # transformers warns of each change to full attention: a batch that needs it finds what is there.
    read = [*inputs, named.get("input_ids"), named.get("inputs_embeds")]
    length = next(given.shape[1] for given in read if given is not None)
    blocks = 5 + 2 * encoder.config.num_random_blocks
    if length > blocks * encoder.config.block_size:
        encoder.set_attention_type(encoder.config.attention_type)


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
