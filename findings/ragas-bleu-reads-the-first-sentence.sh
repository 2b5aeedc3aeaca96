#!/usr/bin/env bash
# Expected: the `BleuScore` of ragas compares the texts: "Calculate BLEU score between reference and response texts".
# What happens: it cuts both at ". " and hands sacrebleu the sentences of the reference as several references for one
#   sentence. sacrebleu stops at the shorter list, without a word. So only the first sentence of a response is scored,
#   and a match with any sentence of the reference counts. A false second sentence leaves the score at 1.0.
# Versions: ragas 0.4.3, sacrebleu 2.6.0 (langchain-community 0.4.1, because ragas does not import beside 0.4.2).
# Why it matters: a summary with one good sentence and then inventions is perfect, and its length is never punished. The
#   mean over a data set is a BLEU of first sentences. Calls of sacrebleu with one list per summary end in the same way.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet ragas==0.4.3 sacrebleu==2.6.0 langchain-community==0.4.1 langchain==1.5.2 \
    langchain-core==1.8.3 langchain-openai==1.1.9 instructor==1.3.2 openai==1.109.1 datasets==5.2.0 pydantic==2.14.4 \
    numpy==2.4.6
cd "$folder"
export RAGAS_DO_NOT_TRACK=true
venv/bin/python -W ignore - <<'EOF'
from importlib.metadata import version

import sacrebleu
from ragas.metrics.collections import BleuScore

print("ragas", version("ragas"), "sacrebleu", sacrebleu.__version__)
bridge = "The mayor opened the new bridge on Monday."
visitors = "Two hundred people came to see the ceremony."
bomb = "Three people were killed by a bomb."
reference = f"{bridge} {visitors}"
metric = BleuScore()
values = {}
for name, response in {
    "the reference itself": reference,
    "a false second sentence": f"{bridge} {bomb}",
    "three false sentences more": f"{bridge} {bomb} {bomb} {bomb}",
    "the reference's second sentence, then a false one": f"{visitors} {bomb}",
    "the false sentence first": f"{bomb} {bridge}",
}.items():
    values[name] = round(metric.score(reference=reference, response=response).value, 4)
    whole = round(sacrebleu.corpus_bleu([response], [[reference]]).score / 100, 4)
    print(f"{name}: ragas {values[name]}, sacrebleu on the whole texts {whole}")
    assert name == "the reference itself" or whole < 0.6
assert list(values.values())[:4] == [1.0] * 4, "ragas reads further sentences now"
assert values["the false sentence first"] < 0.1
per_summary = round(sacrebleu.corpus_bleu([bridge, bomb], [[bridge], [visitors]]).score / 100, 4)
print("sacrebleu with one list of references per summary:", per_summary)
assert per_summary == 1.0
EOF
