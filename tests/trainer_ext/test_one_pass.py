"""One pass for positives and candidates gives what separate passes give, in every family."""

from __future__ import annotations

import pytest
import torch
from support.families import FAMILIES, SIZE, family
from torch import Tensor

from trainer_ext.one_pass import base_model, decoder_inputs, forward_rows, shared_states, target_rows

SHARING = {"bart", "t5", "pegasus", "mbart", "marian", "bert2bert", "lora"}


def batch() -> tuple[dict[str, Tensor], Tensor]:
    """Two texts, one of them padded, with a positive and two candidates each, of unequal lengths."""
    generator = torch.Generator().manual_seed(3)
    ids = torch.randint(5, SIZE, (2, 9), generator=generator)
    mask = torch.ones_like(ids)
    mask[1, 6:] = 0
    labels = torch.randint(5, SIZE, (2, 4), generator=generator)
    candidates = torch.randint(5, SIZE, (2, 2, 6), generator=generator)
    candidates[0, 1, 4:] = candidates[1, 0, 3:] = -100
    return {"input_ids": ids.masked_fill(mask == 0, 0), "attention_mask": mask}, target_rows(labels, candidates)


@pytest.mark.parametrize("name", FAMILIES)
def test_rows_come_out_as_in_separate_passes(name: str) -> None:
    model = family(name).eval()
    inputs, targets = batch()
    with torch.no_grad():
        with shared_states(model) as shared:
            assert shared == (name in SHARING)
            together = forward_rows(model, model, inputs, targets, shared)
        for row in range(targets.shape[1]):
            ids = decoder_inputs(model, targets[:, row : row + 1])
            alone = model(**inputs, decoder_input_ids=ids).logits
            torch.testing.assert_close(together[:, row], alone, atol=2e-5, rtol=1e-4)


@pytest.mark.parametrize("name", FAMILIES)
def test_decoder_inputs_are_those_of_the_models_own_loss(name: str) -> None:
    model = family(name).eval()
    inputs, targets = batch()
    with torch.no_grad():
        own = model(**inputs, labels=targets[:, 1].contiguous()).logits
        ours = model(**inputs, decoder_input_ids=decoder_inputs(model, targets[:, 1:2])).logits
    real = targets[:, 1] != -100  # what padding finds differs: some models hide it from itself
    torch.testing.assert_close(ours[real], own[real], atol=1e-5, rtol=1e-4)


def test_attention_is_put_back() -> None:
    for name in SHARING:
        model = family(name)
        before = base_model(model).config._attn_implementation
        with shared_states(model):
            assert base_model(model).config._attn_implementation != before
        assert base_model(model).config._attn_implementation == before


def test_trying_leaves_the_random_state_and_the_mode_alone() -> None:
    model = family("bart").train()
    state = torch.get_rng_state()
    with shared_states(model):
        assert torch.equal(state, torch.get_rng_state())
        assert model.training


def test_a_missing_candidate_gets_inputs_that_any_model_takes() -> None:
    targets = torch.tensor([[[5, 6, 2], [-100, -100, -100]]])
    ids = decoder_inputs(family("mbart"), targets)
    assert ids.tolist() == [[2, 5, 6], [2, 5, 6]]
