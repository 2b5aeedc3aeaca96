#!/usr/bin/env bash
# Expected: Krippendorff's alpha depends on the marks, not on the width in which NumPy holds them. The package names
#   unsigned integers among the types that it reads.
# What happens: with the interval and the ratio metric, marks are subtracted before they become floats. In an unsigned
#   array 1 - 2 is 255, so half of all differences are huge and all of them look alike. Alpha comes close to the
#   nominal one, which knows no distances. In one table below 0.94 falls to 0.68, and in the other 0.48 rises to 0.84.
# Versions: krippendorff 0.9.0, numpy 2.4.6.
# Why it matters: marks from 1 to 5 fit into one unsigned byte, and pandas' `downcast="unsigned"` or an Arrow file
#   often holds them so. Interval is the default level. Alpha then prefers the raters whose disagreements are larger.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet krippendorff==0.9.0 numpy==2.4.6
cd "$folder"
venv/bin/python - <<'EOF'
from importlib.metadata import version

import numpy
from krippendorff import alpha

print("krippendorff", version("krippendorff"), "numpy", numpy.__version__)
close = [[1, 2, 3, 4, 5, 1, 2, 3, 4, 5],  # three raters, ten summaries; never more than one mark apart
         [1, 2, 3, 4, 4, 2, 2, 3, 4, 5],
         [1, 1, 3, 4, 5, 1, 2, 3, 5, 5]]
apart = [[1, 2, 3, 4, 5, 1, 2, 3, 4, 5],  # equal but for two summaries, 1 against 5
         [1, 2, 3, 4, 1, 1, 2, 3, 4, 5],
         [1, 2, 3, 4, 5, 5, 2, 3, 4, 5]]
found = {}
for level in ("nominal", "ordinal", "interval", "ratio"):
    for kind in ("int8", "uint8", "int64", "uint64", "float64"):
        for name, marks in (("close", close), ("apart", apart)):
            found[name, level, kind] = float(alpha(numpy.array(marks, dtype=kind), level_of_measurement=level))
    print(f"{level:9}", *(f"{kind} {found['close', level, kind]:.4f} {found['apart', level, kind]:.4f}"
                          for kind in ("int8", "uint8", "int64", "uint64", "float64")), sep="  ")
for name in ("close", "apart"):
    for level in ("nominal", "ordinal", "interval", "ratio"):
        right = found[name, level, "float64"]
        assert right == found[name, level, "int8"] == found[name, level, "int64"]
        same = {abs(found[name, level, kind] - right) < 1e-9 for kind in ("uint8", "uint64")}
        assert same == {level in ("nominal", "ordinal")}, "unsigned marks are subtracted rightly now"
assert found["close", "interval", "float64"] > found["apart", "interval", "float64"]
assert found["close", "interval", "uint8"] < found["apart", "interval", "uint8"]
EOF
