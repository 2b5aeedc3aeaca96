#!/usr/bin/env bash
# Expected: a model with `attention_type="block_sparse"` gives a long document the same numbers whatever came before it.
# What happens: BigBird-Pegasus cannot attend sparsely to a batch of up to (5 + 2 * num_random_blocks) * block_size
#   tokens (704 for google's checkpoints), and changes to full attention. It logs that, but not that it stays there: all
#   longer batches after it are encoded with full attention too. `model.config` still says block_sparse.
# Versions: transformers 5.24.0, torch 2.13.0.
# Why it matters: scores and summaries depend on the order of the documents, and on the batch size. One batch of short
#   papers makes the rest of a training full attention, with more than 6 times as many cells at 4,096 tokens; the saved
#   model, loaded again, attends sparsely.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet torch==2.13.0 transformers==5.24.0
cd "$folder"
venv/bin/python - <<'EOF'
import torch
import transformers
from transformers import BigBirdPegasusConfig, BigBirdPegasusForConditionalGeneration

print("transformers", transformers.__version__, "torch", torch.__version__)
config = BigBirdPegasusConfig(vocab_size=64, d_model=16, encoder_layers=2, decoder_layers=1, encoder_attention_heads=2,
                              decoder_attention_heads=2, encoder_ffn_dim=32, decoder_ffn_dim=32, block_size=4,
                              num_random_blocks=2, max_position_embeddings=256, init_std=1.0)
torch.manual_seed(0)
model = BigBirdPegasusForConditionalGeneration(config).eval()
long, short, labels = (torch.randint(3, 64, (1, length)) for length in (128, 12, 6))


def loss(document):
    with torch.no_grad():
        return float(model(input_ids=document, labels=labels).loss)


before, again = loss(long), loss(long)
loss(short)
after = loss(long)
print("loss of the long document, twice:", before, again)
print("loss of the long document after a short one:", after)
print("attention: config", model.config.attention_type, "encoder", model.model.encoder.attention_type)
assert before == again
assert abs(after - before) > 0.1, "a short document changes nothing now"
assert model.config.attention_type == "block_sparse"
model.model.encoder.set_attention_type("block_sparse")  # the work-around, before each long batch
assert loss(long) == before
EOF
