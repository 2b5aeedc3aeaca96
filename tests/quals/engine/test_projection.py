"""The vocabulary in blocks: the same log-probabilities and the same likeliest tokens as from all logits at once."""

from __future__ import annotations

import pytest
import torch
from quals.matmul import fast_products
from quals.projection import OutputProjection
from torch import Tensor
from transformers import BartConfig, BartForConditionalGeneration


@pytest.fixture(autouse=True)
def without_screen(monkeypatch: pytest.MonkeyPatch) -> None:
    """All logits, on whatever processor; bounds have tests of their own."""
    monkeypatch.setattr("quals.screen.int8_pays", lambda: False)


def model_with(vocabulary: int, bias: float = 0.0) -> BartForConditionalGeneration:
    torch.manual_seed(0)
    sizes = {"encoder_layers": 1, "decoder_layers": 1, "encoder_attention_heads": 2, "decoder_attention_heads": 2}
    config = BartConfig(
        vocab_size=vocabulary, d_model=16, encoder_ffn_dim=16, decoder_ffn_dim=16, init_std=1.0, **sizes
    )
    model = BartForConditionalGeneration(config).eval()
    model.final_logits_bias += bias * torch.randn(vocabulary)
    return model


def all_log_probs(model: BartForConditionalGeneration, hidden: Tensor) -> Tensor:
    return (model.lm_head(hidden) + model.final_logits_bias).log_softmax(-1)


@pytest.mark.parametrize("vocabulary", [50, 64, 2048, 2049, 5000])
@pytest.mark.parametrize("bias", [0.0, 1.0])
def test_likeliest_tokens_and_log_probabilities(vocabulary: int, bias: float) -> None:
    model = model_with(vocabulary, bias)
    with torch.inference_mode(), fast_products(model):
        hidden = torch.randn(37, 16)
        projection = OutputProjection(model)
        expected = all_log_probs(model, hidden)
        tokens = torch.randint(vocabulary, (37,))
        known = projection.log_probs(hidden, torch.arange(37), tokens)
        assert torch.allclose(known, expected.gather(1, tokens[:, None])[:, 0], atol=1e-4)
        for width in (1, 16, vocabulary):
            values, ids, limits = projection.most_likely(hidden, width)
            assert torch.equal(ids, expected.topk(width).indices.sort(1).values)
            assert torch.allclose(values, expected.gather(1, ids), atol=1e-4)
            assert torch.equal(limits, values.amin(1))


def test_a_banned_token_is_not_found_but_counts() -> None:
    model = model_with(5000)
    with torch.inference_mode():
        hidden = torch.randn(9, 16)
        projection = OutputProjection(model)
        expected = all_log_probs(model, hidden)
        for banned in (*expected.argmax(1).tolist(), 4999):
            values, ids, _ = projection.most_likely(hidden, 16, banned)
            others = expected.clone()
            others[:, banned] = -torch.inf
            assert torch.equal(ids, others.topk(16).indices.sort(1).values)
            assert torch.allclose(values, expected.gather(1, ids), atol=1e-4)


def test_logits_of_any_size() -> None:
    """The sum of powers neither overflows nor vanishes."""
    model = model_with(300)
    with torch.inference_mode():
        hidden = torch.tensor([1e-3, 1.0, 50.0, 500.0])[:, None] * torch.randn(4, 16)
        tokens = all_log_probs(model, hidden).argmax(1)
        known = OutputProjection(model).log_probs(hidden, torch.arange(4), tokens)
        expected = all_log_probs(model, hidden).gather(1, tokens[:, None])[:, 0]
        assert torch.allclose(known, expected, rtol=1e-4, atol=2e-3)
        assert known.isfinite().all()


def test_log_probabilities_of_several_tokens_after_one_state() -> None:
    model = model_with(300)
    with torch.inference_mode():
        hidden, rows = torch.randn(5, 16), torch.tensor([4, 0, 4, 2, 4, 0])
        tokens = torch.tensor([1, 299, 7, 0, 7, 3])
        known = OutputProjection(model).log_probs(hidden, rows, tokens)
        assert torch.allclose(known, all_log_probs(model, hidden)[rows, tokens], atol=1e-4)


def test_more_rows_than_are_computed_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    model = model_with(300)
    monkeypatch.setattr("quals.projection._BYTES", 64 * 4 * 320)
    with torch.inference_mode():
        hidden = torch.randn(150, 16)
        values, ids, _ = OutputProjection(model).most_likely(hidden, 5)
        expected = all_log_probs(model, hidden)
        assert torch.equal(ids, expected.topk(5).indices.sort(1).values)
        assert torch.allclose(values, expected.gather(1, ids), atol=1e-4)
