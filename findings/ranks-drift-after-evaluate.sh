#!/usr/bin/env bash
# Expected: evaluate() before train() changes nothing about the training, on any number of processes.
# What happens: evaluate() prepares the model with evaluation_mode=True, that is without DistributedDataParallel, and
#   marks it as prepared. train() then takes it as it is: gradients are not averaged, and each process trains a model
#   of its own. Nothing is logged; the first process's model is saved.
# Versions: transformers 5.24.0, accelerate 1.15.0, torch 2.13.0 (2 processes on CPU, gloo).
# Why it matters: a score of the untrained model, measured first for a before-and-after table, halves the batch of a
#   run on two processes and throws half of the data away.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet torch==2.13.0 transformers==5.24.0 accelerate==1.15.0
cd "$folder"
cat > drift.py <<'EOF'
import accelerate
import torch
import transformers
from transformers import BartConfig, BartForConditionalGeneration, Seq2SeqTrainer, Seq2SeqTrainingArguments

import torch.distributed as dist

config = BartConfig(vocab_size=64, d_model=16, encoder_layers=1, decoder_layers=1, encoder_attention_heads=2,
                    decoder_attention_heads=2, encoder_ffn_dim=32, decoder_ffn_dim=32, dropout=0.0)
rows = [{"input_ids": [5 + i, 6, 7, 2], "attention_mask": [1] * 4, "labels": [8 + i, 9, 2]} for i in range(16)]


def gap(evaluate_first):
    torch.manual_seed(0)
    model = BartForConditionalGeneration(config)
    args = Seq2SeqTrainingArguments("out", per_device_train_batch_size=2, max_steps=4, learning_rate=1e-2, report_to=[],
                                    use_cpu=True, save_strategy="no", ddp_find_unused_parameters=False)
    trainer = Seq2SeqTrainer(model, args, train_dataset=rows, eval_dataset=rows)
    if evaluate_first:
        trainer.evaluate()
    trainer.train()
    weights = torch.cat([parameter.detach().flatten() for parameter in model.parameters()])
    ranks = [torch.empty_like(weights) for _ in range(2)]
    dist.all_gather(ranks, weights)
    return float((ranks[0] - ranks[1]).abs().max())


plain, evaluated = gap(False), gap(True)
if dist.get_rank() == 0:
    print("transformers", transformers.__version__, "accelerate", accelerate.__version__, "torch", torch.__version__)
    print("largest difference between the two processes' weights, train() alone:", plain)
    print("largest difference between the two processes' weights, evaluate() and train():", evaluated)
assert plain == 0
assert evaluated > 0.001, "the processes stay together now"
EOF
venv/bin/torchrun --nproc_per_node 2 drift.py 2>&1
