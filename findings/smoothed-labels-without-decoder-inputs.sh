#!/usr/bin/env bash
# Expected: label smoothing changes the loss and not what the decoder reads: the shifted target.
# What happens: with label_smoothing_factor, Trainer takes the labels out of the batch before the model is called.
#   Unless the collator has added decoder_input_ids (DataCollatorForSeq2Seq does so only if it was given the model),
#   BART makes the decoder read the shifted source instead, in silence.
# Versions: transformers 5.24.0, accelerate 1.15.0, torch 2.13.0.
# Why it matters: a summarizer trained so has never seen teacher forcing, and its loss looks plausible.
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
rows = [{"input_ids": [0, 11, 12, 13, 2], "attention_mask": [1] * 5, "labels": [0, 21, 22, 23, 2]}]


def read_by_the_decoder(smoothing):
    model = BartForConditionalGeneration(config)
    read = []
    model.model.decoder.register_forward_pre_hook(
        lambda module, args, kwargs: read.append(kwargs["input_ids"].tolist()), with_kwargs=True)
    args = Seq2SeqTrainingArguments("out", label_smoothing_factor=smoothing, max_steps=1, report_to=[], use_cpu=True)
    Seq2SeqTrainer(model, args, train_dataset=rows).train()
    return read


print("the decoder reads, without smoothing:", read_by_the_decoder(0.0))
print("the decoder reads, with smoothing:", read_by_the_decoder(0.1))
assert read_by_the_decoder(0.0) == [[[2, 0, 21, 22, 23]]]
assert read_by_the_decoder(0.1) == [[[2, 0, 11, 12, 13]]], "the decoder reads the target now"
EOF
