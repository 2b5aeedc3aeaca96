#!/usr/bin/env bash
# Expected: `load_dataset(NAME, revision=COMMIT)` gives the rows of that commit, or raises.
# What happens: if the Hub is not reached, it gives the version that lies newest in the cache, whichever that is. The
#   warning names a folder, not that the revision is another than the one asked for.
# Versions: datasets 5.2.0, huggingface_hub 2.4.0.
# Why it matters: a revision is pinned so that a result can be repeated. On a cluster's nodes, which often see no
#   network, the same line reads whatever somebody loaded last from the shared cache.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet datasets==5.2.0 huggingface_hub==2.4.0
cd "$folder"
cat > hub.py <<'PYTHON'
"""A hub with one data set of two commits, which differ in their only row."""

import hashlib
import json
from http.server import BaseHTTPRequestHandler, HTTPServer

COMMITS = {"0" * 40: b'{"text": "old"}\n', "1" * 40: b'{"text": "new"}\n'}


class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        body = self.rfile.read(int(self.headers["Content-Length"] or 0))
        path = self.path.partition("?")[0].strip("/").split("/")
        commit = next((part for part in path if part in COMMITS), max(COMMITS))
        data = COMMITS[commit]
        entry = {"type": "file", "path": "data.jsonl", "size": len(data), "oid": hashlib.sha1(data).hexdigest()}
        headers = {"X-Repo-Commit": commit, "ETag": f'"{entry["oid"]}"'}
        if "tree" in path or ("paths-info" in path and b"data.jsonl" in body):
            answer = json.dumps([entry]).encode()
        elif "paths-info" in path:
            answer = b"[]"
        elif path[:2] == ["api", "datasets"]:
            answer = json.dumps({"id": "org/news", "sha": commit, "siblings": [], "tags": []}).encode()
        elif path[-1] == "data.jsonl":
            answer = data
        else:
            answer, headers = b"{}", {**headers, "X-Error-Code": "EntryNotFound"}
        self.send_response(404 if "X-Error-Code" in headers else 200)
        for name, value in {**headers, "Content-Length": str(len(answer))}.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(answer)

    do_HEAD = do_POST = do_GET

    def log_message(self, *arguments):
        pass


server = HTTPServer(("127.0.0.1", 0), Handler)
with open("port", "w") as file:
    file.write(str(server.server_address[1]))
server.serve_forever()
PYTHON
venv/bin/python hub.py &
hub=$!
trap 'kill $hub; rm -rf "$folder"' EXIT
until [ -s port ]; do sleep 0.1; done
export HF_ENDPOINT="http://127.0.0.1:$(cat port)" HF_HOME="$folder/home" NO_PROXY=127.0.0.1 HF_HUB_DISABLE_XET=1
text() { venv/bin/python -c 'import datasets, sys
print(datasets.load_dataset("org/news", split="train", revision=sys.argv[1])[0]["text"])' "$1" 2> errors.txt || { tail -3 errors.txt; exit 1; }; }
venv/bin/python -c 'import datasets; print("datasets", datasets.__version__)'
old=0000000000000000000000000000000000000000 new=1111111111111111111111111111111111111111
reached_old=$(text $old) reached_new=$(text $new)
export HF_HUB_OFFLINE=1
offline_old=$(text $old)
echo "with the hub, the old revision: $reached_old; the new one: $reached_new"
echo "offline, the old revision, which is in the cache too: $offline_old"
grep -q "$old" errors.txt && { echo "the warning names the revision that was asked for"; exit 1; }
[ "$reached_old" = old ] && [ "$reached_new" = new ] && [ "$offline_old" = new ]
