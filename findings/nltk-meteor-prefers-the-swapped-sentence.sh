#!/usr/bin/env bash
# Expected: nltk's METEOR aligns words so that as few matches as possible cross. The docstring of `align_words` says
#   that, and METEOR's penalty for word order is counted on this alignment.
# What happens: each word, from the last one on, takes the last free place of that word in the reference, whatever is
#   around it. A repeated word ("the", a name) is so matched in another sentence, and a verbatim copy is torn to pieces.
#   "The company sued the bank" is copied from the reference and scores 0.21. "The bank sued the company" scores 0.36.
# Versions: nltk 3.10.4.
# Why it matters: evaluate's `meteor` calls this function. References of several sentences repeat articles and names, so
#   the score depends on where the repetitions stand. Here it prefers the summary that is false.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet nltk==3.10.4
cd "$folder"
venv/bin/python - <<'EOF'
from collections import Counter

import nltk
from nltk.translate.meteor_score import align_words, meteor_score

print("nltk", nltk.__version__)


class NoSynonyms:  # WordNet would have to be downloaded; equal words and equal stems match without it
    def synsets(self, word):
        return []


def numbered(text):  # "the cat the dog" becomes "the_1 cat_1 the_2 dog_1", so that each word has one place
    seen = Counter()
    words = []
    for word in text.split():
        seen[word] += 1
        words.append(f"{word}_{seen[word]}")
    return words


def score(reference, summary):
    return round(meteor_score([reference], summary, wordnet=NoSynonyms()), 4)


reference = "the company sued the bank . the bank denied the claim of the company ."
copied = "the company sued the bank ."
swapped = "the bank sued the company ."
print("reference:", reference)
for summary in (copied, swapped):
    matches, _, _ = align_words(summary.split(), reference.split(), wordnet=NoSynonyms())
    print(f"{summary!r}: METEOR {score(reference.split(), summary.split())}, places (summary, reference) {matches}")
    print("  with repeated words numbered in order, so that each matches one place:",
          score(numbered(reference), numbered(summary)))
assert score(reference.split(), copied.split()) == 0.2128, "the copy is aligned in another way now"
assert score(reference.split(), swapped.split()) == 0.3625
assert score(numbered(reference), numbered(copied)) > score(numbered(reference), numbered(swapped))
longer = "the mayor opened the bridge near the old port in the city ."
shorter = "the mayor opened the bridge near the old port ."
plain, right = score(longer.split(), shorter.split()), score(numbered(longer), numbered(shorter))
print(f"{shorter!r} for {longer!r}: METEOR {plain}, numbered {right}")
assert plain < right - 0.1
EOF
