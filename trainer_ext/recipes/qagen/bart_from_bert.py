"""A small encoder-decoder that knows language before it is trained: a stock BART made of a BERT encoder's weights.

BERT and BART are both post-norm Transformers, so an encoder layer maps weight by weight. What differs: BART has no
token types (type 0 is added to the positions), and its positions start at row 2.
"""

from __future__ import annotations

import torch
from transformers import BartConfig, BartForConditionalGeneration, BertModel

_ATTENTION = {"q_proj": "self.query", "k_proj": "self.key", "v_proj": "self.value", "out_proj": "output.dense"}


def bart_from_bert(
    bert: BertModel, decoder_layers: int = 3, bos_token_id: int = 101, eos_token_id: int = 102
) -> BartForConditionalGeneration:
    """Build a BART whose encoder computes what ``bert`` computes, and whose decoder starts from the same layers.

    Decoder layers are spread evenly over the encoder's; their cross-attention is a copy of their self-attention.

    Args:
        bert: the encoder; its activation must be gelu.
        decoder_layers: how many; at most the number of encoder layers.
        bos_token_id: starts every target (``[CLS]`` in BERT's vocabularies).
        eos_token_id: ends every target (``[SEP]``).

    Raises:
        ValueError: more decoder layers are asked for than the encoder has, or its activation is not gelu.
    """
    source = bert.config
    if source.hidden_act != "gelu":
        raise ValueError(f"The encoder's activation is {source.hidden_act}, and only gelu is mapped: take another one.")
    if not 1 <= decoder_layers <= source.num_hidden_layers:
        raise ValueError(
            f"decoder_layers is {decoder_layers}, but the decoder takes its layers from an encoder that has "
            f"{source.num_hidden_layers}: choose 1 to {source.num_hidden_layers}."
        )
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
        # A few passes over the data leave nothing to regularise away, and dropout masks are slow on CPUs.
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
    for layer in range(decoder_layers):
        taken = (layer + 1) * source.num_hidden_layers // decoder_layers - 1
        _copy_layer(weights, taken, state, f"model.decoder.layers.{layer}", ["self_attn", "encoder_attn"])
    bart.load_state_dict(state)
    return bart


def _copy_layer(
    weights: dict[str, torch.Tensor], layer: int, state: dict[str, torch.Tensor], prefix: str, attentions: list[str]
) -> None:
    bert = f"encoder.layer.{layer}"
    for part in ("weight", "bias"):
        for attention in attentions:
            for ours, theirs in _ATTENTION.items():
                state[f"{prefix}.{attention}.{ours}.{part}"] = weights[f"{bert}.attention.{theirs}.{part}"]
            state[f"{prefix}.{attention}_layer_norm.{part}"] = weights[f"{bert}.attention.output.LayerNorm.{part}"]
        state[f"{prefix}.fc1.{part}"] = weights[f"{bert}.intermediate.dense.{part}"]
        state[f"{prefix}.fc2.{part}"] = weights[f"{bert}.output.dense.{part}"]
        state[f"{prefix}.final_layer_norm.{part}"] = weights[f"{bert}.output.LayerNorm.{part}"]
