"""A small encoder-decoder that knows language before it is trained: a stock BART with a BERT encoder's weights.

BERT and BART are both post-norm Transformers, so an encoder layer maps weight by weight. Two things differ: BART has no
token types (type 0 is added to the positions), and its positions start at row 2.
"""

from __future__ import annotations

import torch
from quals.errors import CheckpointError
from transformers import BartConfig, BartForConditionalGeneration, BertModel

from trainer_ext.recipes.qagen.decoder_layers import evenly

_ATTENTION = {"q_proj": "self.query", "k_proj": "self.key", "v_proj": "self.value", "out_proj": "output.dense"}


def bart_from_bert(
    bert: BertModel, decoder_layers: int = 3, bos_token_id: int = 101, eos_token_id: int = 102
) -> BartForConditionalGeneration:
    """Build a BART whose encoder computes what ``bert`` computes, and whose decoder starts from the same layers.

    The decoder takes layers at even distances from the encoder. Its cross-attention is a copy of its self-attention.

    Args:
        bert: the encoder; its activation must be gelu.
        decoder_layers: number of decoder layers; at most the number of encoder layers.
        bos_token_id: starts every target (``[CLS]`` in BERT's vocabularies).
        eos_token_id: ends every target (``[SEP]``).

    Raises:
        OptionError: ``decoder_layers`` is more than the encoder has.
        CheckpointError: the encoder's activation is not gelu.
    """
    source = bert.config
    if source.hidden_act != "gelu":
        raise CheckpointError(f"The encoder's activation is {source.hidden_act}, not gelu: give another encoder.")
    taken = evenly(source.num_hidden_layers, decoder_layers)
    config = BartConfig(
        vocab_size=source.vocab_size,
        d_model=source.hidden_size,
        encoder_layers=source.num_hidden_layers,
        decoder_layers=decoder_layers,
        encoder_attention_heads=source.num_attention_heads,
        decoder_attention_heads=source.num_attention_heads,
        encoder_ffn_dim=source.intermediate_size,
        decoder_ffn_dim=source.intermediate_size,
        max_position_embeddings=source.max_position_embeddings,
        activation_function="gelu",
        # A few passes over the data do not overfit, and dropout masks are slow on CPUs.
        dropout=0.0,
        scale_embedding=False,
        pad_token_id=source.pad_token_id,
        bos_token_id=bos_token_id,
        eos_token_id=eos_token_id,
        decoder_start_token_id=bos_token_id,
        forced_eos_token_id=None,
    )
    bart = BartForConditionalGeneration(config)
    weights = bert.state_dict()
    positions = weights["embeddings.position_embeddings.weight"] + weights["embeddings.token_type_embeddings.weight"][0]

    state = bart.state_dict()
    for name in ("model.shared", "model.encoder.embed_tokens", "model.decoder.embed_tokens", "lm_head"):
        state[f"{name}.weight"] = weights["embeddings.word_embeddings.weight"]
    for side in ("encoder", "decoder"):
        offset = state[f"model.{side}.embed_positions.weight"].shape[0] - positions.shape[0]  # BART's 2
        state[f"model.{side}.embed_positions.weight"][offset:] = positions
        for part in ("weight", "bias"):
            state[f"model.{side}.layernorm_embedding.{part}"] = weights[f"embeddings.LayerNorm.{part}"]

    for layer in range(source.num_hidden_layers):
        _copy_layer(weights, layer, state, f"model.encoder.layers.{layer}", ["self_attn"])
    for layer, origin in enumerate(taken):
        _copy_layer(weights, origin, state, f"model.decoder.layers.{layer}", ["self_attn", "encoder_attn"])
    bart.load_state_dict(state)
    return bart


def _copy_layer(
    weights: dict[str, torch.Tensor], layer: int, state: dict[str, torch.Tensor], prefix: str, attentions: list[str]
) -> None:
    bert = f"encoder.layer.{layer}"
    for part in ("weight", "bias"):
        for attention in attentions:
            for bart_name, bert_name in _ATTENTION.items():
                state[f"{prefix}.{attention}.{bart_name}.{part}"] = weights[f"{bert}.attention.{bert_name}.{part}"]
            state[f"{prefix}.{attention}_layer_norm.{part}"] = weights[f"{bert}.attention.output.LayerNorm.{part}"]
        state[f"{prefix}.fc1.{part}"] = weights[f"{bert}.intermediate.dense.{part}"]
        state[f"{prefix}.fc2.{part}"] = weights[f"{bert}.output.dense.{part}"]
        state[f"{prefix}.final_layer_norm.{part}"] = weights[f"{bert}.output.LayerNorm.{part}"]
