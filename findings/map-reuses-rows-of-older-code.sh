#!/usr/bin/env bash
# Expected: datasets' map() runs again once the code of its function has changed; its fingerprint is said to be of the
#   function.
# What happens: a function or object from an imported module is hashed by its name. After an edit of the module, map()
#   returns the rows that the older code made, from its cache on disk. Only functions of __main__ (a script or a
#   notebook) are hashed by their code.
# Versions: datasets 5.2.0.
# Why it matters: whoever keeps preprocessing in a module (a prompt prefix, the cutting of sources, the filter of a
#   set) trains and scores on rows made before the edit, on this machine only. `load_from_cache_file=False` or a
#   new_fingerprint that names a version helps.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet datasets==5.2.0
cd "$folder"
venv/bin/python - <<'EOF'
import os
import subprocess
import sys
from pathlib import Path

import datasets

print("datasets", datasets.__version__)
Path("rows.jsonl").write_text('{"text": "a source"}\n')
SCRIPT = """
import datasets
from prepare import prefixed
print(datasets.load_dataset("json", data_files="rows.jsonl", split="train").map(prefixed{more})[0]["text"])
"""


def mapped(prefix, more=""):
    code = f"def prefixed(row):\n    return {{'text': '{prefix}: ' + row['text']}}\n"
    Path("prepare.py").write_text(code)
    Path("script.py").write_text(SCRIPT.replace("{more}", more))
    environment = {**os.environ, "HF_DATASETS_CACHE": "cache", "PYTHONDONTWRITEBYTECODE": "1"}
    run = subprocess.run([sys.executable, "script.py"], env=environment, capture_output=True, text=True, check=True)
    return run.stdout.strip().splitlines()[-1]


first, second = mapped("summarize"), mapped("in one sentence")
third = mapped("in one sentence", ", load_from_cache_file=False")
print("before the edit:", first)
print("after the edit:", second)
print("after the edit, load_from_cache_file=False:", third)
assert first == "summarize: a source"
assert second == first, "map() sees the edit now"
assert third == "in one sentence: a source"
EOF
