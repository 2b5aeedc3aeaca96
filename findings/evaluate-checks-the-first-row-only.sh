#!/usr/bin/env bash
# Expected: a metric whose column is declared as strings refuses a row that is not a string.
# What happens: evaluate checks the first row of a column. A number or a list further down reaches the metric as its
#   text ('3'), None as None, and is scored. The same value in the first row is a ValueError.
# Versions: evaluate 0.4.6, datasets 5.2.0.
# Why it matters: one row of ids, or a list of summaries where one was meant, becomes a low score among thousands; a
#   metric that wants texts must check them itself, before add() and add_batch() encode them.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet evaluate==0.4.6 datasets==5.2.0
cd "$folder"
venv/bin/python - <<'EOF'
import datasets
import evaluate
from datasets import Features, Value

print("evaluate", evaluate.__version__, "datasets", datasets.__version__)


class Echo(evaluate.Metric):
    def _info(self):
        features = Features({"predictions": Value("string"), "references": Value("string")})
        return evaluate.MetricInfo(description="", citation="", inputs_description="", features=features)

    def _compute(self, predictions, references):
        return {"read": list(predictions)}


read = Echo().compute(predictions=["a", 3, ["b"], None], references=["", "", "", ""])["read"]
print("read from ['a', 3, ['b'], None]:", read)
assert read == ["a", "3", "['b']", None], "later rows are checked now"
try:
    Echo().compute(predictions=[3, "a"], references=["", ""])
except ValueError as error:
    print("read from [3, 'a']: ValueError,", str(error).splitlines()[0])
else:
    raise AssertionError("the first row is not checked any more")
EOF
