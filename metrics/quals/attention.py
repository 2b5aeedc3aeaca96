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

from .matmul import one_dnn_multiplies, rounded_up

_SCORES = 2**19  # numbers in a piece of attention scores: they stay in the processor's cache

# The registry is one for the process, and evaluate imports copies of this file under names of its own: each copy must
# keep to its own function, which reads its own context.
NAME = f"quals_shared_{__name__.replace('.', '_')}"

_row_texts: ContextVar[Tensor | None] = ContextVar("quals_row_texts", default=None)
_depths: ContextVar[_Depths | None] = ContextVar("quals_node_depths", default=None)


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


class _Depths:
    """Depths of tree nodes, ``(B, L)``, and the bias that they have instead of the latest one by distance."""

    def __init__(self, depths: Tensor) -> None:
        self._depths = depths
        self._known: tuple[Tensor, Tensor] | None = None

    def bias(self, by_distance: Tensor) -> Tensor:
        """T5's ``(1, H, L, L)``, mostly one for all layers, as ``(B, H, L, L)``."""
        if self._known is None or self._known[0] is not by_distance:
            depths = self._depths
            own = by_distance[0][:, depths[:, :, None], depths[:, None]].transpose(0, 1)
            self._known = by_distance, own.contiguous()
        return self._known[1]


@contextmanager
def nodes_at_depths(depths: Tensor) -> Iterator[None]:
    """Inside this context a decoder's relative positions are those of tree nodes at ``depths``, ``(B, L)`` int64."""
    token = _depths.set(_Depths(depths))
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
    if depths is not None and bias is not None and module.is_causal:
        kwargs["position_bias"] = depths.bias(bias)
    if rows == texts:  # self-attention, or one row a text
        return _attend(module, query, key, value, attention_mask, **kwargs)

    row_texts = _row_texts.get()
    if row_texts is None:
        per_text, left = divmod(rows, texts)
        if left:
            raise ValueError(f"{rows} decoder rows do not divide over {texts} texts; use rows_of_texts().")
        padded = query
    else:  # lay rows out as (B, most rows of a text); the gaps attend too, and nobody reads what they find
        counts = torch.bincount(row_texts, minlength=texts)  # (B,)
        per_text = rounded_up(int(counts.max()))
        first = torch.cumsum(counts, 0) - counts  # (B,)
        slots = (
            torch.arange(rows, device=query.device)
            + (torch.arange(texts, device=query.device) * per_text - first)[row_texts]
        )  # (N,)
        padded = query.new_zeros(texts * per_text, heads, length, width).index_copy(0, slots, query)
    folded = padded.view(texts, per_text, heads, length, width).transpose(1, 2)
    folded = folded.reshape(texts, heads, per_text * length, width)

    # The mask of a cross-attention hides padding of the text, so it is the same for every query.
    if attention_mask is not None:
        attention_mask = attention_mask[:, :, :1]  # (B, 1, 1, S)
    bias = kwargs.pop("position_bias", None)  # T5's: the same for all rows, (1, H, Q, S)
    if bias is not None:
        kwargs["position_bias"] = bias.repeat(1, 1, per_text, 1)  # (1, H, per_text * Q, S)
    kwargs["is_causal"] = False
    out, _ = _attend(module, folded, key, value, attention_mask, **kwargs)  # (B, per_text * Q, H, D)

    out = out.reshape(texts * per_text, length, heads, width)
    return (out if row_texts is None else out.index_select(0, slots)), None  # (N, Q, H, D)


def _attend(
    module: torch.nn.Module,
    query: Tensor,  # (B, H, Q, D)
    key: Tensor,  # (B, H, S, D)
    value: Tensor,  # (B, H, S, D)
    attention_mask: Tensor | None,
    **kwargs: Any,
) -> tuple[Tensor, None]:
    """Attention by transformers; or by plain products where oneDNN makes them, as it is slow inside torch's kernel."""
    length, bias = query.shape[2], kwargs.get("position_bias")
    causal = module.is_causal if kwargs.get("is_causal") is None else kwargs["is_causal"]
    if (
        not one_dnn_multiplies()
        or torch.is_grad_enabled()
        or kwargs.get("dropout")
        or query.device.type != "cpu"
        or query.dtype != torch.float32
        or query.shape[1] != key.shape[1]
        or length == 1  # which torch's kernel does without oneDNN
        or (causal and attention_mask is None)
        or (attention_mask is not None and attention_mask.dtype != torch.bool)
    ):
        return sdpa_attention_forward(module, query, key, value, attention_mask, **kwargs)

    scale = kwargs.get("scaling")
    query = query * (query.shape[-1] ** -0.5 if scale is None else scale)
    added = [] if bias is None else [bias]
    if attention_mask is not None:  # adding is faster than filling
        added.append(torch.zeros_like(attention_mask, dtype=query.dtype).masked_fill_(~attention_mask, -torch.inf))
    texts, heads = query.shape[:2]
    out = torch.empty_like(query.transpose(1, 2))  # (B, Q, H, D)
    few_heads = max(1, _SCORES // (length * key.shape[2]))
    few_texts = max(1, few_heads // heads)
    for text in range(0, texts, few_texts):
        for head in range(0, heads, few_heads):
            piece = slice(text, text + few_texts), slice(head, head + few_heads)
            scores = query[piece] @ key[piece].transpose(2, 3)  # (b, h, Q, S)
            for term in added:
                scores += term.expand(texts, heads, -1, -1)[piece]
            out.transpose(1, 2)[piece] = scores.softmax(-1) @ value[piece]
    return out, None


AttentionInterface.register(NAME, _shared_attention)
AttentionMaskInterface.register(NAME, sdpa_mask)
