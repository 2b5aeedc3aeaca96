#!/usr/bin/env bash
# Expected: `max_distance` of `AnnotationTask.weighted_kappa` is the largest distance of two labels, 4 for marks from
#   1 to 5. It brings distances into 0 to 1, in the observed and in the expected disagreement. Weighted kappa is their
#   ratio, so it cancels out, and the result equals that of distances divided by 4 beforehand.
# What happens: only the expected disagreement is divided by `max_distance`; the observed one is computed without it.
#   The ratio is `max_distance` times too large. With 4, a kappa of 0.86 becomes 0.46, and 0.67 becomes -0.33.
# Versions: nltk 3.10.4, scikit-learn 1.9.1 beside it.
# Why it matters: whoever names the range of the marks, as the option asks, reports good annotators as poor ones or as
#   worse than chance. Kappas of scales with 3, 5 and 7 points do not compare. Nothing is raised or logged.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet nltk==3.10.4 scikit-learn==1.9.1
cd "$folder"
venv/bin/python -W ignore - <<'EOF'
import nltk
import sklearn
from nltk.metrics.agreement import AnnotationTask
from sklearn.metrics import cohen_kappa_score

print("nltk", nltk.__version__, "scikit-learn", sklearn.__version__)
marks = {"Ann": [1, 2, 3, 4, 5, 1, 2, 3, 4, 5],  # of ten summaries, from 1 to 5
         "Ben": [1, 2, 3, 4, 4, 2, 2, 3, 4, 5],
         "Eve": [2, 2, 3, 4, 5, 2, 1, 4, 4, 4]}


def task(names, distance):
    return AnnotationTask([(name, f"summary {place}", mark) for name in names for place, mark in
                           enumerate(marks[name])], distance=distance)


for names in (("Ann", "Ben"), ("Ann", "Eve")):
    right = cohen_kappa_score(*(marks[name] for name in names), weights="linear")
    unscaled = task(names, lambda one, other: abs(one - other))
    scaled = task(names, lambda one, other: abs(one - other) / 4)
    named = unscaled.weighted_kappa(max_distance=4)
    print(*names, f"scikit-learn {right:.4f}, distances divided by 4 {scaled.weighted_kappa():.4f},",
          f"max_distance=1 {unscaled.weighted_kappa():.4f}, max_distance=4 {named:.4f}")
    assert abs(scaled.weighted_kappa() - right) < 1e-9 and abs(unscaled.weighted_kappa() - right) < 1e-9
    assert abs(named - (1 - 4 * (1 - right))) < 1e-9, "max_distance counts on both sides now"
    # `Do_Kw`, the observed disagreement, does take `max_distance` when it is asked by itself.
    assert abs(unscaled.Do_Kw(max_distance=4) - unscaled.Do_Kw() / 4) < 1e-9
assert named < 0 < 0.6 < right
EOF
