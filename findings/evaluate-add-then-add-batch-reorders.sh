#!/usr/bin/env bash
# Expected: a metric fed by add() and then by add_batch() computes over the rows in the order in which they came.
# What happens: below datasets 4.8.5 the rows of add_batch() stand before the rows that add() had not yet written,
#   because the writer keeps single rows in a buffer of its own and writes batches at once. From 4.8.5 on the order is
#   kept.
# Versions: evaluate 0.4.6 with datasets 4.8.0 (wrong) and 5.2.0 (right).
# Why it matters: a metric with one score per row returns them in another order than its caller's rows, so that scores
#   belong to other summaries. Means do not show it.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet evaluate==0.4.6 datasets==4.8.0
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


metric = Echo()
metric.add(prediction="0", reference="")
metric.add(prediction="1", reference="")
metric.add_batch(predictions=["2", "3"], references=["", ""])
metric.add(prediction="4", reference="")
read = metric.compute()["read"]
print("order:", read)
if datasets.__version__ == "4.8.0":
    assert read == ["2", "3", "0", "1", "4"]
else:
    assert read == ["0", "1", "2", "3", "4"]
EOF
