#!/usr/bin/env bash
# Expected: Seq2SeqTrainer gives the same first step for one batch of 4 rows and for 4 accumulated batches of 1 row.
# What happens: the loss and the gradient of an encoder-decoder are 4 times as large. Its forward takes **kwargs, so
#   Trainer believes that the model divides by num_items_in_batch and leaves the division to it; BART, T5, Pegasus and
#   Marian ignore the number.
# Versions: transformers 5.24.0, accelerate 1.15.0, torch 2.13.0.
# Why it matters: logged losses cannot be compared between settings of accumulation, and max_grad_norm clips nearly
#   every step, so that summarizers train at another effective rate than the one that was chosen.
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

print("transformers", transformers.__version__, "accelerate", accelerate.__version__, "torch", torch.__version__)
config = BartConfig(vocab_size=64, d_model=16, encoder_layers=1, decoder_layers=1, encoder_attention_heads=2,
                    decoder_attention_heads=2, encoder_ffn_dim=32, decoder_ffn_dim=32, dropout=0.0)
rows = [{"input_ids": [5 + i, 6, 7, 2], "attention_mask": [1] * 4, "labels": [8 + i, 9, 2]} for i in range(4)]


def first_step(batch, accumulation):
    torch.manual_seed(0)
    model = BartForConditionalGeneration(config)
    args = Seq2SeqTrainingArguments("out", per_device_train_batch_size=batch, gradient_accumulation_steps=accumulation,
                                    max_steps=1, logging_steps=1, max_grad_norm=1e9, report_to=[], use_cpu=True)
    trainer = Seq2SeqTrainer(model, args, train_dataset=rows)
    trainer.train()
    [log] = [log for log in trainer.state.log_history if "grad_norm" in log]
    return log["loss"], log["grad_norm"]


whole, split = first_step(4, 1), first_step(1, 4)
print("loss and gradient norm, 1 batch of 4:", whole)
print("loss and gradient norm, 4 batches of 1:", split)
for one, four in zip(whole, split, strict=True):
    assert abs(four / one - 4) < 0.01, "accumulation no longer multiplies"
EOF
