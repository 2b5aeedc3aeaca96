#!/usr/bin/env bash
# Expected: `aggregate_raters` of statsmodels counts labels for `fleiss_kappa`. A missing label is none, so NaN is
#   left out, or it raises, as the docstring says of data that "cannot be converted to integer".
# What happens: NaN becomes one more category, and two missing labels agree. Annotators who never differ get a kappa
#   of -0.07 if each summary went to two out of five. Summaries that nobody has rated yet count as full agreement:
#   fifty of them lift the kappa of coin tosses from -0.07 to 0.57.
# Versions: statsmodels 0.15.0, pandas 3.1.1, numpy 2.4.6, krippendorff 0.9.0 beside it.
# Why it matters: crowd workers rate a part each, so their tables are full of NaN. The usual call,
#   `fleiss_kappa(aggregate_raters(table)[0])`, drops the list of categories, the one place where the NaN shows.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet statsmodels==0.15.0 pandas==3.1.1 numpy==2.4.6 krippendorff==0.9.0
cd "$folder"
venv/bin/python -W ignore - <<'EOF'
from importlib.metadata import version

import numpy
import pandas
from krippendorff import alpha
from statsmodels.stats.inter_rater import aggregate_raters, fleiss_kappa

print(*(f"{name} {version(name)}" for name in ("statsmodels", "pandas", "numpy", "krippendorff")))
random = numpy.random.default_rng(1)


def show(title, table):
    counts, categories = aggregate_raters(table)
    kappa = float(fleiss_kappa(counts))
    other = float(alpha(table.to_numpy().T, level_of_measurement="nominal"))
    print(f"{title:45} Fleiss' kappa {kappa:7.4f}, Krippendorff's alpha {other:7.4f}, categories {categories.tolist()}")
    return kappa, other


agreed = pandas.DataFrame(numpy.nan, index=range(50), columns=["Ann", "Ben", "Eve", "Joe", "Sue"])
for summary in range(50):  # two annotators each, who always agree; 0 is inconsistent, 1 consistent
    agreed.loc[summary, random.choice(agreed.columns, 2, replace=False)] = float(summary % 2)
kappa, other = show("two out of five rate, always agree", agreed)
assert other == 1 and kappa < 0, "missing labels are no category now"

rated = pandas.DataFrame(random.integers(0, 2, (50, 3)).astype(float), columns=["Ann", "Ben", "Eve"])
before, _ = show("three throw coins", rated)
blank = pandas.DataFrame(numpy.nan, index=range(50), columns=rated.columns)
after, other = show("the same, and fifty summaries without labels", pandas.concat([rated, blank], ignore_index=True))
assert abs(before) < 0.2 and after > 0.5, "rows without labels count for nothing now"
EOF
