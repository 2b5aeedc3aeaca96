#!/usr/bin/env bash
# Expected: torchmetrics' BERTScore returns, at place i, the score of prediction i against target i.
# What happens: predictions and targets are each sorted by length for the model, and the sorting is undone with the same
#   indices instead of their inverse. From three pairs of different lengths on, a score is often that of a prediction
#   against another row's target. The mean is wrong as well, not only the order. InfoLM shares these lines.
# Versions: torchmetrics 1.9.0, transformers 5.24.0, torch 2.13.0.
# Why it matters: BERTScore in a validation step compares summaries with other documents' references. It stays in a
#   believable range, because BERTScores of unrelated texts are high, and says little about the summaries.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet torch==2.13.0 transformers==5.24.0 torchmetrics==1.9.0
cd "$folder"
TRANSFORMERS_VERBOSITY=error venv/bin/python - <<'EOF'
import torch
import torchmetrics
import transformers
from tokenizers import Tokenizer, models, pre_tokenizers, processors
from torchmetrics.functional.text.bert import bert_score
from transformers import BertConfig, BertModel, PreTrainedTokenizerFast

print("torchmetrics", torchmetrics.__version__, "transformers", transformers.__version__, "torch", torch.__version__)
special = ["[PAD]", "[CLS]", "[SEP]", "[UNK]"]
vocabulary = {word: i for i, word in enumerate(special + list("abcdefghijklmnop"))}
words = Tokenizer(models.WordLevel(vocabulary, unk_token="[UNK]"))
words.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
words.post_processor = processors.TemplateProcessing("[CLS] $A [SEP]", special_tokens=[("[CLS]", 1), ("[SEP]", 2)])
tokenizer = PreTrainedTokenizerFast(tokenizer_object=words, pad_token="[PAD]", cls_token="[CLS]", sep_token="[SEP]")
tokenizer.save_pretrained("bert")
torch.manual_seed(0)
BertModel(BertConfig(vocab_size=len(vocabulary), hidden_size=16, num_hidden_layers=2, num_attention_heads=2,
                     intermediate_size=32)).save_pretrained("bert")


def scores(predictions, targets):
    result = bert_score(predictions, targets, model_name_or_path="bert", num_layers=2, max_length=16)["f1"]
    return [round(float(score), 4) for score in torch.atleast_1d(result)]


predictions = ["a b c d e f", "a b", "g h i j"]
targets = ["a b c", "d e f g h i j", "k"]
alone = [[scores([prediction], [target])[0] for target in targets] for prediction in predictions]
together = scores(predictions, targets)
print("each prediction (row) against each target (column), one pair at a time:", *alone, sep="\n  ")
print("the three pairs in one call:", together, "mean", round(sum(together) / 3, 3))
print("mean of the pairs that were asked for:", round(sum(alone[i][i] for i in range(3)) / 3, 3))
owners = [(i, j) for score in together for i in range(3) for j in range(3) if alone[i][j] == score]
print("these are the scores of prediction, target:", owners)
assert owners == [(2, 1), (0, 2), (1, 0)], "torchmetrics pairs rows in another way now"
EOF
