#!/usr/bin/env bash
# Expected: a JSON string is text, whatever it says, because JSON has no dates.
# What happens: `load_dataset("json")` reads a column whose strings all look like ISO dates as timestamps, and its
#   values as datetime objects. With `features=` that say string, they are text again, but another one: the time zone
#   is gone and the hour is that of UTC. One string in the block that is not a date keeps the whole column as it was.
# Versions: datasets 5.2.0, pyarrow 26.0.1.
# Why it matters: columns of answers to "when" questions, and of headlines or captions that are a date, turn into a type
#   that tokenizers and metrics refuse. Where the type was declared, they are scored against texts that nobody wrote.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet datasets==5.2.0 pyarrow==26.0.1
cd "$folder"
export HF_HOME="$folder/home" HF_DATASETS_DISABLE_PROGRESS_BARS=1
venv/bin/python - <<'EOF'
import json
from datetime import datetime
from pathlib import Path

import datasets
import pyarrow
from datasets import Features, Value, load_dataset

print("datasets", datasets.__version__, "pyarrow", pyarrow.__version__)


def answers(name, values, **options):
    Path(name).write_text("".join(json.dumps({"answer": value}) + "\n" for value in values))
    return list(load_dataset("json", data_files=name, split="train", **options)["answer"])


dates = ["2020-01-01", "1969-07-20"]
read = answers("dates.jsonl", dates)
print("dates alone:", read)
print("with another answer:", answers("mixed.jsonl", [*dates, "in May"]))
assert read == [datetime(2020, 1, 1), datetime(1969, 7, 20)]
assert str(read[0]) == "2020-01-01 00:00:00"
assert answers("mixed.jsonl", [*dates, "in May"]) == [*dates, "in May"]
moment = "1969-07-20T20:17-04:00"
typed = answers("typed.jsonl", [moment], features=Features({"answer": Value("string")}))
print(f"declared as string, {moment!r} is read as {typed[0]!r}")
assert typed == ["1969-07-21 00:17:00"]
EOF
