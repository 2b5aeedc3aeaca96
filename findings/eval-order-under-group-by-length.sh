#!/usr/bin/env bash
# Expected: predict() returns one prediction per row in the order of the data set; `train_sampling_strategy` is about
#   training.
# What happens: with `train_sampling_strategy="group_by_length"` the evaluation rows are grouped by length too, the
#   longest first, and predictions and label_ids come back in that order.
# Versions: transformers 5.24.0, accelerate 1.15.0, torch 2.13.0.
# Why it matters: whoever pairs predictions with the sources of the data set (a factual-consistency score in
#   compute_metrics, or a file of generated summaries) compares each summary with the source of another row. ROUGE
#   does not show it, because label_ids are sorted along.
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
lengths = [4, 30, 9, 21]
rows = [{"input_ids": [5] * n, "attention_mask": [1] * n, "labels": [8 + i, 2]} for i, n in enumerate(lengths)]


def order(strategy):
    args = Seq2SeqTrainingArguments("out", train_sampling_strategy=strategy, per_device_eval_batch_size=1, report_to=[],
                                    use_cpu=True)
    trainer = Seq2SeqTrainer(BartForConditionalGeneration(config), args)
    return [int(labels[0]) - 8 for labels in trainer.predict(rows).label_ids]


print("rows in the order of predict(), random:", order("random"))
print("rows in the order of predict(), group_by_length:", order("group_by_length"))
assert order("random") == [0, 1, 2, 3]
assert order("group_by_length")[0] == 1, "predict() keeps the order now"
EOF
