"""Write the files on which the embedded classifier of FactCC was trained, and one for a QAGen.

    python -m benchmarks.training_data DATA OUTPUT

DATA has the folders nli, human_dev, summ and qa with the sets as JSON lines. OUTPUT gets judged.jsonl for
--statement-file, summaries.jsonl and passages.jsonl for `quals train statements`, and documents.jsonl and
validation.jsonl for the claims. gathered.jsonl is for the --statement-file of a QAGen, which ranks statements about one
source.
"""

from __future__ import annotations

import argparse
import random
import sys
from collections.abc import Iterable, Sequence
from functools import partial
from pathlib import Path

from benchmarks.common.command import command_parser, exit_status
from benchmarks.training_data.pools import Row, gathered, judged, true_summaries
from trainer_ext.io.atomic import json_line, replacing
from trainer_ext.io.tables import read_table

_SEED = 20
_PASSAGES, _MORE_PASSAGES, _TALES, _ABSTRACTS = 4000, 6000, 1500, 1000


def main(argv: Sequence[str] | None = None) -> int:
    """Run; a user's mistake is one line on standard error and exit status 2."""
    parser = command_parser("benchmarks.training_data", __doc__)
    parser.add_argument("data", type=Path, help="folder of the sets")
    parser.add_argument("output", type=Path, help="folder for the files; those there are replaced")
    return exit_status("training_data", partial(run, parser.parse_args(argv)))


def run(arguments: argparse.Namespace) -> None:
    """Write all files, and say how many rows each has."""
    rng = random.Random(_SEED)
    data, output = arguments.data, arguments.output
    files = {"judged": list(judged(data, rng)), "summaries": list(true_summaries(data))}
    passages = [row["context"] for row in read_table(data / "qa" / "squad_v1.1_train.jsonl")]
    rng.shuffle(passages)
    tales = sorted({row["context"] for row in read_table(data / "qa" / "fairytaleqa_train.jsonl")})
    rng.shuffle(tales)
    abstracts = [row["document"] for row in read_table(data / "summ" / "scitldr_a_train.jsonl")]
    held_out = sorted({row["context"] for row in read_table(data / "qa" / "squad_v1.1_dev.jsonl")})
    files["gathered"] = list(gathered(data, random.Random(_SEED + 1)))
    files["passages"] = _documents(passages[:_PASSAGES])
    files["documents"] = _documents(
        [*passages[_PASSAGES : _PASSAGES + _MORE_PASSAGES], *tales[:_TALES], *abstracts[:_ABSTRACTS]]
    )
    files["validation"] = _documents(held_out)
    output.mkdir(parents=True, exist_ok=True)
    for name, rows in files.items():
        with replacing(output / f"{name}.jsonl") as file:
            file.writelines(map(json_line, rows))
        print(f"{name}.jsonl: {len(rows):,} rows")


def _documents(texts: Iterable[str]) -> list[Row]:
    return [{"document": text} for text in texts]


if __name__ == "__main__":
    sys.exit(main())
