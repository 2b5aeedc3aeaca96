#!/usr/bin/env bash
# Expected: a reward function of TRL returns None where it has no reward, and such a completion teaches nothing.
# What happens: that holds where it is the only reward function. Beside a second one None counts as 0. Where rewards
#   are negative, as log-likelihoods and penalties are, 0 is the best of all, and the policy is drawn to what cannot be
#   scored.
# Versions: trl 1.16.0, transformers 5.24.0, torch 2.13.0.
# Why it matters: adding a reward for format or length to a working run makes a model that writes empty answers, while
#   the logged mean of the first reward, which leaves None out, looks as before.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet torch==2.13.0 transformers==5.24.0 trl==1.16.0
cd "$folder"
venv/bin/python - <<'EOF'
import transformers
import trl
from datasets import Dataset
from tokenizers import Tokenizer
from tokenizers.models import WordLevel
from tokenizers.pre_tokenizers import Whitespace
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast
from trl import GRPOConfig, GRPOTrainer

print("trl", trl.__version__, "transformers", transformers.__version__)
words = ["<s>", "<pad>", "</s>", "<unk>", *"abcdefghij"]
model = Tokenizer(WordLevel({word: i for i, word in enumerate(words)}, unk_token="<unk>"))
model.pre_tokenizer = Whitespace()
tokenizer = PreTrainedTokenizerFast(tokenizer_object=model, bos_token="<s>", eos_token="</s>", pad_token="<pad>")
config = LlamaConfig(vocab_size=len(words), hidden_size=16, intermediate_size=16, num_hidden_layers=1,
                     num_attention_heads=2, bos_token_id=0, pad_token_id=1, eos_token_id=2)
LlamaForCausalLM(config).save_pretrained("llama")


def facts(completions, **columns):
    """No reward for every fourth completion, and -1 or -2 for the others."""
    return [None if place % 4 == 0 else -1.0 - place % 2 for place in range(len(completions))]


def constant(completions, **columns):
    return [0.5] * len(completions)


def advantages(*functions):
    options = GRPOConfig("out", max_steps=1, num_generations=4, per_device_train_batch_size=4, report_to=[],
                         max_completion_length=4, use_cpu=True, bf16=False, save_strategy="no")
    rows = Dataset.from_list([{"prompt": "a b c"}] * 4)
    trainer = GRPOTrainer("llama", reward_funcs=list(functions), args=options, train_dataset=rows,
                          processing_class=tokenizer)
    trainer.train()
    return [round(advantage, 2) for advantage in trainer._logs["advantages"]]


alone, beside = advantages(facts), advantages(facts, constant)
print("advantages, the function alone:       ", alone)
print("advantages, beside a constant reward: ", beside)
assert alone[0] == 0, "the only reward function's None teaches something now"
assert beside[0] == max(beside) > 0, "None beside another reward counts otherwise now"
EOF
