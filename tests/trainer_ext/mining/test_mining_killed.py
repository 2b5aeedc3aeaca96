"""A killed mining run continues to the same bytes."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import pytest
from support.mining_data import chunks

MINING = """
import json, sys, time
from pathlib import Path
sys.path.insert(0, {tests!r})
from support.mining_data import FEW, columns, copied, documents, summarizer, with_labels
from support.tiny import tiny_tokenizer
from trainer_ext.mining import Selection, mine

def slow(sources, summaries, references):
    time.sleep(0.05)
    return copied(sources, summaries, references)

slow.signature = "slow"
model = summarizer()
print("ready", flush=True)
selected, summary = mine(
    model, with_labels(model, documents(40)), tokenizer=tiny_tokenizer(), ranker=slow, sampling=FEW,
    selection=Selection(rule="all"), folder=Path(sys.argv[1]), progress=False,
)
Path(sys.argv[2]).write_text(json.dumps([columns(selected), summary.to_dict()]))
"""


def start_mining(folder: Path, output: Path) -> subprocess.Popen[str]:
    code = MINING.format(tests=str(Path(__file__).parents[2]))
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}  # sums come out in another order on other numbers of threads
    command: Sequence[str] = [sys.executable, "-c", code, str(folder), str(output)]
    return subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="there is no SIGKILL here")
@pytest.mark.parametrize(
    "kills",
    [
        2,
        pytest.param(
            20,
            marks=pytest.mark.skipif(
                "QUALS_SLOW_TESTS" not in os.environ, reason="takes minutes: set QUALS_SLOW_TESTS to run it"
            ),
        ),
    ],
)
def test_a_killed_run_goes_on_to_the_same_bytes(tmp_path: Path, kills: int) -> None:
    whole, broken = tmp_path / "whole", tmp_path / "broken"
    before = time.monotonic()
    process = start_mining(whole, tmp_path / "whole.json")
    assert process.stdout is not None
    process.stdout.readline()
    begun = time.monotonic()
    assert process.wait(timeout=300) == 0
    length = time.monotonic() - max(begun, before)
    rng, killed = random.Random(kills), 0
    while killed < kills:
        process = start_mining(broken, tmp_path / "broken.json")
        assert process.stdout is not None
        process.stdout.readline()
        time.sleep(rng.uniform(0.05, 1.5) * length / kills)
        process.send_signal(signal.SIGKILL)
        if process.wait() == 0:  # it was done before the blow: begin anew
            assert (tmp_path / "broken.json").read_bytes() == (tmp_path / "whole.json").read_bytes()
            for path in broken.glob("*/chunk-*.json"):
                path.unlink()
            (tmp_path / "broken.json").unlink()
            continue
        killed += 1
        assert chunks(broken).items() <= chunks(whole).items()
        for folder in broken.glob("s*-*"):
            number = len(list(folder.glob("chunk-*")))
            if number == len(list((whole / folder.name).glob("chunk-*"))):
                continue  # all are there: none was being written
            (folder / f".chunk-{number:06d}.json.99.tmp").write_bytes(b'{"content": [')  # as if while it wrote
    assert start_mining(broken, tmp_path / "broken.json").wait(timeout=300) == 0
    assert (tmp_path / "broken.json").read_bytes() == (tmp_path / "whole.json").read_bytes()
    assert chunks(broken) == chunks(whole)
    assert sorted(path.name for path in broken.glob("*/*")) == sorted(path.name for path in whole.glob("*/*"))
    assert not list(broken.glob("*/.*"))
