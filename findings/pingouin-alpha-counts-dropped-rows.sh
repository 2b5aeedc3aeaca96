#!/usr/bin/env bash
# Expected: `cronbach_alpha(..., nan_policy="listwise")` first removes the rows with missing values. Alpha and its
#   confidence interval are then those of the rows that are left, as after `data.dropna()`.
# What happens: alpha is that of the remaining rows, but the degrees of freedom of the interval still count the
#   removed ones. With 12 complete rows among 60 the interval is [0.952, 0.980] where the same 12 rows alone give
#   [0.917, 0.990].
# Versions: pingouin 0.7.0, pandas 3.1.1, numpy 2.4.6.
# Why it matters: in a study of summaries the third annotator often rates a part alone. The interval looks as if
#   everyone had rated everything. Extra rows without any complete rating make it narrower still. Nothing is raised or
#   logged.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet pingouin==0.7.0 pandas==3.1.1 numpy==2.4.6
cd "$folder"
venv/bin/python -W ignore - <<'EOF'
from importlib.metadata import version

import numpy
import pandas
from pingouin import cronbach_alpha

print(*(f"{name} {version(name)}" for name in ("pingouin", "pandas", "numpy")))
random = numpy.random.default_rng(0)
quality = random.integers(1, 6, 60)  # of sixty summaries
marks = pandas.DataFrame({name: numpy.clip(quality + random.integers(-1, 2, 60), 1, 5).astype(float)
                          for name in ("Ann", "Ben", "Eve")})
marks.loc[12:, "Eve"] = numpy.nan  # Eve rated the first twelve
complete = marks.dropna()
assert len(marks) == 60 and len(complete) == 12


def show(title, data):
    alpha, interval = cronbach_alpha(data, nan_policy="listwise")
    print(f"{title:28} {len(data):4} rows, {len(data.dropna()):3} complete: alpha {alpha:.4f}, interval {interval}")
    return alpha, interval[1] - interval[0]


right = show("complete rows alone", complete)
given = show("all rows", marks)
more = show("all rows, ten times Ann, Ben", pandas.concat([marks, *[marks[12:]] * 9]))
assert abs(right[0] - given[0]) < 1e-9 and abs(right[0] - more[0]) < 1e-9
assert more[1] < given[1] < right[1] / 2, "the interval counts the complete rows alone now"
EOF
