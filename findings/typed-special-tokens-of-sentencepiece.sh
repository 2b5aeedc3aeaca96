#!/usr/bin/env bash
# Expected: with `split_special_tokens=True` a typed "</s>" is read as text, by every tokenizer.
# What happens: the vocabularies of T5, Pegasus and other SentencePiece (Unigram) models hold "</s>", "<pad>" and the
#   sentinels as ordinary pieces too. The option only keeps the added tokens from being looked for; the Unigram model then
#   finds the piece in the text, and the typed "</s>" ends the sequence.
# Versions: transformers 5.24.0, tokenizers 0.23.3.
# Why it matters: a text that holds "</s>", as texts about models do, is cut or padded for the model in its middle.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet transformers==5.24.0
cd "$folder"
venv/bin/python - <<'PYTHON'
import tokenizers
import transformers
from transformers import T5Tokenizer

print("transformers", transformers.__version__, "tokenizers", tokenizers.__version__)
pieces = [("<pad>", 0.0), ("</s>", 0.0), ("<unk>", 0.0), *((piece, -3.0) for piece in "▁abs/><")]
tokenizer = T5Tokenizer(vocab=[*pieces, ("<extra_id_0>", 0.0)], extra_ids=1)
ids = tokenizer("a </s> b", split_special_tokens=True, add_special_tokens=False)["input_ids"]
print("typed </s> with split_special_tokens=True:", tokenizer.convert_ids_to_tokens(ids))
assert tokenizer.eos_token_id in ids
PYTHON
