"""One build of QUALS at work in a process of its own: it scores the rows that it is given, and says what that cost.

It is run by its path, with PYTHONPATH set to the build's ``metrics`` folder, and imports nothing else from this
repository: so ``quals`` is that build's. It reads a task (one line of JSON) and then commands, one per line:

- ``score`` answers with the seconds, the scores, and the peak memory since loading;
- ``count`` answers with the operations of the matrix products, int8 included.
"""

from __future__ import annotations

import json
import math
import os
import sys
import time
from pathlib import Path
from typing import Any

_STATUS, _RESET = Path("/proc/self/status"), Path("/proc/self/clear_refs")


def main() -> None:
    """Load the scorer, then answer every command until standard input ends."""
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # whatever a library prints must not stand between the answers
    task = json.loads(sys.stdin.readline())
    import quals
    import torch

    start = time.perf_counter()
    scorer = quals.QualsScorer(task["checkpoint"], **task["options"])
    ready = {"seconds": time.perf_counter() - start, "package": quals.__file__}
    loaded = _restart_peak(torch)
    print(json.dumps(ready), file=answers, flush=True)
    for command in sys.stdin:
        start = time.perf_counter()
        if command.strip() == "count":
            print(json.dumps({"operations": _operations(scorer, task)}), file=answers, flush=True)
            continue
        scores = _scores(scorer, task)
        seconds = time.perf_counter() - start
        peak = _peak(torch)
        answer = {
            "seconds": seconds,
            "scores": [None if math.isnan(score) else score for score in scores],
            "peak": None if peak is None or loaded is None else peak - loaded,
        }
        print(json.dumps(answer), file=answers, flush=True)


def _scores(scorer: Any, task: dict[str, Any]) -> list[float]:
    return [result.score for result in scorer.score(task["sources"], task["summaries"], progress=False)]


def _operations(scorer: Any, task: dict[str, Any]) -> float:
    import torch
    from torch.nn.attention import SDPBackend, sdpa_kernel
    from torch.utils.flop_counter import FlopCounterMode

    def of_product(left: Any, right: Any, **_: Any) -> int:
        return int(2 * left[0] * left[1] * right[1])

    # torch's counter knows neither int8 products nor the fused attention of CPUs; the plain one does the same products.
    counter = FlopCounterMode(display=False, custom_mapping={torch.ops.aten._int_mm: of_product})
    with counter, sdpa_kernel([SDPBackend.MATH]):
        _scores(scorer, task)
    return float(counter.get_total_flops())


def _restart_peak(torch: Any) -> float | None:
    """Bytes in use now, from which on the peak counts; None where the system does not say."""
    if torch.cuda.is_available():
        torch.cuda.reset_peak_memory_stats()
        return float(torch.cuda.memory_allocated())
    try:
        _RESET.write_text("5")
        return _status("VmRSS")
    except OSError:
        return None


def _peak(torch: Any) -> float | None:
    if torch.cuda.is_available():
        return float(torch.cuda.max_memory_allocated())
    return _status("VmHWM") if _STATUS.is_file() else None


def _status(field: str) -> float:
    (line,) = (line for line in _STATUS.read_text().splitlines() if line.startswith(f"{field}:"))
    return float(line.split()[1]) * 1024


if __name__ == "__main__":
    main()
