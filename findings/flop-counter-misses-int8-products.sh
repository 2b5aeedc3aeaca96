#!/usr/bin/env bash
# Expected: torch's `FlopCounterMode` counts the matrix products of a model whatever numbers it multiplies. It knows
#   float8 products (`aten._scaled_mm`), and an int8 model of torchao multiplies matrices of the same shapes.
# What happens: `aten._int_mm` is not in its registry. The layers that torchao made int8 count as 0 operations, without a
#   warning. The other layers are counted, so that a mixed model seems to need a small part of its work.
# Versions: torch 2.13.0, torchao 0.18.0.
# Why it matters: operations per second, and shares of a machine's rate, are wrong for exactly the models that were
#   quantised to improve them. `FlopCounterMode(custom_mapping=...)` with a formula for `_int_mm` counts them.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet torch==2.13.0 torchao==0.18.0 numpy
cd "$folder"
export OMP_NUM_THREADS=1
venv/bin/python -W ignore - 2>"$folder/warnings" <<'EOF' || { cat "$folder/warnings" >&2; exit 1; }
import torch
import torchao
from torch.utils.flop_counter import FlopCounterMode, flop_registry
from torchao.quantization import Int8DynamicActivationInt8WeightConfig, quantize_

print("torch", torch.__version__, "torchao", torchao.__version__)
torch.manual_seed(0)
model = torch.nn.Sequential(
    torch.nn.Linear(64, 256, bias=False), torch.nn.GELU(), torch.nn.Linear(256, 64, bias=False)
).eval()
rows = torch.randn(32, 64)
by_hand = 2 * 2 * 32 * 64 * 256


def counted(**options):
    with torch.inference_mode(), FlopCounterMode(display=False, **options) as counter:
        out = model(rows)
    return counter.get_total_flops(), out


floats, expected = counted()
quantize_(model[2], Int8DynamicActivationInt8WeightConfig())
mixed, _ = counted()
quantize_(model[0], Int8DynamicActivationInt8WeightConfig())
int8, out = counted()
formula = {torch.ops.aten._int_mm: lambda left, right, *_, out_shape=None, **__: 2 * left[0] * left[1] * right[1]}
told, _ = counted(custom_mapping=formula)
print(f"by hand {by_hand:,}; counted: float32 {floats:,}, one layer int8 {mixed:,}, both {int8:,}, with a formula {told:,}")
print("largest difference of an output:", float((out - expected).abs().max()), "of", float(expected.abs().max()))
assert floats == by_hand
assert (out - expected).abs().max() < 0.05 * expected.abs().max(), "the int8 model does another work"
assert torch.ops.aten._scaled_mm in flop_registry
assert mixed == by_hand // 2, "int8 products are counted now"
assert int8 == 0, "int8 products are counted now"
assert told == by_hand
EOF
