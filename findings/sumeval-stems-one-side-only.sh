#!/usr/bin/env bash
# Expected: with `stemming=True` ROUGE compares stems with stems, so `ate` matches `eat`. Stemming can only add matches,
#   and a summary that equals its reference has ROUGE 1.
# What happens: sumeval stems the words of the references and leaves the summary's as they are. Its English stems are a
#   list of irregular forms. Such a form in a summary then matches nothing, not even itself, and present tense and
#   singular score above a copy of the reference.
# Versions: sumeval 0.2.2, rouge-score 0.1.2 beside it.
# Why it matters: a system that writes as the reference does loses to one that writes every verb in the present tense.
#   Scores fall with stemming, where other ROUGE packages let them rise. Nothing is raised or logged.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet sumeval==0.2.2 rouge-score==0.1.2 'setuptools<81'
cd "$folder"
venv/bin/python -W ignore - <<'PYTHON'
from importlib.metadata import version

from rouge_score.rouge_scorer import RougeScorer
from sumeval.metrics.rouge import RougeCalculator

print("sumeval", version("sumeval"), "rouge-score", version("rouge-score"))
reference = "Wolves ate three geese before the farmers woke and drove them into the woods"
summaries = {"equal to the reference": reference,
             "present and singular": "Wolf eat three goose before the farmers wake and drive them into the woods"}


def rouge(name, stemming):
    return RougeCalculator(stemming=stemming, stopwords=False).rouge_1(summaries[name], reference)


stemmer = RougeScorer(["rouge1"], use_stemmer=True)
print("ROUGE-1 of a summary    sumeval  with stemming  rouge-score with stemming")
for name, text in summaries.items():
    other = stemmer.score(reference, text)["rouge1"].fmeasure
    print(f"{name:22} {rouge(name, False):8.3f} {rouge(name, True):14.3f} {other:26.3f}")
same, present = summaries
assert rouge(same, False) == 1 == stemmer.score(reference, reference)["rouge1"].fmeasure
assert rouge(same, True) < 0.7, "the summary is stemmed too now"
assert rouge(present, True) == 1, "the present tense matches less now"
assert rouge(present, False) < 0.7
PYTHON
