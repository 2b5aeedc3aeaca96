#!/usr/bin/env bash
# Expected: teacher forcing gives a ProphetNet's summary the likelihood with which `generate` wrote it, and the same one
#   whether it stands alone or padded beside a longer summary.
# What happens: since transformers 4.27 the forward pass mixes up positions and attention heads when it adds the biases
#   of relative positions, and most places get the bias of another one. The likelihood of a summary so changes with the
#   number of positions behind it, masked or not. `generate` reads one position at a time, which cannot be mixed up.
#   Without its cache it writes another summary. transformers 4.26.1 is right with the same weights, a row at a time.
# Versions: transformers 5.24.0 (by hand also 4.27.4, 4.36.2, 4.49.0 and 4.57.6) and 4.26.1, torch 2.13.0, Python 3.11.
# Why it matters: fine-tuning teaches another model than the one that writes, and an evaluation loss is of that one too.
#   Candidates are ranked by numbers that depend on which others share their batch.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet torch==2.13.0 transformers==5.24.0 requests==2.34.2
"$folder/venv/bin/pip" install --quiet --no-deps --target "$folder/older" transformers==4.26.1 huggingface_hub==0.20.3 \
    tokenizers==0.13.3
cd "$folder"
cat > prophetnet.py <<'EOF'
import sys

import torch
import transformers
from transformers import ProphetNetConfig, ProphetNetForConditionalGeneration

transformers.logging.set_verbosity_error()
print("transformers", transformers.__version__)
right = sys.argv[1] == "right"
pad, start, end = 0, 1, 2
model = ProphetNetForConditionalGeneration(ProphetNetConfig(
    vocab_size=64, hidden_size=16, encoder_ffn_dim=32, num_encoder_layers=2, num_encoder_attention_heads=2,
    decoder_ffn_dim=32, num_decoder_layers=2, num_decoder_attention_heads=2, decoder_start_token_id=start,
    bos_token_id=start, eos_token_id=end, pad_token_id=pad)).eval()
for name, parameter in sorted(model.named_parameters()):  # the same weights in both versions
    parameter.data = 0.4 * torch.randn(parameter.shape, generator=torch.Generator().manual_seed(sum(map(ord, name))))
    if "layer_norm" in name and name.endswith("weight"):
        parameter.data += 1
model.lm_head.weight = torch.nn.Parameter(0.5 * torch.randn(64, 16, generator=torch.Generator().manual_seed(3)))
source = torch.tensor([[5, 6, 7, 8, 9, end]])
mask = torch.ones_like(source)


def written(use_cache):
    out = model.generate(source, attention_mask=mask, max_length=9, do_sample=False, num_beams=1, use_cache=use_cache,
                         output_scores=True, return_dict_in_generate=True)
    tokens = out.sequences[0, 1:]
    assert len(tokens) == 8 and end not in tokens
    return tokens, torch.stack(out.scores)[:, 0].log_softmax(-1).gather(-1, tokens[:, None])[:, 0]


@torch.no_grad()
def forced(tokens, padding):
    """Log-probabilities by teacher forcing, with padding behind them that the decoder's mask hides."""
    given = torch.tensor([[start] + tokens[:-1].tolist() + [pad] * padding])
    seen = (torch.arange(given.shape[1]) < len(tokens))[None].long()
    logits = model(input_ids=source, attention_mask=mask, decoder_input_ids=given, decoder_attention_mask=seen,
                   use_cache=False).logits[0, :len(tokens)]
    return logits.log_softmax(-1).gather(-1, tokens[:, None])[:, 0]


summary, likely = written(use_cache=True)
other, _ = written(use_cache=False)
scores = {padding: forced(summary, padding) for padding in (0, 1, 2, 4, 8, 16)}
print("generate with its cache:   ", summary.tolist())
print("generate without its cache:", other.tolist())
print("log-probability of the first in generate: %.2f" % likely.sum())
print("and by teacher forcing:", ", ".join("%.2f with padding of %d" % (value.sum(), padding)
                                           for padding, value in scores.items()))
apart = float((scores[0] - likely).abs().max())
moved = max(float(abs(value.sum() - scores[0].sum())) for value in scores.values())
if right:
    assert apart < 1e-3 and moved < 1e-3 and summary.tolist() == other.tolist()
    torch.save(likely, "likely.pt")
else:
    assert torch.allclose(likely, torch.load("likely.pt"), atol=1e-3)  # generate is as right as it was
    assert apart > 0.1, "teacher forcing agrees with generate now"
    assert moved > 0.1, "padding changes nothing now"
    assert summary.tolist() != other.tolist(), "the cache changes nothing now"
EOF
export OMP_NUM_THREADS=1
PYTHONPATH="$folder/older" venv/bin/python -W ignore prophetnet.py right
venv/bin/python -W ignore prophetnet.py wrong
