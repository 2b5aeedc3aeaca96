#!/usr/bin/env bash
# Expected: `model.resize_token_embeddings(n)` keeps the rows of a T5's output layer that stay.
# What happens: transformers 5 sets `tie_word_embeddings=True` in every T5 config, whatever the file says. Loading a
#   checkpoint with an output layer of its own (T5 1.1, Flan-T5) keeps that layer; the first resize replaces it by the
#   input embeddings, without a word. `resize_token_embeddings(len(tokenizer))`, the usual line after adding a token,
#   resizes these models always, because their vocabulary has spare rows. Setting
#   `model.config.tie_word_embeddings = False` before the resize keeps the layer, through saving and loading too.
# Versions: transformers 5.6.0 and 5.24.0, torch 2.13.0.
# Why it matters: a summarizer or question generator fine-tuned from Flan-T5 starts from a random-looking output layer.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet torch==2.13.0 transformers==5.24.0
cd "$folder"
venv/bin/python - <<'EOF'
import json
from pathlib import Path

import torch
import transformers
from safetensors.torch import load_file, save_file
from transformers import T5Config, T5ForConditionalGeneration

print("transformers", transformers.__version__, "torch", torch.__version__)
torch.manual_seed(0)
sizes = dict(vocab_size=64, d_model=16, d_kv=8, d_ff=32, num_layers=1, num_heads=2, decoder_start_token_id=0)
T5ForConditionalGeneration(T5Config(**sizes)).save_pretrained("untied")
weights = load_file("untied/model.safetensors")
head = weights["lm_head.weight"] = torch.randn(64, 16)
save_file(weights, "untied/model.safetensors", metadata={"format": "pt"})
config = Path("untied/config.json")
config.write_text(json.dumps({**json.loads(config.read_text()), "tie_word_embeddings": False}))


def resized(untie):
    model = T5ForConditionalGeneration.from_pretrained("untied")
    assert model.config.tie_word_embeddings, "the config keeps what the file says now"
    assert torch.equal(model.lm_head.weight, head)
    model.config.tie_word_embeddings = not untie
    model.resize_token_embeddings(60)
    return model


plain, saved = resized(untie=False), resized(untie=True)
print("output layer kept:", torch.equal(plain.lm_head.weight, head[:60]))
print("output layer kept after config.tie_word_embeddings = False:", torch.equal(saved.lm_head.weight, head[:60]))
assert torch.equal(plain.lm_head.weight, plain.shared.weight)
assert not torch.equal(plain.lm_head.weight, head[:60])
assert torch.equal(saved.lm_head.weight, head[:60])
saved.save_pretrained("saved")
assert torch.equal(T5ForConditionalGeneration.from_pretrained("saved").lm_head.weight, head[:60])
EOF
