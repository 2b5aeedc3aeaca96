#!/usr/bin/env bash
# Expected: `polars.DataFrame(rows)` with `strict=True`, the default, raises on "any data value [that] does not exactly
#   match the given or inferred data type", as its documentation says.
# What happens: from rows (dictionaries or tuples) it infers the type in the first 100, and converts what comes later
#   without a word: 0.5 becomes 0, 1.9 becomes 1, the string "0.7" becomes 0. A type given as `schema` is broken in the
#   same way from the first row on. Columns as lists do raise.
# Versions: polars 2.1.0.
# Why it matters: a judge's or a person's ratings, read as JSON lines, are whole numbers for long, and the half points
#   are lost. A score that is 1 or 0 for easy summaries loses all that lies between.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet polars==2.1.0
cd "$folder"
venv/bin/python - <<'EOF'
import polars

print("polars", polars.__version__)
rows = [{"score": 1}] * 100 + [{"score": 0.5}, {"score": 1.9}, {"score": "0.7"}]
made = {
    "dictionaries": polars.DataFrame(rows, strict=True),
    "tuples": polars.DataFrame([(row["score"],) for row in rows], schema=["score"], orient="row", strict=True),
    "with a schema": polars.DataFrame(rows[100:], schema={"score": polars.Int64}, strict=True),
}
for name, frame in made.items():
    last = frame["score"].to_list()[-3:]
    print(f"{name}: 0.5, 1.9 and '0.7' are now", last)
    assert last == [0, 1, 0], "polars keeps or refuses later values now"
whole = polars.DataFrame(rows[:102], infer_schema_length=None)["score"].to_list()[-2:]
print("with infer_schema_length=None:", whole)
assert whole == [0.5, 1.9]
try:
    polars.DataFrame({"score": [row["score"] for row in rows]})
except TypeError as error:
    print("as a column: TypeError,", str(error).splitlines()[0])
else:
    raise AssertionError("a column of mixed types is taken now")
EOF
