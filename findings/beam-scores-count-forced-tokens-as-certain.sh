#!/usr/bin/env bash
# Expected: with length_penalty=1, `sequences_scores` of beam search is the mean log-likelihood per token that teacher
#   forcing gives the same summary.
# What happens: forced tokens count as probability 1, and their positions still count in the length. BART forces the
#   end token at max_length, and bart-large-cnn the first token too. A summary that is cut off at max_length so scores
#   higher than it is likely.
# Versions: transformers 5.24.0, torch 2.13.0.
# Why it matters: candidates ranked or reranked by `sequences_scores`, or targets of a calibration loss, prefer
#   summaries that were cut off; the difference to teacher-forced scores is largest for short ones.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet torch==2.13.0 transformers==5.24.0
cd "$folder"
venv/bin/python - <<'EOF'
import torch
import transformers
from transformers import BartConfig, BartForConditionalGeneration

print("transformers", transformers.__version__, "torch", torch.__version__)
torch.manual_seed(0)
config = BartConfig(vocab_size=64, d_model=16, encoder_layers=1, decoder_layers=1, encoder_attention_heads=2,
                    decoder_attention_heads=2, encoder_ffn_dim=32, decoder_ffn_dim=32, dropout=0.0)
model = BartForConditionalGeneration(config).eval()
source = torch.tensor([[0, 5, 6, 7, 2]])


def scores(**options):
    out = model.generate(source, num_beams=2, min_length=8, max_length=8, length_penalty=1.0, output_scores=True,
                         return_dict_in_generate=True, **options)
    rows = out.sequences  # starts with the decoder's start token
    with torch.no_grad():
        logits = model(input_ids=source, decoder_input_ids=rows[:, :-1]).logits
    tokens = logits.log_softmax(-1).gather(-1, rows[:, 1:, None])[0, :, 0]
    return float(out.sequences_scores[0]), tokens


free, tokens = scores(forced_eos_token_id=None)
print("nothing forced: beam search %.4f, teacher forcing %.4f" % (free, tokens.mean()))
assert abs(free - tokens.mean()) < 1e-4
for name, options, first in (("end forced", {}, 0), ("first and end forced", {"forced_bos_token_id": 0}, 1)):
    beam, tokens = scores(**options)
    print("%s: beam search %.4f, teacher forcing %.4f" % (name, beam, tokens.mean()))
    assert abs(beam - tokens[first:-1].sum() / len(tokens)) < 1e-4
    assert beam - tokens.mean() > 0.1, "forced tokens count as they are now"
EOF
