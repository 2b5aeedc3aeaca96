#!/usr/bin/env bash
# Expected: a T5 loaded with `dtype=torch.float16` (or "auto", from a float16 file) has float16 weights, and takes as
#   many bytes when it is saved as in bfloat16.
# What happens: the second matrix of each feed-forward layer is loaded in float32, while `model.dtype` and
#   `model.config.dtype` say float16. Saving writes these matrices in float32: here the float16 file of 29,824 bytes
#   comes back with 38,064. With bfloat16, and after `model.half()`, all weights have the dtype that was asked for.
# Versions: transformers 5.24.0, torch 2.13.0.
# Why it matters: whoever shrinks a T5 summarizer or question generator for the Hub by loading it in float16 and saving
#   it gets a larger file than planned, and one whose dtypes are mixed. Converting the loaded weights once more
#   (`model.half()`) before saving gives the small one.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet torch==2.13.0 transformers==5.24.0
cd "$folder"
venv/bin/python - 2>/dev/null <<'EOF'
from collections import Counter
from pathlib import Path

import torch
import transformers
from transformers import T5Config, T5ForConditionalGeneration

print("transformers", transformers.__version__, "torch", torch.__version__)


def saved(model, name):
    model.save_pretrained(name)
    return Path(name, "model.safetensors").stat().st_size


sizes = dict(vocab_size=50, d_model=16, d_kv=4, d_ff=64, num_layers=2, num_heads=2)
small = saved(T5ForConditionalGeneration(T5Config(**sizes)).half(), "half")
sizes_again = {}
for dtype in (torch.float16, torch.bfloat16):
    model = T5ForConditionalGeneration.from_pretrained("half", dtype=dtype)
    found = Counter(str(weight.dtype) for weight in model.parameters())
    sizes_again[dtype] = saved(model, str(dtype))
    print(f"asked for {dtype}; model.dtype {model.dtype}; weights {dict(found)}; {small} bytes, saved {sizes_again[dtype]}")
    assert model.dtype == dtype
    assert found["torch.float32"] == (4 if dtype == torch.float16 else 0)
assert sizes_again[torch.float16] > 1.25 * small
assert sizes_again[torch.bfloat16] < 1.01 * small
EOF
