#!/usr/bin/env bash
# Expected: SummaC asks its NLI model about each sentence of a summary, as its paper says.
# What happens: sentences of up to 10 characters are dropped before that, so "He died." changes no score, true or not. A
#   summary of such sentences alone scores 0.0 for any document, in the middle of the range from -1 to 1. SummaCConv
#   also stops after 10 sentences. Neither class says so, nor does the README.
# Versions: summac 0.0.4 (the last one), transformers 4.33.3, nltk 3.10.4, torch 2.13.0.
# Why it matters: invented deaths, wins and dismissals are often that short, and long summaries of dialogues have more
#   than 10 sentences. A reward or a filter by SummaC leaves both unchecked.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet torch==2.13.0 summac==0.0.4 transformers==4.33.3 huggingface_hub==0.17.0 \
    nltk==3.10.4 numpy==2.4.6
cd "$folder"
export OMP_NUM_THREADS=1
venv/bin/python -W ignore - <<'EOF'
import string
from pathlib import Path

import nltk
import torch
import transformers
from summac import model_summac
from transformers import BertConfig, BertForSequenceClassification, BertTokenizerFast

print("transformers", transformers.__version__, "nltk", nltk.__version__)
characters = list(string.ascii_lowercase + string.digits)
pieces = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", ".", *characters, *("##" + one for one in characters)]
Path("model").mkdir()
Path("model/vocab.txt").write_text("\n".join(pieces))
BertTokenizerFast("model/vocab.txt").save_pretrained("model")
torch.manual_seed(0)
BertForSequenceClassification(BertConfig(
    vocab_size=len(pieces), hidden_size=32, num_hidden_layers=1, num_attention_heads=2, intermediate_size=32,
    num_labels=3, initializer_range=0.5)).save_pretrained("model")
model_summac.model_map["vitc"]["model_card"] = "model"  # a small NLI model, with random weights
nltk.tokenize.sent_tokenize = nltk.tokenize.PunktSentenceTokenizer().tokenize  # as it is without its download
zero_shot = model_summac.SummaCZS(granularity="sentence", model_name="vitc", device="cpu", imager_load_cache=False)
torch.manual_seed(0)
conv = model_summac.SummaCConv(models=["vitc"], bins="percentile", granularity="sentence", nli_labels="e",
                               device="cpu", start_file=None, agg="mean", imager_load_cache=False)
document = "The mayor opened the new bridge on Monday. Two hundred people came to see the ceremony."


def scores(name, summary):
    first = float(zero_shot.score([document], [summary])["scores"][0])
    second = conv.score([document], [summary])["scores"][0]
    print(f"{name}: SummaCZS {first:.4f}, SummaCConv {second:.4f}")
    return first, second


sentence = "The mayor opened the bridge on Monday."
plain = scores("one sentence", sentence)
assert scores("and 'He died.'", sentence + " He died.") == plain, "short sentences are read now"
assert scores("and 'He died there.'", sentence + " He died there.") != plain
assert scores("'He died.' alone", "He died.")[0] == 0.0
ten = " ".join(f"The mayor opened bridge number {number}." for number in range(10))
more = ten + " The bridge was then destroyed by a flood."
before, after = scores("ten sentences", ten), scores("and an eleventh", more)
assert before[0] != after[0]
assert before[1] == after[1], "SummaCConv reads more than 10 sentences now"
EOF
