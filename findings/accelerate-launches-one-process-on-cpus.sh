#!/usr/bin/env bash
# Expected: `accelerate launch --num_processes 4 train.py` starts four processes, or says why it does not.
# What happens: on a machine without a GPU it starts one, with or without --cpu, and exits with 0. Only --multi_gpu starts
#   four, which run on CPUs if the script says so; and so does torchrun.
# Versions: accelerate 1.15.0, torch 2.13.0.
# Why it matters: the run takes four times as long, its batch is a quarter of what was meant, and no line of the log says
#   that. A command that a small test on a CPU has passed was never run by several processes.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet torch==2.13.0 accelerate==1.15.0
cd "$folder"
cat > train.py <<'PYTHON'
from accelerate import Accelerator

accelerator = Accelerator(cpu=True)
with open(f"rank-{accelerator.process_index}", "w") as file:
    print(accelerator.num_processes, file=file)
PYTHON
export CUDA_VISIBLE_DEVICES= HF_HOME="$folder/home" OMP_NUM_THREADS=1
processes() {
    rm -f rank-*
    venv/bin/accelerate launch "$@" train.py > log.txt 2>&1 || { tail -5 log.txt; exit 1; }
    cat rank-* | sort | uniq -c | awk '{ printf "%s process(es) of %s", $1, $2 }'
}
venv/bin/python -c 'import accelerate; print("accelerate", accelerate.__version__)'
plain=$(processes --num_processes 4)
cpu=$(processes --cpu --num_processes 4)
multi=$(processes --multi_gpu --num_processes 4)
echo "--num_processes 4:             $plain"
echo "--cpu --num_processes 4:       $cpu"
echo "--multi_gpu --num_processes 4: $multi"
[ "$plain" = "1 process(es) of 1" ] && [ "$cpu" = "1 process(es) of 1" ] && [ "$multi" = "4 process(es) of 4" ]
