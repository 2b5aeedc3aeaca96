#!/usr/bin/env bash
# Expected: BERTScore with roberta-large reads the first word of a text as it reads that word elsewhere. bert-score
#   passes `add_prefix_space=True` for that, an argument which RobertaTokenizer's documentation offers for such calls.
# What happens: tokenizers of transformers 5 ignore arguments that they do not know, this one among them, without a
#   word. The first word loses its space and is often cut to pieces, so it no longer matches itself. In transformers 4
#   the slow tokenizer obeyed, and the fast one raised a TypeError, as it did for a misspelt `max_len`.
# Versions: bert-score 0.3.13 with transformers 5.24.0 (wrong) and 4.57.6 (right), torch 2.13.0.
# Why it matters: summaries start with names, and short ones lose most. Scores are not those of papers, nor do they fit
#   the baselines of `rescale_with_baseline`. A misspelt `max_len=512` leaves sources uncut.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet torch==2.13.0 transformers==5.24.0 bert-score==0.3.13
"$folder/venv/bin/pip" install --quiet --no-deps --target "$folder/older" transformers==4.57.6 \
    huggingface_hub==0.36.0 tokenizers==0.22.1
cd "$folder"
cat > score.py <<'EOF'
import json
import sys
from importlib.metadata import version
from pathlib import Path

import bert_score
import torch
import transformers
from bert_score.utils import get_tokenizer, sent_encode
from tokenizers import Tokenizer, models, pre_tokenizers, trainers
from transformers import AutoTokenizer, RobertaConfig, RobertaModel

transformers.logging.set_verbosity_error()
print("transformers", transformers.__version__, "bert-score", version("bert-score"))
if not Path("roberta").exists():  # a small RoBERTa with random weights, its vocabulary learnt as RoBERTa's was
    core = Tokenizer(models.BPE())
    core.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    core.train_from_iterator(["Profits rose. In Paris profits rose. So Paris rose."] * 20, trainers.BpeTrainer(
        vocab_size=320, special_tokens=["<s>", "<pad>", "</s>", "<unk>", "<mask>"],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet()))
    model = json.loads(core.to_str())["model"]
    Path("roberta").mkdir()
    Path("roberta/vocab.json").write_text(json.dumps(model["vocab"]))
    merges = "\n".join(" ".join(pair) for pair in model["merges"])
    Path("roberta/merges.txt").write_text("#version: 0.2\n" + merges + "\n")
    Path("roberta/tokenizer_config.json").write_text(json.dumps({"tokenizer_class": "RobertaTokenizer",
                                                                 "model_max_length": 512}))
    torch.manual_seed(0)
    RobertaModel(RobertaConfig(vocab_size=len(model["vocab"]), hidden_size=32, num_hidden_layers=2,
                               num_attention_heads=2, intermediate_size=64, max_position_embeddings=514,
                               pad_token_id=1, bos_token_id=0, eos_token_id=2)).save_pretrained("roberta")
tokenizer = get_tokenizer("roberta")
pieces = tokenizer.convert_ids_to_tokens(sent_encode(tokenizer, "Paris rose."))
print("bert-score reads 'Paris rose.' as", *pieces)
_, _, f1 = bert_score.score(["Paris rose."], ["So Paris rose."], model_type="roberta", num_layers=2, nthreads=0)
print("F1 against 'So Paris rose.': %.4f" % float(f1))
try:
    count = len(AutoTokenizer.from_pretrained("roberta")("Paris rose. " * 50, max_len=8)["input_ids"])
    print("max_len=8:", count, "tokens")
except TypeError as error:
    count = 0
    print("max_len=8: TypeError,", error)
if sys.argv[1] == "right":
    assert pieces[1] == "\u0120Paris" and count == 0
else:
    assert pieces[1] != "\u0120Paris", "the first word keeps its space now"
    assert count > 100, "unknown arguments are refused now"
Path(sys.argv[1]).write_text(str(float(f1)))
if Path("right").exists() and Path("wrong").exists():
    assert abs(float(Path("right").read_text()) - float(Path("wrong").read_text())) > 0.01
EOF
export OMP_NUM_THREADS=1
PYTHONPATH="$folder/older" venv/bin/python -W ignore score.py right 2> older.log || { cat older.log; exit 1; }
venv/bin/python -W ignore score.py wrong 2> newer.log || { cat newer.log; exit 1; }
