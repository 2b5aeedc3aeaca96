#!/usr/bin/env bash
# Expected: `ddp_timeout`, documented as the timeout of init_process_group, is how long a process waits for the others,
#   with every backend.
# What happens: with `use_cpu` the training arguments never pass it on, and the group keeps torch's half hour. A limit of
#   6 seconds lets a process wait for a lost one for 30 minutes, and a limit of a day ends it after 30 minutes.
# Versions: transformers 5.24.0, accelerate 1.15.0, torch 2.13.0 (2 processes on CPU, gloo).
# Why it matters: a long evaluation by one process ends a run of days, whatever limit was set against that. A test on
#   CPUs of what a short limit does tests the half hour. Nothing is logged.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet torch==2.13.0 transformers==5.24.0 accelerate==1.15.0
cd "$folder"
cat > timeout.py <<'EOF'
import sys
from datetime import timedelta

import accelerate
import torch
import transformers
from torch import distributed
from transformers import TrainingArguments

how, seconds = sys.argv[1], float(sys.argv[2])
if how == "transformers":
    args = TrainingArguments("out", use_cpu=True, ddp_backend="gloo", ddp_timeout=int(seconds), report_to=[])
    assert args.ddp_timeout == seconds and args.world_size == 2
else:
    limit = accelerate.InitProcessGroupKwargs(backend="gloo", timeout=timedelta(seconds=seconds))
    accelerate.Accelerator(cpu=True, kwargs_handlers=[limit])
group = distributed.distributed_c10d._get_default_group()
found = group._get_backend(torch.device("cpu")).options._timeout.total_seconds()
if distributed.get_rank() == 0:
    print(f"{how} told {seconds:.0f} s: the group waits {found:.0f} s")
assert found == (1800 if how == "transformers" else seconds), "another limit now"
distributed.barrier()
distributed.destroy_process_group()
EOF
venv/bin/python -c 'import accelerate, torch, transformers
print("transformers", transformers.__version__, "accelerate", accelerate.__version__, "torch", torch.__version__)'
export CUDA_VISIBLE_DEVICES= OMP_NUM_THREADS=1
for limit in 6 86400; do
    for how in transformers accelerate; do
        venv/bin/torchrun --nproc_per_node 2 timeout.py "$how" "$limit" 2> log.txt || { tail -5 log.txt; exit 1; }
    done
done
