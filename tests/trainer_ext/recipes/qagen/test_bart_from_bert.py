"""A BART made of a BERT's weights computes what the BERT computed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from support.tiny import tiny_tokenizer
from transformers import AutoModelForSeq2SeqLM, AutoTokenizer, BertConfig, BertModel

from trainer_ext.cli.main import main
from trainer_ext.recipes.qagen.bart_from_bert import bart_from_bert


def tiny_bert(**options: Any) -> BertModel:
    torch.manual_seed(0)
    settings: dict[str, Any] = {
        "vocab_size": 60,
        "hidden_size": 32,
        "num_hidden_layers": 4,
        "num_attention_heads": 4,
        "intermediate_size": 64,
        "max_position_embeddings": 48,
        "initializer_range": 0.3,
    }
    bert = BertModel(BertConfig(**{**settings, **options}), add_pooling_layer=False)
    for name, parameter in bert.named_parameters():  # biases start at 0, and layer norms at 1: a mistake would not show
        if parameter.dim() == 1:
            torch.nn.init.normal_(parameter, mean=float(name.endswith("LayerNorm.weight")), std=0.2)
    return bert.eval()


@pytest.fixture(scope="module")
def bert() -> BertModel:
    return tiny_bert()


@pytest.fixture(scope="module")
def batch() -> dict[str, torch.Tensor]:
    """Four texts, padded on the right, one of them as long as there are positions."""
    torch.manual_seed(1)
    lengths = torch.tensor([48, 5, 1, 20])
    mask = (torch.arange(48) < lengths[:, None]).long()
    ids = torch.randint(1, 60, (4, 48)) * mask
    return {"input_ids": ids, "attention_mask": mask}


@torch.no_grad()
def test_encoder_computes_what_bert_computes(bert: BertModel, batch: dict[str, torch.Tensor]) -> None:
    bart = bart_from_bert(bert).eval()
    theirs = bert(**batch).last_hidden_state
    ours = bart.get_encoder()(**batch).last_hidden_state
    real = batch["attention_mask"].bool()
    # Not exact: the two families add different constants in their layer norms.
    torch.testing.assert_close(ours[real], theirs[real], atol=2e-3, rtol=0)
    assert theirs[real].std() > 0.3  # so that the tolerance means something


@pytest.mark.parametrize(("layers", "taken"), [(1, [3]), (2, [1, 3]), (3, [0, 1, 3]), (4, [0, 1, 2, 3])])
def test_decoder_layers_are_spread_over_the_encoders(bert: BertModel, layers: int, taken: list[int]) -> None:
    bart = bart_from_bert(bert, decoder_layers=layers)
    encoder, decoder = bart.model.encoder.layers, bart.model.decoder.layers
    assert len(decoder) == layers
    for layer, source in zip(decoder, taken, strict=True):
        state, original = layer.state_dict(), encoder[source].state_dict()
        for name, weight in original.items():
            assert torch.equal(state[name], weight), name
            if name.startswith("self_attn"):  # and so does the cross-attention
                assert torch.equal(state[name.replace("self_attn", "encoder_attn")], weight), name
    encoder_positions, decoder_positions = (
        side.embed_positions.weight[2:] for side in (bart.model.encoder, bart.model.decoder)
    )
    assert torch.equal(encoder_positions, decoder_positions)


def test_cross_attention_is_a_copy_not_an_alias(bert: BertModel) -> None:
    layer = bart_from_bert(bert).model.decoder.layers[0]
    layer.encoder_attn.q_proj.weight.data.zero_()
    assert layer.self_attn.q_proj.weight.any()
    assert bert.state_dict()["encoder.layer.0.attention.self.query.weight"].any()


def test_embeddings_are_tied_and_special_tokens_set(bert: BertModel) -> None:
    bart = bart_from_bert(bert, bos_token_id=7, eos_token_id=8)
    assert bart.lm_head.weight is bart.model.shared.weight
    assert torch.equal(bart.model.shared.weight, bert.embeddings.word_embeddings.weight)
    config = bart.config
    assert (config.decoder_start_token_id, config.bos_token_id, config.eos_token_id) == (7, 7, 8)
    assert config.pad_token_id == bert.config.pad_token_id
    assert config.forced_eos_token_id is None


@pytest.mark.parametrize("layers", [0, -1, 5])
def test_more_decoder_layers_than_there_are_is_refused(bert: BertModel, layers: int) -> None:
    with pytest.raises(ValueError, match=rf"decoder_layers is {layers}, .* 4 .*: choose 1 to 4\."):
        bart_from_bert(bert, decoder_layers=layers)


def test_another_activation_is_refused() -> None:
    with pytest.raises(ValueError, match="relu"):
        bart_from_bert(tiny_bert(hidden_act="relu"))


@torch.no_grad()
def test_command_writes_a_folder_that_loads_the_same(
    bert: BertModel, batch: dict[str, torch.Tensor], tmp_path: Path
) -> None:
    tokenizer = tiny_tokenizer()
    tokenizer.cls_token, tokenizer.sep_token = "<s>", "</s>"
    bert.save_pretrained(tmp_path / "bert")
    tokenizer.save_pretrained(tmp_path / "bert")
    output = tmp_path / "bart"
    arguments = ["--model", str(tmp_path / "bert"), "--output-dir", str(output), "--decoder-layers", "2"]
    torch.manual_seed(5)  # BART's first two rows of positions are drawn, and never read
    assert main(["train", "base", *arguments]) == 0

    loaded = AutoModelForSeq2SeqLM.from_pretrained(output, dtype=torch.float32, use_safetensors=True).eval()
    torch.manual_seed(5)
    made = bart_from_bert(bert, 2, tokenizer.cls_token_id, tokenizer.sep_token_id).eval()
    assert made.state_dict().keys() == loaded.state_dict().keys()
    for name, weight in made.state_dict().items():
        assert torch.equal(weight, loaded.state_dict()[name]), name
    targets = batch["input_ids"][:, :6]
    assert torch.equal(
        made(**batch, decoder_input_ids=targets).logits, loaded(**batch, decoder_input_ids=targets).logits
    )
    assert AutoTokenizer.from_pretrained(output)("the cat")["input_ids"] == tokenizer("the cat")["input_ids"]


def test_command_refuses_too_many_layers_in_one_line(
    bert: BertModel, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    bert.save_pretrained(tmp_path / "bert")
    tokenizer = tiny_tokenizer()
    tokenizer.cls_token, tokenizer.sep_token = "<s>", "</s>"
    tokenizer.save_pretrained(tmp_path / "bert")
    capsys.readouterr()
    arguments = ["--model", str(tmp_path / "bert"), "--output-dir", str(tmp_path / "x"), "--decoder-layers", "9"]
    assert main(["train", "base", *arguments]) == 2
    message = capsys.readouterr().err.strip().splitlines()[-1]
    assert message.startswith("quals train: decoder_layers is 9")
    assert not (tmp_path / "x").exists()
