#!/usr/bin/env bash
# Expected: a checkpoint stored in bfloat16 is fine-tuned as one stored in float32; mixed precision has to be asked
#   for.
# What happens: transformers 5 loads weights in the dtype of the file, and Trainer trains them in it. A step of 3e-6
#   is below half a unit in the last place of a bfloat16 weight above 0.002, so that such weights never move. Loss and
#   gradient norm are logged as ever. `from_pretrained(..., dtype=torch.float32)` trains all of them.
# Versions: transformers 5.24.0, accelerate 1.15.0, torch 2.13.0.
# Why it matters: contrastive fine-tuning of summarizers uses rates of 1e-6 to 1e-5, and many summarizers are stored
#   in half precision: hours of training end with the weights that they began with.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet torch==2.13.0 transformers==5.24.0 accelerate==1.15.0
cd "$folder"
venv/bin/python - <<'EOF'
import accelerate
import torch
import transformers
from transformers import BartConfig, BartForConditionalGeneration, Seq2SeqTrainer, Seq2SeqTrainingArguments

from transformers import AutoModelForSeq2SeqLM

print("transformers", transformers.__version__, "accelerate", accelerate.__version__, "torch", torch.__version__)
config = BartConfig(vocab_size=64, d_model=16, encoder_layers=1, decoder_layers=1, encoder_attention_heads=2,
                    decoder_attention_heads=2, encoder_ffn_dim=32, decoder_ffn_dim=32, dropout=0.0,
                    max_position_embeddings=8)
rows = [{"input_ids": [5 + i, 6, 7, 2], "attention_mask": [1] * 4, "labels": [8 + i, 9, 2]} for i in range(4)]


def moved(**options):
    torch.manual_seed(0)
    BartForConditionalGeneration(config).to(torch.bfloat16).save_pretrained("stored")
    model = AutoModelForSeq2SeqLM.from_pretrained("stored", **options)
    used = [layer.fc1.weight for layer in model.model.decoder.layers]
    before = torch.cat([weight.detach().flatten() for weight in used]).clone()
    args = Seq2SeqTrainingArguments("out", learning_rate=3e-6, lr_scheduler_type="constant", max_steps=100,
                                    save_strategy="no", report_to=[], use_cpu=True)
    Seq2SeqTrainer(model, args, train_dataset=rows).train()
    after = torch.cat([weight.detach().flatten() for weight in used])
    large = before.abs() > 0.002
    return model.dtype, float((before != after)[large].float().mean())


stored, loaded = moved(), moved(dtype=torch.float32)
print("as stored: dtype %s, share of a layer's weights that 100 steps moved: %.3f" % stored)
print("in float32: dtype %s, share: %.3f" % loaded)
assert stored == (torch.bfloat16, 0), "the checkpoint trains now"
assert loaded[1] > 0.9
EOF
