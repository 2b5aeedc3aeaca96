#!/usr/bin/env bash
# Expected: `corpus_bleu` adds up the n-grams of all pairs, as its docstring says, so the order of the pairs changes
#   nothing. A smoothing function only moves precisions a little, and BLEU stays between 0 and 1.
# What happens: `corpus_bleu` hands the smoothing function the pair that it read last, in place of the corpus. Methods 5
#   and 7 take the precision of 5-grams from that pair. Method 6 divides the matches of all pairs by the n-grams of that
#   one. Reordering the pairs changes the score, and method 6 grows with the number of pairs, far above 1.
# Versions: nltk 3.10.4.
# Why it matters: which of two systems is ahead can turn with a shuffle of the test set, as below with method 7. Scores
#   of test sets of different sizes do not compare. Nothing is raised or logged; methods 0 to 4 ignore the order.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet nltk==3.10.4
cd "$folder"
venv/bin/python -W ignore - <<'EOF'
from itertools import permutations

import nltk
from nltk.translate.bleu_score import SmoothingFunction, corpus_bleu

print("nltk", nltk.__version__)
references = ["the mayor opened the new bridge on monday .",
              "police arrested two men after the robbery in the old town .",
              "the company will cut three hundred jobs next year ."]
summaries = ["the mayor opened a new bridge on monday .",
             "two men were arrested after a robbery in town .",
             "the company will cut three hundred jobs ."]


def bleu(pairs, method):
    smooth = getattr(SmoothingFunction(), f"method{method}")
    return corpus_bleu([[reference.split()] for reference, _ in pairs], [summary.split() for _, summary in pairs],
                       smoothing_function=smooth)


pairs = list(zip(references, summaries))
for method in range(8):
    by_last = {}
    for order in permutations(pairs):
        by_last.setdefault(order[-1], set()).add(round(bleu(order, method), 4))
    assert all(len(scores) == 1 for scores in by_last.values())  # only the last pair counts
    scores = [scores.pop() for scores in by_last.values()]
    print(f"method {method}:", *(f"{score:.4f}" for score in scores), "with the third, second and first pair last")
    if method < 5:
        assert len(set(scores)) == 1
    else:
        assert max(scores) - min(scores) > 0.08, "the order changes nothing now"

print("the same three pairs, repeated:")
grown = {}
for times in (1, 10, 100):
    plain, grown[times] = bleu(pairs * times, 0), bleu(pairs * times, 6)
    print(f"  {len(pairs) * times} pairs: {plain:.4f} without smoothing, {grown[times]:.4f} with method 6")
    assert abs(plain - bleu(pairs, 0)) < 1e-9
assert 1 < grown[10] < grown[100], "method 6 stays in its range now"

print("two systems, the same pairs in two orders:")
one = [(references[0], references[0]), pairs[1], pairs[2]]  # copies the first reference
other = [pairs[0], pairs[1], (references[2], references[2])]  # copies the third reference
ahead = {}
for method in (0, 7):
    for name, order in (("in order", (0, 1, 2)), ("reversed", (2, 1, 0))):
        first, second = (bleu([system[place] for place in order], method) for system in (one, other))
        ahead[method, name] = first > second
        print(f"  method {method}, {name}: {first:.4f} and {second:.4f}")
assert ahead[0, "in order"] == ahead[0, "reversed"]
assert ahead[7, "in order"] != ahead[7, "reversed"], "the same system is ahead in both orders now"
EOF
