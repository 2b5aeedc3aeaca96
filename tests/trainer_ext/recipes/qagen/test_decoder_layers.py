"""A T5 with fewer decoder layers is the same when it is loaded again, with and without a cache."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from support.t5 import t5_tokenizer, tiny_t5
from transformers import T5ForConditionalGeneration

from trainer_ext.recipes.qagen.decoder_layers import evenly, keep_decoder_layers


@torch.no_grad()
def logits(model: T5ForConditionalGeneration) -> torch.Tensor:
    """Of one text, (1, 4, V)."""
    ids, decoder_input_ids = torch.tensor([[3, 7, 9, 1]]), torch.tensor([[0, 8, 9, 10]])
    result: torch.Tensor = model.eval()(input_ids=ids, decoder_input_ids=decoder_input_ids).logits
    return result


@pytest.mark.parametrize("own_projection", [False, True])
@pytest.mark.parametrize("kept", [1, 2, 3])
def test_it_is_the_same_when_loaded_again(kept: int, own_projection: bool, tmp_path: Path) -> None:
    model = tiny_t5(len(t5_tokenizer()), own_projection, layers=3)
    before = logits(model)
    keep_decoder_layers(model, kept)
    after = logits(model)
    assert torch.equal(after, before) == (kept == 3)
    model.save_pretrained(tmp_path)
    again, info = T5ForConditionalGeneration.from_pretrained(tmp_path, output_loading_info=True)
    assert not info["missing_keys"]
    assert not info["unexpected_keys"]
    assert len(again.decoder.block) == kept
    assert len(again.encoder.block) == 3
    torch.testing.assert_close(logits(again), after, atol=0, rtol=0)
    ids = torch.tensor([[3, 7, 9, 1]])
    texts = [model.generate(ids, max_new_tokens=8, use_cache=cache, do_sample=False) for cache in (True, False)]
    assert torch.equal(*texts)


def test_layers_at_even_distances() -> None:
    assert evenly(8, 4) == [1, 3, 5, 7]
    assert evenly(4, 3) == [0, 1, 3]
    for kept in (0, 5):
        with pytest.raises(ValueError, match=f"decoder_layers is {kept}.*choose 1 to 4"):
            evenly(4, kept)
