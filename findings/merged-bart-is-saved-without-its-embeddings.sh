#!/usr/bin/env bash
# Expected: `merge_and_unload`, `save_pretrained` and `from_pretrained` give back the model that was merged.
# What happens: with `modules_to_save=["lm_head"]` PEFT unties the merged head and sets `tie_word_embeddings=False`.
#   BART and Pegasus in transformers 5 use that switch for the embeddings of encoder and decoder too. Saving still
#   writes the shared matrix once, and loading draws the other two at random, anew each time. T5 comes back as it was.
# Versions: peft 0.21.2, transformers 5.24.0, torch 2.13.0.
# Why it matters: the model in memory passes every check, and the folder that is published reads noise. PEFT's warning
#   says only that head and embeddings are no longer tied. The table at loading tells of missing weights, as it does
#   for healthy models with a new head.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet torch==2.13.0 transformers==5.24.0 peft==0.21.2 accelerate==1.15.0
cd "$folder"
export OMP_NUM_THREADS=1
venv/bin/python -W ignore - <<'EOF'
import peft
import torch
import transformers
from peft import LoraConfig, get_peft_model
from safetensors import safe_open
from transformers import (BartConfig, BartForConditionalGeneration, PegasusConfig, PegasusForConditionalGeneration,
                          T5Config, T5ForConditionalGeneration)

transformers.logging.set_verbosity_error()
transformers.logging.disable_progress_bar()
print("transformers", transformers.__version__, "peft", peft.__version__)
source, labels = torch.tensor([[0, 5, 6, 7, 2]]), torch.tensor([[8, 9, 2]])
sizes = dict(vocab_size=64, d_model=16, encoder_layers=2, decoder_layers=2, encoder_attention_heads=2,
             decoder_attention_heads=2, encoder_ffn_dim=32, decoder_ffn_dim=32, init_std=0.5)
small = dict(vocab_size=64, d_model=16, d_kv=8, d_ff=32, num_layers=2, num_heads=2, decoder_start_token_id=0)


def loss(model):
    with torch.no_grad():
        return float(model.eval()(input_ids=source, labels=labels).loss)


for name, kind, config, target in (("BART", BartForConditionalGeneration, BartConfig(**sizes), "q_proj"),
                                   ("Pegasus", PegasusForConditionalGeneration, PegasusConfig(**sizes), "q_proj"),
                                   ("T5", T5ForConditionalGeneration, T5Config(**small), "q")):
    torch.manual_seed(0)
    model = get_peft_model(kind(config), LoraConfig(task_type="SEQ_2_SEQ_LM", target_modules=[target],
                                                    modules_to_save=["lm_head"]))
    for key, parameter in model.named_parameters():
        if parameter.requires_grad and "modules_to_save" in key:
            parameter.data.add_(0.3 * torch.randn_like(parameter))  # stands for training
    trained = loss(model)
    merged = model.merge_and_unload()
    before = loss(merged)
    merged.save_pretrained(name)
    after = [loss(kind.from_pretrained(name)) for _ in range(2)]
    with safe_open(f"{name}/model.safetensors", "pt") as file:
        kept = [key for key in file.keys() if key.endswith(("shared.weight", "embed_tokens.weight", "lm_head.weight"))]
    print(f"{name}: loss with adapter {trained:.4f}, merged {before:.4f}, loaded {after[0]:.4f} and {after[1]:.4f}; "
          f"saved: {', '.join(kept)}")
    assert abs(trained - before) < 1e-3
    if name == "T5":
        assert max(abs(value - before) for value in after) < 1e-4
    else:
        assert min(abs(value - before) for value in after) > 0.1, "the merged model comes back now"
        assert abs(after[0] - after[1]) > 0.01, "both loads give the same weights now"
EOF
