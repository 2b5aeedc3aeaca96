#!/usr/bin/env bash
# Expected: `EvalResult` and `ModelCardData` write the number that a metric returned as a YAML number. Either a NumPy float
#   becomes one, or writing raises.
# What happens: the YAML holds instructions to build a Python object of bytes. `card.save` writes it without a word, and
#   `ModelCard.load` of the same package then refuses the file. `round` does not help, because NumPy keeps its type.
# Versions: huggingface_hub 2.4.0, rouge-score 0.1.2, numpy 2.4.6.
# Why it matters: ROUGE's aggregator returns NumPy floats, and `evaluate` hands them on. The card is lost to every
#   reader with a safe loader, with all its other metadata, and the mistake shows only when somebody loads it.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet huggingface_hub==2.4.0 rouge-score==0.1.2 numpy==2.4.6
cd "$folder"
venv/bin/python -W ignore - <<'PYTHON'
from importlib.metadata import version

import yaml
from huggingface_hub import EvalResult, ModelCard
from rouge_score.rouge_scorer import RougeScorer
from rouge_score.scoring import BootstrapAggregator

print(*(f"{name} {version(name)}" for name in ("huggingface_hub", "rouge-score", "numpy")))
aggregator = BootstrapAggregator()
for summary in ("the bridge closes on monday", "the bridge opens on monday"):
    aggregator.add_scores(RougeScorer(["rouge1"]).score("the old bridge closes on monday", summary))
rouge = aggregator.aggregate()["rouge1"].mid.fmeasure


def saved(name, value):
    """A card with one result, written to a file."""
    card = ModelCard("---\nlicense: apache-2.0\n---\n# A summarizer\n")
    card.data.model_name = "summarizer"
    card.data.eval_results = [
        EvalResult(task_type="summarization", dataset_type="xsum", dataset_name="XSum", metric_type="rouge",
                   metric_value=value)
    ]
    card.save(name)
    return open(name).read()


for title, value in (("float", float(rouge)), ("as ROUGE gives it", rouge), ("rounded", round(rouge, 4))):
    text = saved("README.md", value)
    print(f"{title}: {type(value).__name__},", [line.strip() for line in text.splitlines() if "value:" in line])
    try:
        assert ModelCard.load("README.md").data.license == "apache-2.0"
        readable = True
    except yaml.YAMLError as error:
        print("  not read:", str(error).splitlines()[0])
        readable = False
    assert readable == (type(value) is float), "NumPy floats are written as numbers now"
PYTHON
