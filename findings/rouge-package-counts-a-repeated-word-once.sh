#!/usr/bin/env bash
# Expected: ROUGE-N counts each n-gram as often as it occurs, clipped to the reference, as in Lin (2004); PyPI's `rouge`
#   ("Full Python ROUGE Score Implementation") gives what rouge-score gives, but for tokenization.
# What happens: `rouge` turns n-grams into sets, so that a word counts once however often a summary repeats it, and does
#   the same for ROUGE-L. Only `Rouge(exclusive=False)`, an argument that its README does not name, counts them.
# Versions: rouge 1.0.1 (the last one), rouge-score 0.1.2.
# Why it matters: repetition is the failure of summarizers that precision should punish. By `rouge`'s
#   ROUGE-1 and ROUGE-L, a summary that says one phrase four times is as good as one that says it once. Its numbers
#   cannot be compared with a paper's, and a reward or a ranker by it has nothing against repetition.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet rouge==1.0.1 rouge-score==0.1.2
cd "$folder"
venv/bin/python - <<'EOF'
from importlib.metadata import metadata, version

from rouge import Rouge
from rouge_score.rouge_scorer import RougeScorer

print("rouge", version("rouge"), "rouge-score", version("rouge-score"))
reference = "the bridge will close on monday for seven months"
once = "the bridge will close"
four = " ".join([once] * 4)
names = {"rouge-1": "rouge1", "rouge-2": "rouge2", "rouge-l": "rougeL"}
for name, other in names.items():
    sets = [Rouge().get_scores(summary, reference)[0][name] for summary in (once, four)]
    counts = [Rouge(exclusive=False).get_scores(summary, reference)[0][name] for summary in (once, four)]
    scores = [RougeScorer([other]).score(reference, summary)[other] for summary in (once, four)]
    print(name, "precision, said once and four times: rouge", [round(score["p"], 2) for score in sets],
          "exclusive=False", [round(score["p"], 2) for score in counts],
          "rouge-score", [round(score.precision, 2) for score in scores])
    if name != "rouge-2":  # the joints are bigrams of their own
        assert sets[0]["p"] == sets[1]["p"] == 1, "rouge counts repeated n-grams now"
        assert scores[0].precision == 1 and scores[1].precision == 0.25
    assert sets[1]["p"] > 2 * scores[1].precision
    assert abs(counts[1]["p"] - scores[1].precision) < 1e-6
assert "exclusive" not in str(metadata("rouge")), "its description names the argument now"
EOF
