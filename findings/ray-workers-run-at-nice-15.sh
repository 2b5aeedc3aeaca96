#!/usr/bin/env bash
# Expected: a worker of Ray has the priority of the process that starts Ray.
# What happens: tasks and actors run at a niceness that is higher by 15. The variable RAY_worker_niceness, which must be
#   set where the node starts, changes that; `ray.init` and the options of an actor have no word for it.
# Versions: ray 2.60.0.
# Why it matters: beside a busy process of the usual priority, Linux's weights (36 against 1,024) leave a worker 3 % of
#   a core. On a shared machine Ray then looks many times as slow as a plain process.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet ray==2.60.0
cd "$folder"
cat > niceness.py <<'PYTHON'
import os
import ray

ray.init("local", num_cpus=1, include_dashboard=False, log_to_driver=False, logging_level="ERROR")


@ray.remote
def niceness():
    return os.nice(0)


print(ray.get(niceness.remote()) - os.nice(0))
PYTHON
export RAY_USAGE_STATS_ENABLED=0
venv/bin/python -c 'import ray; print("ray", ray.__version__)'
default=$(venv/bin/python niceness.py 2>/dev/null | tail -1)
set_to_0=$(RAY_worker_niceness=0 venv/bin/python niceness.py 2>/dev/null | tail -1)
echo "a worker's niceness above its driver's: $default"
echo "with RAY_worker_niceness=0: $set_to_0"
[ "$default" = 15 ] && [ "$set_to_0" = 0 ]
