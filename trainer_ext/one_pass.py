"""One pass of the model for a batch's target summaries and their candidates together."""

from __future__ import annotations

import inspect
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any

import torch
from quals.attention import share_encoder_states
from torch import Tensor, nn
from transformers import PreTrainedModel
from transformers.modeling_outputs import BaseModelOutput

from trainer_ext.dataset import IGNORED
from trainer_ext.model_state import without_autocast


def target_rows(labels: Tensor, candidate_labels: Tensor) -> Tensor:
    """Targets (row 0) and candidates side by side.

    Args:
        labels: ``(B, T+)`` int64, -100 at padding.
        candidate_labels: ``(B, K, T-)`` int64, -100 at padding.

    Returns:
        ``(B, 1 + K, T)`` int64, where T is the longer of the two lengths.
    """
    longest = max(labels.shape[-1], candidate_labels.shape[-1])
    parts = [labels.unsqueeze(1), candidate_labels]
    padded = [nn.functional.pad(part, (0, longest - part.shape[-1]), value=IGNORED) for part in parts]
    return torch.cat(padded, dim=1)  # (B, 1 + K, T)


def base_model(model: Any) -> PreTrainedModel:
    """The transformers model inside a peft model; any other model as it is."""
    inner: PreTrainedModel = model.get_base_model() if hasattr(model, "get_base_model") else model
    return inner


def decoder_inputs(model: nn.Module, targets: Tensor) -> Tensor:
    """``decoder_input_ids`` ``(B * (1 + K), T)`` for targets ``(B, 1 + K, T)``, as the model makes them from labels.

    A row without tokens gets the inputs of its document's target, because some models look for a row's last token.
    Its labels stay padding, so its logits are never read.
    """
    empty = (targets == IGNORED).all(-1, keepdim=True)  # (B, 1 + K, 1)
    labels = torch.where(empty, targets[:, :1], targets).flatten(0, 1)  # (B * (1 + K), T)
    core: Any = base_model(model)
    if hasattr(core, "prepare_decoder_input_ids_from_labels"):
        ids: Tensor = core.prepare_decoder_input_ids_from_labels(labels=labels)
        return ids
    start = labels.new_full((len(labels), 1), core.config.decoder_start_token_id)
    shifted = torch.cat([start, labels[:, :-1]], dim=1)
    return shifted.masked_fill(shifted == IGNORED, core.config.pad_token_id)


def forward_rows(
    model: nn.Module,
    core: nn.Module,
    inputs: Mapping[str, Tensor],
    targets: Tensor,
    shared: bool,
    autocast: AbstractContextManager[Any] | None = None,
) -> Tensor:
    """Logits of all rows; each source is encoded once.

    Args:
        model: the model to call, possibly wrapped (DDP, compiled).
        core: the same model without wrappers.
        inputs: the encoder's: ``input_ids`` ``(B, S)``, ``attention_mask`` and the like.
        targets: ``(B, 1 + K, T)`` int64, -100 at padding.
        shared: whether the model is inside :func:`shared_states`. If so, one call of the model does all, and the rows
            of a source share its encoder states. If not, the states are repeated per row.
        autocast: context for the encoder, which is called by itself where states are repeated.

    Returns:
        ``(B, 1 + K, T, V)``.
    """
    rows = targets.shape[1]
    decoder_input_ids = decoder_inputs(core, targets)  # (B * (1 + K), T)
    if shared:
        output = model(**inputs, decoder_input_ids=decoder_input_ids, use_cache=False)
    else:
        encoder = base_model(core).get_encoder()
        known = inspect.signature(encoder.forward).parameters
        with autocast or nullcontext():
            states = encoder(**{name: value for name, value in inputs.items() if name in known})[0]  # (B, S, D)
        mask = inputs.get("attention_mask")
        output = model(
            encoder_outputs=BaseModelOutput(last_hidden_state=states.repeat_interleave(rows, 0)),
            attention_mask=None if mask is None else mask.repeat_interleave(rows, 0),
            decoder_input_ids=decoder_input_ids,
            use_cache=False,
        )
    logits: Tensor = output["logits"] if isinstance(output, Mapping) else output[0]
    return logits.unflatten(0, targets.shape[:2])


@contextmanager
def shared_states(model: nn.Module) -> Iterator[bool]:
    """Inside, decoder rows of ``model`` share the encoder states of their source, where the model allows it.

    Yields:
        Whether they do. They do not in models with an attention of their own (LED, ProphetNet), nor where the user
        chose an attention that cannot (flash attention). This is tried out: a small batch must have the same logits
        both ways.
    """
    core = base_model(model)
    before = _implementations(core)
    if not set(before.values()) <= {"sdpa", "eager"}:
        yield False
        return
    try:
        works = _logits_stay_the_same(core)
        if not works:
            core.set_attn_implementation(before)
        yield works
    finally:
        core.set_attn_implementation(before)


def _implementations(core: PreTrainedModel) -> dict[str, str]:
    config = core.config
    parts = {name: getattr(config, name, None) for name in getattr(config, "sub_configs", {})}
    named = {name: part._attn_implementation for name, part in parts.items() if part is not None}
    return {"": config._attn_implementation, **named}


@torch.no_grad()
def _logits_stay_the_same(core: Any) -> bool:
    """Whether two sources with two rows each have the same logits with shared as with repeated states."""
    vocabulary = core.get_output_embeddings().weight.shape[0]
    first = core.get_input_embeddings().weight
    ids = (torch.arange(2 * 6, device=first.device).view(2, 6) * 7 + 11) % vocabulary  # (2, 6)
    mask = torch.ones_like(ids)
    mask[1, 4:] = 0  # padding, which a lost mask would attend to
    targets = ((torch.arange(2 * 2 * 3, device=first.device).view(2, 2, 3) * 5 + 13) % vocabulary).clamp(min=1)
    inputs = {"input_ids": ids, "attention_mask": mask}
    training = core.training
    core.eval()
    try:
        with without_autocast(core):  # its rounding would hide a small difference
            repeated = forward_rows(core, core, inputs, targets, shared=False)
            share_encoder_states(core)
            shared = forward_rows(core, core, inputs, targets, shared=True)
    except (ValueError, RuntimeError, TypeError, IndexError, NotImplementedError):  # the model's own code refuses
        return False
    finally:
        core.train(training)
    tolerance = 1e-3 if first.dtype in (torch.float32, torch.float64) else 5e-2
    return bool(torch.allclose(shared.float(), repeated.float(), rtol=tolerance, atol=tolerance))
