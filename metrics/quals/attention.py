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

# The registry is one for the process, and evaluate imports copies of this file under names of its own: each copy must
# keep to its own function, which reads its own context.
NAME = f"quals_shared_{__name__.replace('.', '_')}"

_row_texts: ContextVar[Tensor | None] = ContextVar("quals_row_texts", default=None)


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
    if rows == texts:  # self-attention, or one row a text
        return sdpa_attention_forward(module, query, key, value, attention_mask, **kwargs)

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
    out, _ = sdpa_attention_forward(module, folded, key, value, attention_mask, **kwargs)  # (B, per_text * Q, H, D)

    out = out.reshape(texts, per_text, length, heads, width)
    return (out.flatten(0, 1) if row_texts is None else out[row_texts, slot]), None  # (N, Q, H, D)


AttentionInterface.register(NAME, _shared_attention)
AttentionMaskInterface.register(NAME, sdpa_mask)
