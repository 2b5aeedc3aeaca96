#!/usr/bin/env bash
# Expected: `cache_implementation="static"` changes where keys and values lie, not what `generate` writes; `max_length`
#   ends a summary and changes none of its words before.
# What happens: a static cache has `max_length` places, and a mask has to hide those that are still empty. LED builds no
#   mask for a decoder that reads one token at a time. Each step so attends to the empty places too. What LED writes
#   then depends on `max_length`. Nothing is raised or logged; BART, Pegasus and T5 write the same with both caches.
# Versions: transformers 5.24.0, torch 2.13.0.
# Why it matters: static caches are offered for `torch.compile`. A LED that is served with one writes other summaries
#   than the LED that was evaluated, and its scores are not those of teacher forcing.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet torch==2.13.0 transformers==5.24.0
cd "$folder"
cat > static.py <<'EOF'
import torch
import transformers
from transformers import (BartConfig, BartForConditionalGeneration, LEDConfig, LEDForConditionalGeneration,
                          PegasusConfig, PegasusForConditionalGeneration, T5Config, T5ForConditionalGeneration)

print("transformers", transformers.__version__)
shape = dict(vocab_size=64, d_model=16, encoder_layers=2, decoder_layers=2, encoder_attention_heads=2,
             decoder_attention_heads=2, encoder_ffn_dim=32, decoder_ffn_dim=32, init_std=0.4, forced_eos_token_id=None)
models = {
    "BART": (BartForConditionalGeneration, BartConfig(**shape)),
    "Pegasus": (PegasusForConditionalGeneration, PegasusConfig(**shape)),
    "T5": (T5ForConditionalGeneration, T5Config(vocab_size=64, d_model=16, d_kv=8, d_ff=32, num_layers=2, num_heads=2,
                                                initializer_factor=2.0, decoder_start_token_id=0)),
    "LED": (LEDForConditionalGeneration, LEDConfig(**shape, attention_window=8, max_encoder_position_embeddings=64,
                                                   max_decoder_position_embeddings=256)),
}
source = torch.tensor([[5, 6, 7, 8, 9, 10, 11, 12], [20, 21, 22, 23, 24, 25, 26, 27]])
for name, (kind, config) in models.items():
    torch.manual_seed(0)
    model = kind(config).eval()
    beginnings, errors = {}, {}
    for cache in ("dynamic", "static"):
        for places in (16, 48, 200):
            out = model.generate(source, attention_mask=torch.ones_like(source), max_length=places, min_length=places,
                                 do_sample=False, num_beams=1, cache_implementation=cache, disable_compile=True,
                                 output_logits=True, return_dict_in_generate=True)
            with torch.no_grad():
                forced = model(input_ids=source, decoder_input_ids=out.sequences[:, :-1]).logits
            beginnings[cache, places] = out.sequences[:, 1:13].tolist()
            errors[cache, places] = float((forced - torch.stack(out.logits, 1))[:, :12].abs().max())
    for cache in ("dynamic", "static"):
        print(f"{name}, {cache} cache: logits differ from teacher forcing by up to",
              ", ".join(f"{errors[cache, places]:.3f} (max_length={places})" for places in (16, 48, 200)))
    same = {key: value == beginnings["dynamic", 16] for key, value in beginnings.items()}
    assert same["dynamic", 48] and same["dynamic", 200] and max(errors["dynamic", n] for n in (16, 48, 200)) < 0.01
    if name == "LED":
        for key, rows in beginnings.items():
            print("   ", *key, rows[0])
        assert not any(same["static", places] for places in (16, 48, 200)), "LED writes the same with both caches now"
        assert errors["static", 200] > 0.5
        static = [str(beginnings["static", places]) for places in (16, 48, 200)]
        assert len(set(static)) == 3, "max_length changes nothing now"
    else:
        assert all(same.values()) and max(errors.values()) < 0.01
EOF
export OMP_NUM_THREADS=1
venv/bin/python -W ignore static.py
