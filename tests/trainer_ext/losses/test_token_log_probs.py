"""Log-probabilities of tokens and their gradients are autograd's, in parts of any size."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from trainer_ext.losses import token_log_probs
from trainer_ext.losses.token_log_probs import TokenLogProbs


def plain(logits: Tensor, tokens: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """The definition."""
    log_probs = logits.log_softmax(-1)
    own = log_probs.gather(-1, tokens[:, None]).squeeze(-1)
    return own, torch.log1p(-own.exp()), log_probs.mean(-1)


@pytest.mark.parametrize("rows_at_once", [1, 3, 100])
@pytest.mark.parametrize("weights", [(1, 0, 0), (0, 1, 0), (0, 0, 1), (2, -3, 5)])
def test_values_and_gradients_are_those_of_the_definition(
    rows_at_once: int, weights: tuple[int, int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(token_log_probs, "_ON_CPU", rows_at_once * 9)
    torch.manual_seed(0)
    logits = (3 * torch.randn(7, 9, dtype=torch.float64)).requires_grad_()
    tokens = torch.randint(0, 9, (7,))
    gradients = []
    for way in (TokenLogProbs.apply, plain):
        values = way(logits, tokens)
        used = [weight * value.cos().sum() for weight, value in zip(weights, values, strict=True) if weight]
        gradients.append((*values, *torch.autograd.grad(sum(used), logits)))
    for found, expected in zip(*gradients, strict=True):
        torch.testing.assert_close(found, expected, atol=1e-12, rtol=1e-10)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32])
def test_values_are_float32_and_the_gradient_has_the_dtype_of_the_logits(dtype: torch.dtype) -> None:
    logits = torch.linspace(-2, 2, 12).view(2, 6).to(dtype).requires_grad_()
    values = TokenLogProbs.apply(logits, torch.tensor([5, 0]))
    expected = plain(logits.detach().float(), torch.tensor([5, 0]))
    for value, wanted in zip(values, expected, strict=True):
        torch.testing.assert_close(value, wanted)
    values[1].sum().backward()
    assert logits.grad is not None
    assert logits.grad.dtype == dtype


def test_no_rows_have_no_log_probabilities() -> None:
    logits = torch.empty(0, 4, requires_grad=True)
    values = TokenLogProbs.apply(logits, torch.empty(0, dtype=torch.long))
    sum(value.sum() for value in values).backward()
    assert all(value.shape == (0,) for value in values)
    assert logits.grad is not None
