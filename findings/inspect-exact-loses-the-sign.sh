#!/usr/bin/env bash
# Expected: `exact()` of Inspect marks an answer as correct if it is the target, up to case, articles, spaces and
#   punctuation. `f1()` compares the same words. Numbers are parsed as such, so 5 equals 5.0 and -5 is another number.
# What happens: both split the text at hyphens before they look for numbers, and a minus sign is a hyphen. -5 counts
#   as 5, "a change of -3.2 percent" as "a change of 3.2 percent". `match(numeric=True)` of the same package tells -5
#   from 5.
# Versions: inspect-ai 0.3.285.
# Why it matters: questions about differences, temperatures and profits have answers that only the sign makes wrong. A
#   model that always gets it wrong scores 1. Nothing is raised or logged.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet inspect-ai==0.3.285
cd "$folder"
venv/bin/python -W ignore - <<'EOF'
import asyncio
from importlib.metadata import version

from inspect_ai.model import ModelOutput
from inspect_ai.scorer import Target, exact, f1, match
from inspect_ai.solver import TaskState

print("inspect-ai", version("inspect-ai"))
scorers = {"exact": exact(), "f1": f1(), "match, numeric": match(numeric=True)}


def scores(answer, target):
    state = TaskState(model="mockllm/model", sample_id=1, epoch=1, input="By how much did it change?", messages=[],
                      output=ModelOutput.from_content("mockllm/model", answer))
    found = {name: asyncio.run(scorer(state, Target(target))).value for name, scorer in scorers.items()}
    print(f"answer {answer!r:28} target {target!r:28}", *(f"{name}: {value}" for name, value in found.items()),
          sep="  ")
    return found


assert scores("-5", "-5") == {"exact": "C", "f1": 1.0, "match, numeric": "C"}
assert scores("4", "-5") == {"exact": "I", "f1": 0.0, "match, numeric": "I"}
assert scores("5.0", "5") == {"exact": "C", "f1": 1.0, "match, numeric": "C"}  # numbers, not texts
for answer, target in (("5", "-5"), ("-5", "5"), ("-0.50", "0.5")):
    assert scores(answer, target) == {"exact": "C", "f1": 1.0, "match, numeric": "I"}, "the sign counts now"
sentence = scores("a change of -3.2 percent", "a change of 3.2 percent")
assert sentence["exact"] == "C" and sentence["f1"] == 1
EOF
