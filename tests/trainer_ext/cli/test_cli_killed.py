"""``quals mine`` and ``quals rerank``, killed at a random moment: the same command again ends with the same bytes."""

from __future__ import annotations

import signal
import time
from pathlib import Path

import pytest
from support.killed import kill_midway
from support.mining_data import chunks
from support.scale_data import rows, write

from trainer_ext.cli.main import main


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="there is no SIGKILL here")
@pytest.mark.parametrize("command", ["mine", "rerank"])
def test_a_killed_command_goes_on_to_the_same_bytes(
    command: str, summarizer: Path, qagen: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    content = [{"document": row["source"], "summary": " ".join(row["source"].split()[:3])} for row in rows(80)]
    options = [command, str(write(tmp_path / "in.jsonl", content)), "--model", str(summarizer), "--device", "cpu"]
    options += ["--checkpoint", str(qagen), "--num-candidates", "3", "--generation-max-length", "8"]
    options += ["--num-groups", "10", "--sampling-batch-tokens", "160", "--output"]
    start = time.monotonic()
    assert main([*options, str(tmp_path / "whole.jsonl")]) == 0
    length = time.monotonic() - start
    output, work = tmp_path / "broken.jsonl", tmp_path / "broken.jsonl.mining"
    kill_midway([*options, str(output)], lambda: chunks(work), output, work, length / 2)
    assert main([*options, str(output)]) == 0
    assert output.read_bytes() == (tmp_path / "whole.jsonl").read_bytes()
    assert "documents are on disk in" in caplog.text
    assert not work.exists()
