#!/usr/bin/env bash
# Expected: ROUGE of two equal texts is 1 in any language; two different words do not match.
# What happens: rouge-score keeps a to z and 0 to 9 and takes all else for spaces. Equal Russian or Chinese texts
#   score 0. Latin letters with accents are cut out of their words, so that different words agree in their rests.
# Versions: rouge-score 0.1.2 (the last one), as evaluate's rouge and most summarization scripts call it.
# Why it matters: a table of languages shows 0 for good systems; German or French is scored on fragments; a ranker by
#   ROUGE picks candidates at random.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet rouge-score==0.1.2
cd "$folder"
venv/bin/python - <<'EOF'
from importlib.metadata import version

from rouge_score.rouge_scorer import RougeScorer

print("rouge-score", version("rouge-score"))
scorer = RougeScorer(["rouge1", "rougeL"])
pairs = [
    ("\u041c\u043e\u0441\u043a\u0432\u0430", "\u041c\u043e\u0441\u043a\u0432\u0430", 0),  # Moscow, in Russian, twice
    ("\u5357\u4eac\u5e02", "\u5357\u4eac\u5e02", 0),  # Nanjing, in Chinese, twice
    ("\u00dcbel", "n\u00f6bel", 2 / 3),  # two words, one match of their rests
]
for target, prediction, expected in pairs:
    score = scorer.score(target, prediction)["rouge1"].fmeasure
    print(ascii(target), ascii(prediction), "ROUGE-1 F1:", round(score, 3))
    assert abs(score - expected) < 1e-6, "rouge-score has words beyond ASCII now"
EOF
