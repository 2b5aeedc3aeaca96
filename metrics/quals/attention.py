"""Cross-attention from many decoder rows to few encoded texts, without repeating the texts.

An encoder-decoder that scores or generates several targets for one text needs that text's keys and values once, yet
the libraries repeat them for every target row. Here the decoder runs with N rows while the encoder states keep one
entry for each of the B texts; the rows of a text are folded into its query length, attended together, and unfolded.
The result is the same as with repeated states, for N/B times less memory and projection work, in training too.

It works for every model that uses transformers' public attention interface (BART, T5, Pegasus, mBART, Marian, ...).
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

import torch
from torch import Tensor
from transformers import AttentionInterface, AttentionMaskInterface, PreTrainedModel
from transformers.integrations.sdpa_attention import sdpa_attention_forward
from transformers.masking_utils import sdpa_mask

from .matmul import one_dnn_multiplies

_SCORES = 2**19  # numbers in a piece of attention scores: they stay in the processor's cache

# The registry is one for the process, and evaluate imports copies of this file under names of its own: each copy must
# keep to its own function, which reads its own context.
NAME = f"quals_shared_{__name__.replace('.', '_')}"

_row_texts: ContextVar[Tensor | None] = ContextVar("quals_row_texts", default=None)
_depths: ContextVar[Tensor | None] = ContextVar("quals_node_depths", default=None)


@contextmanager
def rows_of_texts(row_texts: Tensor) -> Iterator[None]:
    """Inside this context, decoder row ``n`` attends to encoded text ``row_texts[n]``.

    Needed only where texts have different numbers of rows; otherwise the rows lie text by text, N/B each.

    Args:
        row_texts: ``(N,)`` int64, ascending, and every text 0..B-1 occurs, so that N == B means one row a text.
    """
    token = _row_texts.set(row_texts)
    try:
        yield
    finally:
        _row_texts.reset(token)


@contextmanager
def nodes_at_depths(depths: Tensor) -> Iterator[None]:
    """Inside this context a decoder's relative positions are those of tree nodes at ``depths``, ``(B, L)`` int64."""
    token = _depths.set(depths)
    try:
        yield
    finally:
        _depths.reset(token)


def share_encoder_states(model: PreTrainedModel) -> None:
    """Make ``model`` (in place) accept decoder inputs of N rows with encoder outputs of B texts.

    Raises:
        ValueError: the model's architecture does not use transformers' attention interface.
    """
    supported = getattr(model, "_supports_attention_backend", False) or getattr(model, "_supports_sdpa", False)
    if not supported:
        raise ValueError(
            f"{type(model).__name__} does not use transformers' attention interface, so decoder rows cannot share "
            "encoder states. Use a BART, T5, Pegasus, mBART or Marian checkpoint."
        )
    model.set_attn_implementation(NAME)


def _shared_attention(
    module: torch.nn.Module,
    query: Tensor,  # (N, H, Q, D)
    key: Tensor,  # (B, H, S, D)
    value: Tensor,  # (B, H, S, D)
    attention_mask: Tensor | None,  # (B or 1, 1, Q or 1, S)
    **kwargs: Any,
) -> tuple[Tensor, None]:
    rows, heads, length, width = query.shape
    texts = key.shape[0]
    depths, bias = _depths.get(), kwargs.get("position_bias")
    if depths is not None and bias is not None and module.is_causal:  # T5's bias is by distance: (1, H, L, L)
        kwargs["position_bias"] = bias[0][:, depths[:, :, None], depths[:, None]].transpose(0, 1)  # (B, H, L, L)
    if rows == texts:  # self-attention, or one row a text
        return _attend(module, query, key, value, attention_mask, **kwargs)

    row_texts = _row_texts.get()
    if row_texts is None:
        per_text, left = divmod(rows, texts)
        if left:
            raise ValueError(f"{rows} decoder rows do not divide over {texts} texts; use rows_of_texts().")
        padded = query.view(texts, per_text, heads, length, width)
    else:  # lay rows out as (B, most rows of a text); the gaps attend too, and nobody reads what they find
        counts = torch.bincount(row_texts, minlength=texts)  # (B,)
        per_text = int(counts.max())
        first = torch.cumsum(counts, 0) - counts  # (B,)
        slot = torch.arange(rows, device=query.device) - first[row_texts]  # (N,)
        padded = query.new_zeros(texts, per_text, heads, length, width)
        padded[row_texts, slot] = query
    folded = padded.transpose(1, 2).reshape(texts, heads, per_text * length, width)

    # The mask of a cross-attention hides padding of the text, so it is the same for every query.
    if attention_mask is not None:
        attention_mask = attention_mask[:, :, :1]  # (B, 1, 1, S)
    bias = kwargs.pop("position_bias", None)  # T5's: the same for all rows, (1, H, Q, S)
    if bias is not None:
        kwargs["position_bias"] = bias.repeat(1, 1, per_text, 1)  # (1, H, per_text * Q, S)
    kwargs["is_causal"] = False
    out, _ = _attend(module, folded, key, value, attention_mask, **kwargs)  # (B, per_text * Q, H, D)

    out = out.reshape(texts, per_text, length, heads, width)
    return (out.flatten(0, 1) if row_texts is None else out[row_texts, slot]), None  # (N, Q, H, D)


def _attend(
    module: torch.nn.Module,
    query: Tensor,  # (B, H, Q, D)
    key: Tensor,  # (B, H, S, D)
    value: Tensor,  # (B, H, S, D)
    attention_mask: Tensor | None,
    **kwargs: Any,
) -> tuple[Tensor, None]:
    """Attention by transformers; or by plain products where oneDNN makes them, as it is slow inside torch's kernel."""
    bias, causal = kwargs.get("position_bias"), kwargs.get("is_causal")
    causal = module.is_causal if causal is None else causal
    causal = causal and attention_mask is None and query.shape[2] > 1
    if torch.is_grad_enabled() or not one_dnn_multiplies() or key.shape[1] != query.shape[1] or causal:
        return sdpa_attention_forward(module, query, key, value, attention_mask, **kwargs)
    scale = kwargs.get("scaling")
    query = query * (query.shape[-1] ** -0.5 if scale is None else scale)
    if attention_mask is not None:  # adding is faster than filling
        attention_mask = torch.zeros_like(attention_mask, dtype=query.dtype).masked_fill_(~attention_mask, -torch.inf)
    texts, heads, length, _ = query.shape
    out = torch.empty_like(query.transpose(1, 2))  # (B, Q, H, D)
    per_head = length * key.shape[2]
    step = max(1, _SCORES // per_head)  # heads
    for text in range(0, texts, max(1, step // heads)):
        some = slice(text, text + max(1, step // heads))
        for head in range(0, heads, step):
            few = slice(head, head + step)
            scores = query[some, few] @ key[some, few].transpose(2, 3)  # (b, h, Q, S)
            if bias is not None:
                scores += bias[some if len(bias) > 1 else slice(None), few]
            if attention_mask is not None:
                scores += attention_mask[some if len(attention_mask) > 1 else slice(None)]
            out[some, :, few] = (scores.softmax(-1) @ value[some, few]).transpose(1, 2)
    return out, None


AttentionInterface.register(NAME, _shared_attention)
AttentionMaskInterface.register(NAME, sdpa_mask)
