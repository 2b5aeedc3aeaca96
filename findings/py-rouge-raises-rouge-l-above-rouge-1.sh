#!/usr/bin/env bash
# Expected: `weight_factor` of py-rouge changes ROUGE-W alone ("Weight factor to be used for ROUGE-W"). ROUGE-L is as in
#   ROUGE-1.5.5, whose results py-rouge promises. It is never above ROUGE-1, since words in order are words in common.
# What happens: recall and precision of ROUGE-L are raised to the power 1 / weight_factor too, even if ROUGE-W is not
#   asked for. With 1.2, the value of its README, every ROUGE-L between 0 and 1 grows: 0.33 becomes 0.40. The README's
#   own output has a ROUGE-L of 29.51 over a ROUGE-1 of 27.49. GitHub has had the repair since 2019, PyPI has not.
# Versions: py-rouge 1.1 (the last one), rouge-score 0.1.2, nltk 3.10.4.
# Why it matters: scripts that evaluate summarizers copy the README's call. Where their ROUGE-L is between 0.2 and 0.5,
#   it is some 6 points of 100 too high. A table that adds numbers from elsewhere compares two metrics.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet py-rouge==1.1 rouge-score==0.1.2 nltk==3.10.4 numpy==2.4.6 setuptools==80.9.0
cd "$folder"
venv/bin/python -W ignore - <<'EOF'
from functools import partial
from importlib.metadata import version

import nltk

nltk.word_tokenize = partial(nltk.word_tokenize, preserve_line=True)  # py-rouge's texts have no marks; saves a download
import rouge
from rouge_score.rouge_scorer import RougeScorer

print("py-rouge", version("py-rouge"), "rouge-score", version("rouge-score"), "nltk", nltk.__version__)


def py_rouge(metrics, weight_factor, summary, reference):
    evaluator = rouge.Rouge(metrics=metrics, max_n=1, limit_length=False, stemming=False, weight_factor=weight_factor)
    return {name: round(result["f"], 4) for name, result in evaluator.get_scores([summary], [reference]).items()}


def rouge_score(summary, reference):
    scores = RougeScorer(["rouge1", "rougeL"]).score(reference, summary)
    return {name: round(result.fmeasure, 4) for name, result in scores.items()}


pairs = [("the mayor opened the new bridge on monday", "the bridge was opened by the mayor two weeks ago"),
         ("the mayor opened the bridge", "on monday the mayor opened the old bridge near the port")]
for summary, reference in pairs:
    print(f"{summary!r} for {reference!r}:")
    right = rouge_score(summary, reference)
    plain = py_rouge(["rouge-n", "rouge-l", "rouge-w"], 1.0, summary, reference)
    weighted = py_rouge(["rouge-n", "rouge-l", "rouge-w"], 1.2, summary, reference)
    alone = py_rouge(["rouge-n", "rouge-l"], 1.2, summary, reference)
    print("  rouge-score:", right)
    print("  py-rouge, weight_factor 1.0:", plain)
    print("  py-rouge, weight_factor 1.2:", weighted)
    print("  py-rouge, weight_factor 1.2 without ROUGE-W:", alone)
    assert right["rouge1"] == plain["rouge-1"] == weighted["rouge-1"]
    assert right["rougeL"] == plain["rouge-l"]
    assert weighted["rouge-l"] == alone["rouge-l"] > plain["rouge-l"] + 0.04, "ROUGE-L is left alone now"
assert weighted["rouge-l"] > weighted["rouge-1"] == right["rougeL"]
EOF
