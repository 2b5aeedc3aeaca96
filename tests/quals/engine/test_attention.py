"""Sharing a text's encoder states among decoder rows changes nothing but the cost."""

from __future__ import annotations

import copy

import pytest
import torch
from quals.attention import rows_of_texts, share_encoder_states
from support.tiny import tiny_model
from transformers import LEDConfig, LEDForConditionalGeneration, PreTrainedModel
from transformers.modeling_outputs import BaseModelOutput

IDS = torch.tensor([[1, 5, 6, 7, 8, 2], [1, 9, 10, 2, 0, 0], [1, 11, 2, 0, 0, 0]])
MASK = (IDS != 0).long()


def repeated(model: PreTrainedModel, row_texts: torch.Tensor, decoder_ids: torch.Tensor) -> torch.Tensor:
    return model(input_ids=IDS[row_texts], attention_mask=MASK[row_texts], decoder_input_ids=decoder_ids).logits


@pytest.mark.parametrize("row_texts", [[0, 0, 1, 1, 2, 2], [0, 0, 0, 1, 2, 2, 2, 2], [0, 1, 2]])
def test_equals_repeated_states(any_model: PreTrainedModel, row_texts: list[int]) -> None:
    rows = torch.tensor(row_texts)
    torch.manual_seed(0)
    decoder_ids = torch.randint(3, 40, (len(rows), 5))
    shared = copy.deepcopy(any_model)
    share_encoder_states(shared)
    with torch.no_grad():
        expected = repeated(any_model, rows, decoder_ids)
        states = shared.get_encoder()(input_ids=IDS, attention_mask=MASK).last_hidden_state
        inputs = {"encoder_outputs": BaseModelOutput(states), "attention_mask": MASK, "decoder_input_ids": decoder_ids}
        with rows_of_texts(rows):
            assert torch.allclose(shared(**inputs).logits, expected, atol=1e-5)
        if len(rows) % 3 == 0:  # as many rows for each text: no need to say which
            assert torch.allclose(shared(**inputs).logits, expected, atol=1e-5)


def test_gradients_are_those_of_repeated_states(any_model: PreTrainedModel) -> None:
    rows = torch.tensor([0, 0, 1, 1, 2, 2])
    decoder_ids = torch.randint(3, 40, (6, 5))
    shared = copy.deepcopy(any_model)
    share_encoder_states(shared)
    repeated(any_model, rows, decoder_ids).square().mean().backward()
    shared(input_ids=IDS, attention_mask=MASK, decoder_input_ids=decoder_ids).logits.square().mean().backward()
    pairs = [(ours.grad, theirs.grad) for ours, theirs in zip(shared.parameters(), any_model.parameters(), strict=True)]
    known = [(ours, theirs) for ours, theirs in pairs if theirs is not None]
    assert len(known) > 10
    largest = max(theirs.abs().max().item() for _, theirs in known)
    # Biases of keys have no gradient but rounding, so the tolerance is of the largest gradient.
    assert all(torch.allclose(ours, theirs, rtol=1e-3, atol=1e-5 * largest) for ours, theirs in known)


def test_rows_that_do_not_divide_are_refused() -> None:
    model = tiny_model("bart")
    share_encoder_states(model)
    with pytest.raises(ValueError, match="rows_of_texts"):
        model(input_ids=IDS, attention_mask=MASK, decoder_input_ids=torch.full((4, 2), 5))


def test_a_model_without_the_interface_is_refused() -> None:
    sizes = {"encoder_layers": 1, "decoder_layers": 1, "encoder_attention_heads": 2, "decoder_attention_heads": 2}
    led = LEDForConditionalGeneration(
        LEDConfig(vocab_size=50, d_model=16, encoder_ffn_dim=16, decoder_ffn_dim=16, attention_window=4, **sizes)
    )
    with pytest.raises(ValueError, match="attention interface"):
        share_encoder_states(led)
