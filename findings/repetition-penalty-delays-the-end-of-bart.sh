#!/usr/bin/env bash
# Expected: `repetition_penalty` acts on tokens that the summary already has; a summarizer that never repeats a token
#   writes the same lengths with it.
# What happens: the penalty reads the decoder's whole input, and BART's starts with </s>, the end token. So the end is
#   penalized from the first step on, and summaries grow. Models that start with another token, as T5 and Pegasus do
#   with the padding token, end where they ended.
# Versions: transformers 5.24.0, torch 2.13.0.
# Why it matters: a penalty that is chosen against repetition makes BART run on past the facts of its source; lengths,
#   recall and faithfulness then differ from T5's or Pegasus's for a reason that no table of settings shows.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet torch==2.13.0 transformers==5.24.0
cd "$folder"
TRANSFORMERS_VERBOSITY=error venv/bin/python - <<'EOF'
import torch
import transformers
from transformers import BartConfig, BartForConditionalGeneration

print("transformers", transformers.__version__, "torch", torch.__version__)
END_TOKEN, WORDS = 2, 60


def documents(count):
    """Random sources; targets of 2 to 7 words, none of them twice, and the end token."""
    labels = torch.full((count, 8), -100)
    for row in labels:
        length = int(torch.randint(2, 8, (1,)))
        row[:length] = torch.randperm(WORDS)[:length] + 4
        row[length] = END_TOKEN
    return torch.randint(4, 4 + WORDS, (count, 6)), labels


def mean_lengths(start):
    torch.manual_seed(0)
    config = BartConfig(vocab_size=4 + WORDS, d_model=16, encoder_layers=1, decoder_layers=1, encoder_attention_heads=2,
                        decoder_attention_heads=2, encoder_ffn_dim=32, decoder_ffn_dim=32, init_std=0.5, dropout=0.0,
                        decoder_start_token_id=start, forced_eos_token_id=None)
    model = BartForConditionalGeneration(config)
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-2)
    for _ in range(150):
        sources, labels = documents(64)
        model(input_ids=sources, labels=labels).loss.backward()
        optimizer.step()
        optimizer.zero_grad()
    sources, _ = documents(1000)
    lengths = []
    for penalty in (1.0, 1.2, 1.5):
        written = model.eval().generate(sources, do_sample=True, top_k=0, repetition_penalty=penalty, max_new_tokens=30)
        lengths.append(round(float((written >= 4).sum(1).float().mean()), 2))
    return lengths


bart, other = mean_lengths(END_TOKEN), mean_lengths(0)
print("mean words at repetition_penalty 1, 1.2 and 1.5: BART", bart)
print("the same model when its decoder starts with another token:", other)
assert bart[1] > 1.1 * bart[0] and bart[2] > 1.25 * bart[0], "the end is not penalized any more"
assert other[2] < 1.05 * other[0]
EOF
