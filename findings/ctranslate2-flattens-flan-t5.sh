#!/usr/bin/env bash
# Expected: a Flan-T5, converted by CTranslate2, gives the probabilities and beams that transformers gives.
# What happens: T5 1.1 and Flan-T5 must not scale the decoder's output, and CTranslate2 reads that from
#   `tie_word_embeddings`. transformers 5 sets this to True in every T5 config and keeps the truth in
#   `scale_decoder_outputs`. The converter so divides all logits by the root of d_model, 27.7 for flan-t5-base. Greedy
#   search writes the same text; scores are those of a nearly uniform model, and beam search and sampling change.
# Versions: ctranslate2 4.8.5 with transformers 5.24.0 (wrong) and 4.57.6 (right), torch 2.13.0.
# Why it matters: a log-likelihood of a summary or an answer, by which candidates are filtered and ranked, depends on
#   the version of transformers at conversion. A first test with greedy search shows nothing.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet torch==2.13.0 transformers==5.24.0 ctranslate2==4.8.5 requests==2.34.2
"$folder/venv/bin/pip" install --quiet --no-deps --target "$folder/older" transformers==4.57.6 huggingface_hub==0.36.0 \
    tokenizers==0.22.1
cd "$folder"
cat > compare.py <<'EOF'
import json
import sys
from pathlib import Path

import ctranslate2
import torch
import transformers
from tokenizers import Tokenizer, models, pre_tokenizers
from transformers import PreTrainedTokenizerFast, T5Config, T5ForConditionalGeneration

transformers.logging.set_verbosity_error()
print("transformers", transformers.__version__, "ctranslate2", ctranslate2.__version__)
name = sys.argv[1]
words = ["<pad>", "</s>", "<unk>"] + [f"w{number}" for number in range(61)]
if not Path("model").exists():  # a small T5 1.1, whose output layer is its own
    core = Tokenizer(models.WordLevel({word: index for index, word in enumerate(words)}, unk_token="<unk>"))
    core.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    PreTrainedTokenizerFast(tokenizer_object=core, pad_token="<pad>", eos_token="</s>",
                            unk_token="<unk>").save_pretrained("model")
    torch.manual_seed(0)
    config = T5Config(vocab_size=64, d_model=64, d_kv=16, d_ff=64, num_layers=2, num_heads=4, initializer_factor=2.0,
                      feed_forward_proj="gated-gelu", tie_word_embeddings=False, decoder_start_token_id=0)
    model = T5ForConditionalGeneration(config)
    model.lm_head.weight = torch.nn.Parameter(0.25 * torch.randn(64, 64))
    model.save_pretrained("model")
    saved = json.loads(Path("model/config.json").read_text())
    Path("model/config.json").write_text(json.dumps({**saved, "tie_word_embeddings": False}))
model = T5ForConditionalGeneration.from_pretrained("model").eval()
ctranslate2.converters.TransformersConverter("model").convert(name)
translator = ctranslate2.Translator(name, device="cpu", intra_threads=1)
tokens = ["w5", "w6", "w7", "</s>"]
target = ["w1", "w9", "w30"]
source = torch.tensor([[words.index(token) for token in tokens]])
labels = torch.tensor([[words.index(token) for token in target + ["</s>"]]])
with torch.no_grad():
    likely = model(input_ids=source, labels=labels).logits.log_softmax(-1).gather(-1, labels[..., None])[0, :, 0]
scored = torch.tensor(translator.score_batch([tokens], [target])[0].log_probs)
print("log-probabilities of one target, transformers:", [round(value, 2) for value in likely.tolist()])
print("log-probabilities of one target, CTranslate2: ", [round(value, 2) for value in scored.tolist()])
same = {}
torch.manual_seed(1)
sources = torch.cat([torch.randint(3, 64, (20, 6)), torch.ones(20, 1, dtype=torch.long)], dim=1)
texts = [[words[index] for index in row] for row in sources.tolist()]
for beams in (1, 4):
    theirs = translator.translate_batch(texts, beam_size=beams, max_decoding_length=8)
    ours = model.generate(sources, num_beams=beams, max_new_tokens=8, do_sample=False)[:, 1:].tolist()
    same[beams] = sum(answer.hypotheses[0] == [words[index] for index in row[:row.index(1) if 1 in row else 8]]
                      for answer, row in zip(theirs, ours, strict=True))
    print(f"{beams} beam(s): {same[beams]} of 20 texts are those of transformers")
right = name == "right"
assert bool((likely - scored).abs().max() < 1e-3) == right, "the probabilities have changed"
assert same[1] == 20
assert same[4] >= 18 if right else same[4] <= 10, "beam search has changed"
if not right:
    assert float(scored.std()) < float(likely.std()) / 4
EOF
export OMP_NUM_THREADS=1
PYTHONPATH="$folder/older" venv/bin/python -W ignore compare.py right 2> older.log || { cat older.log; exit 1; }
venv/bin/python -W ignore compare.py wrong 2> newer.log || { cat newer.log; exit 1; }
