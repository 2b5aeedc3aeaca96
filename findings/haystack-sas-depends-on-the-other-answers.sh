#!/usr/bin/env bash
# Expected: SASEvaluator of Haystack scores each answer against its own ground truth. The score of a pair stays as it
#   is if other pairs join the run. Answers that are closer to the truth raise the mean.
# What happens: with a cross-encoder that gives raw logits, one test decides for all pairs. If any logit of the run is
#   above 1, every score goes through a sigmoid; otherwise all stay raw. One good answer thus moves the scores of all
#   others, below a bad one from -1.15 to 0.24. Answers that are better one by one can get the lower mean, 0.74 for
#   0.97.
# Versions: haystack-ai 3.4.1, sentence-transformers 6.2.0, transformers 5.24.0, torch 2.13.0.
# Why it matters: the class's own example takes cross-encoder/ms-marco-MiniLM-L-6-v2, which gives raw logits. Two
#   systems, or two halves of one test set, may be on different scales. Nothing is raised or logged.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet torch==2.13.0 transformers==5.24.0 \
    sentence-transformers==6.2.0 haystack-ai==3.4.1
cd "$folder"
export HF_HUB_OFFLINE=1 HAYSTACK_TELEMETRY_ENABLED=False
venv/bin/python -W ignore - <<'EOF'
from importlib.metadata import version
from itertools import product

import torch
import transformers
from haystack.components.evaluators import SASEvaluator
from sentence_transformers import CrossEncoder
from tokenizers import Tokenizer, models, pre_tokenizers, processors
from transformers import BertConfig, BertForSequenceClassification, PreTrainedTokenizerFast

transformers.logging.set_verbosity_error()
transformers.logging.disable_progress_bar()
print(*(f"{name} {version(name)}" for name in ("haystack-ai", "sentence-transformers", "transformers", "torch")))

# A small cross-encoder with random weights that gives raw logits, as those trained on MS MARCO do.
words = "[PAD] [UNK] [CLS] [SEP] the a new old mayor police men town opened closed sold built bridge school on monday"
core = Tokenizer(models.WordLevel({word: place for place, word in enumerate(words.split())}, unk_token="[UNK]"))
core.pre_tokenizer = pre_tokenizers.Whitespace()
core.post_processor = processors.TemplateProcessing(
    single="[CLS] $A [SEP]", pair="[CLS] $A [SEP] $B:1 [SEP]:1", special_tokens=[("[CLS]", 2), ("[SEP]", 3)])
tokenizer = PreTrainedTokenizerFast(tokenizer_object=core, pad_token="[PAD]", unk_token="[UNK]", cls_token="[CLS]",
                                    sep_token="[SEP]")
torch.manual_seed(0)
model = BertForSequenceClassification(BertConfig(
    vocab_size=len(words.split()), hidden_size=32, num_hidden_layers=1, num_attention_heads=2, intermediate_size=32,
    max_position_embeddings=64, num_labels=1, initializer_range=0.6))
model.classifier.bias.data += 0.15
model.config.sentence_transformers = {"activation_fn": "torch.nn.modules.linear.Identity", "version": "4.1.0"}
model.save_pretrained("model")
tokenizer.save_pretrained("model")

truth = "the mayor opened the new bridge on monday"
answers = [" ".join(choice) for choice in product(("the", "a"), ("new", "old"), ("mayor", "police", "men", "town"),
                                                  ("opened", "closed", "sold", "built"), ("the bridge", "a school"))]
logits = CrossEncoder("model").predict([(answer, truth) for answer in answers], show_progress_bar=False)
logit = {answer: float(score) for answer, score in zip(answers, logits)}
ranked = sorted(answers, key=logit.get)
evaluator = SASEvaluator(model="model", token=None)


def sas(predictions):
    return evaluator.run(ground_truth_answers=[truth] * len(predictions), predicted_answers=predictions)


bad, good = ranked[0], ranked[-1]
assert logit[bad] < -1 and logit[good] > 1
alone, joined = sas([bad]), sas([bad, good])
print(f"score of {bad!r}: {alone['individual_scores'][0]:.4f} alone,",
      f"{joined['individual_scores'][0]:.4f} in a run with {good!r}")
assert abs(alone["individual_scores"][0] - logit[bad]) < 1e-4
assert 0 < joined["individual_scores"][0] < 0.5, "the other answer changes nothing now"

below = [answer for answer in ranked if logit[answer] <= 1][-2:]
above = [answer for answer in ranked if logit[answer] > 1][:2]
one, other = sas(below), sas(above)
for name, predictions, result in (("first", below, one), ("second", above, other)):
    print(f"{name} system: logits", *(f"{logit[answer]:.3f}" for answer in predictions), "scores",
          *(f"{score:.3f}" for score in result["individual_scores"]), f"mean {result['score']:.3f}")
assert max(map(logit.get, below)) < min(map(logit.get, above))
assert one["score"] > other["score"], "the better answers have the higher mean now"
together = sas(below + above)["individual_scores"]
assert max(together[:2]) < min(together[2:])
print("in one run:", *(f"{score:.3f}" for score in together))
EOF
