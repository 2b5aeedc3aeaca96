#!/usr/bin/env bash
# Expected: rows as dictionaries give a data set with the columns of all rows, None where a row lacks one. The loader of
#   JSON lines does that.
# What happens: `Dataset.from_list`, `Dataset.from_generator` and `Dataset.map` take the columns of the first row. A
#   column that only later rows have is left out, values and all, without a word. In `map` the other order, a column
#   that a later row lacks, is a KeyError.
# Versions: datasets 5.2.0, pyarrow 26.0.1.
# Why it matters: mined candidates, scores and explanations exist for some documents only. A function that returns them
#   where they exist loses all of them if the first document has none.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet datasets==5.2.0 pyarrow==26.0.1
cd "$folder"
export HF_HOME="$folder/home" HF_DATASETS_DISABLE_PROGRESS_BARS=1
venv/bin/python - <<'EOF'
import json
from pathlib import Path

import datasets
import pyarrow
from datasets import Dataset, load_dataset

print("datasets", datasets.__version__, "pyarrow", pyarrow.__version__)
rows = [{"summary": "a"}, {"summary": "b", "candidates": ["c"]}]
Path("rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
found = {
    "load_dataset": load_dataset("json", data_files="rows.jsonl", split="train").column_names,
    "from_list": Dataset.from_list(rows).column_names,
    "from_generator": Dataset.from_generator(lambda: iter(rows)).column_names,
    "map": Dataset.from_dict({"summary": ["a", "b"]})
    .map(lambda row: {"candidates": ["c"]} if row["summary"] == "b" else {})
    .column_names,
}
for way, columns in found.items():
    print(way, columns)
assert found.pop("load_dataset") == ["summary", "candidates"]
assert all(columns == ["summary"] for columns in found.values())
try:
    Dataset.from_dict({"summary": ["a", "b"]}).map(lambda row: {"candidates": ["c"]} if row["summary"] == "a" else {})
except KeyError as error:
    print("map, the first row has it: KeyError", error)
else:
    raise AssertionError("no KeyError")
EOF
