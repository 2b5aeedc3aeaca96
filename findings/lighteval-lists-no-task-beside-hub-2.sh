#!/usr/bin/env bash
# Expected: `pip install lighteval`, to which evaluate's own page points, gives a lighteval that evaluates.
# What happens: pip takes huggingface_hub 2, and no task can be listed, not even one of your own: all of lighteval's tasks
#   are imported first, and MT-Bench's asks the hub by an argument that is gone. With huggingface_hub 1 the run starts,
#   and ends in a TypeError at its first logged sample, because xxhash 4 takes no str: after all generations and metrics,
#   before any result is written. With xxhash 3, too, it ends well. lighteval bounds neither.
# Versions: lighteval 0.13.0, huggingface_hub 2.4.0 and 1.31.0, xxhash 4.1.0 and 3.8.2, datasets 5.2.0, transformers
#   5.24.0, torch 2.13.0.
# Why it matters: a metric cannot be offered to lighteval's users before its next release. And listing the tasks downloads
#   a pickle of tinyBenchmarks into site-packages, so that nothing starts offline; an empty file stands in for it here.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
pip="$folder/venv/bin/pip"
"$pip" install --quiet torch==2.13.0
"$pip" install --quiet lighteval==0.13.0 huggingface_hub==2.4.0 xxhash==4.1.0 datasets==5.2.0 transformers==5.24.0 torch==2.13.0
cd "$folder"
tasks=$(venv/bin/python -c 'import lighteval.tasks.tasks as tasks; print(list(tasks.__path__)[0])')
touch "$tasks/tinyBenchmarks.pkl"
cat > task.py <<'EOF'
from lighteval.metrics.metrics import Metrics
from lighteval.tasks.lighteval_task import LightevalTaskConfig
from lighteval.tasks.requests import Doc


def prompt(row, task_name=None):
    return Doc(query=row["text"], choices=[row["text"]], gold_index=0, task_name=task_name)


TASKS_TABLE = [LightevalTaskConfig(name="echo", prompt_function=prompt, hf_repo="json", hf_subset="default",
                                   hf_avail_splits=["train"], evaluation_splits=["train"],
                                   metrics=[Metrics.exact_match])]
EOF
cat > run.py <<'EOF'
import sys

import huggingface_hub
import lighteval.tasks.lighteval_task
import xxhash
from datasets import Dataset, DatasetDict
from lighteval.logging.evaluation_tracker import EvaluationTracker
from lighteval.models.abstract_model import LightevalModel, ModelConfig
from lighteval.models.model_output import ModelResponse
from lighteval.pipeline import ParallelismManager, Pipeline, PipelineParameters
from lighteval.utils.cache_management import SampleCache


class Echo(LightevalModel):
    """Answers with its prompt."""

    tokenizer, add_special_tokens, max_length = None, False, 100

    def __init__(self):
        self.config = ModelConfig(model_name="echo")
        self._cache = SampleCache(self.config)

    def greedy_until(self, docs):
        print("generated:", len(docs))
        return [ModelResponse(text=[doc.query]) for doc in docs]

    loglikelihood = loglikelihood_rolling = None

    def cleanup(self):
        pass


rows = DatasetDict(train=Dataset.from_list([{"text": "yes"}, {"text": "no"}]))
lighteval.tasks.lighteval_task.load_dataset = lambda *_, **__: rows
print("huggingface_hub", huggingface_hub.__version__, "xxhash", xxhash.VERSION)
ended = "listing"
try:
    pipeline = Pipeline(
        tasks="echo",
        pipeline_parameters=PipelineParameters(ParallelismManager.CUSTOM, custom_tasks_directory="task.py"),
        evaluation_tracker=EvaluationTracker(output_dir="out"),
        model=Echo(),
    )
    ended = "evaluating"
    pipeline.evaluate()
    ended = "never"
    print(pipeline.get_results()["results"]["all"])
except TypeError as error:
    print(f"  {ended}: TypeError: {error}")
assert ended == sys.argv[1], f"it fails otherwise now: {ended}"
EOF
run() { venv/bin/python run.py "$1" 2> errors.txt || { tail -5 errors.txt; exit 1; }; }
run listing
"$pip" install --quiet huggingface_hub==1.31.0
run evaluating
"$pip" install --quiet xxhash==3.8.2
run never
