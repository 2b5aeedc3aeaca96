#!/usr/bin/env bash
# Expected: `generate` of a prefix-tuned PEFT model reads the trained prefix, as `forward` does in training.
# What happens: PEFT hands the prefix over as `past_key_values`. `generate` now calls its cache `cache`, finds both, and
#   drops the prefix. BART and T5 write exactly what they write without the adapter; Llama's first step ignores it too.
#   The one sign is a FutureWarning about a deprecated name, whose last words are that the old argument is ignored. With
#   transformers 5.23.0 the same code generates with the prefix.
# Versions: peft 0.21.2 with transformers 5.24.0 (wrong) and 5.23.0 (right), torch 2.13.0.
# Why it matters: the training loss falls, and ROUGE or factuality of the generated summaries stay those of the base
#   model. A comparison of tuning methods then says that prefix tuning does nothing.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet torch==2.13.0 transformers==5.24.0 peft==0.21.2 accelerate==1.15.0
"$folder/venv/bin/pip" install --quiet --no-deps --target "$folder/older" transformers==5.23.0
cd "$folder"
cat > prefix.py <<'EOF'
import sys

import torch
import transformers
from peft import PrefixTuningConfig, get_peft_model
from transformers import (BartConfig, BartForConditionalGeneration, LlamaConfig, LlamaForCausalLM, T5Config,
                          T5ForConditionalGeneration)

print("transformers", transformers.__version__)
bart = BartConfig(vocab_size=64, d_model=16, encoder_layers=2, decoder_layers=2, encoder_attention_heads=2,
                  decoder_attention_heads=2, encoder_ffn_dim=32, decoder_ffn_dim=32, init_std=0.5,
                  forced_eos_token_id=None)
t5 = T5Config(vocab_size=64, d_model=16, d_kv=8, d_ff=32, num_layers=2, num_heads=2, initializer_factor=3.0,
              decoder_start_token_id=0)
llama = LlamaConfig(vocab_size=64, hidden_size=16, intermediate_size=32, num_hidden_layers=2, num_attention_heads=2,
                    initializer_range=0.5, pad_token_id=1)
source = torch.tensor([[0, 5, 6, 7, 2]])
mask = torch.ones_like(source)
dropped = sys.argv[1] == "dropped"


@torch.no_grad()
def first_step(model, generate):
    if generate:
        out = model.generate(input_ids=source, attention_mask=mask, max_new_tokens=6, min_new_tokens=6,
                             do_sample=False, output_logits=True, return_dict_in_generate=True)
        return out.logits[0][0], out.sequences.tolist()
    start = {}
    if model.config.is_encoder_decoder:
        start = {"decoder_input_ids": torch.tensor([[model.config.decoder_start_token_id]])}
    return model(input_ids=source, attention_mask=mask, **start).logits[0, -1]


for name, kind, config, task in (("BART", BartForConditionalGeneration, bart, "SEQ_2_SEQ_LM"),
                                 ("T5", T5ForConditionalGeneration, t5, "SEQ_2_SEQ_LM"),
                                 ("Llama", LlamaForCausalLM, llama, "CAUSAL_LM")):
    torch.manual_seed(0)
    model = get_peft_model(kind(config), PrefixTuningConfig(task_type=task, num_virtual_tokens=4)).eval()
    for parameter in model.parameters():
        parameter.data.mul_(3.0 if parameter.requires_grad else 1.0)  # a prefix that has an effect
    forward = first_step(model, generate=False)
    generated, summary = first_step(model, generate=True)
    with model.disable_adapter():
        base = first_step(model, generate=False)
        _, base_summary = first_step(model.get_base_model(), generate=True)
    effect = float((forward - base).abs().max())
    to_forward, to_base = (float((generated - other).abs().max()) for other in (forward, base))
    print(f"{name}: the prefix moves forward's logits by {effect:.4f}; generate is {to_forward:.4f} from forward with "
          f"it, {to_base:.4f} from forward without; same text as the base model: {summary == base_summary}")
    assert effect > 1.0
    if dropped:
        assert to_base < 1e-4 and to_forward > 1.0, "generate reads the prefix now"
        assert name == "Llama" or summary == base_summary
    else:
        assert to_forward < 1e-4 and to_base > 1.0
EOF
export OMP_NUM_THREADS=1
PYTHONPATH="$folder/older" venv/bin/python -W ignore prefix.py kept
venv/bin/python -W ignore prefix.py dropped
