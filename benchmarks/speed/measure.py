"""Time, work and memory of a piece of code, side by side in one run."""

from __future__ import annotations

import multiprocessing
import resource
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from quals.matmul import fast_products
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode


def seconds(work: Callable[[], Any]) -> tuple[float, Any]:
    """Wall-clock seconds of ``work`` and what it returned."""
    start = time.perf_counter()
    result = work()
    return time.perf_counter() - start, result


def flops(work: Callable[[], Any]) -> float:
    """Operations of the matrix products in ``work``, attention and int8 products included."""
    # torch's counter does not know the fused attention of CPUs; the plain one does the same products.
    counter = FlopCounterMode(display=False, custom_mapping={torch.ops.aten._int_mm: _of_product})
    with counter, sdpa_kernel([SDPBackend.MATH]):
        work()
    return float(counter.get_total_flops())


def _of_product(left: torch.Size, right: torch.Size, **_: Any) -> int:
    """Torch's counter has no formula for int8 (findings/flop-counter-misses-int8-products.sh)."""
    return 2 * left[0] * left[1] * right[1]


def matrix_rate(size: int = 2048, repeats: int = 10) -> float:
    """FLOP/s that a large float32 matrix product reaches on this machine as the scorers do it, best of ``repeats``."""
    a, b = torch.randn(size, size), torch.randn(size, size)
    with fast_products(torch.nn.Linear(1, 1)):
        best = min(seconds(lambda: a @ b)[0] for _ in range(repeats))
    return 2 * size**3 / best


def peak_memory(function: Callable[..., None], *arguments: Any) -> float:
    """Peak resident bytes of a fresh process that runs ``function(*arguments)``."""
    context = multiprocessing.get_context("spawn")
    receiver, sender = context.Pipe(duplex=False)
    process = context.Process(target=_report_peak, args=(sender, function, arguments))
    process.start()
    sender.close()
    try:
        return float(receiver.recv())
    except EOFError:
        raise RuntimeError(f"{function.__name__} failed in a process of its own; its error is above.") from None
    finally:
        process.join()


def _report_peak(sender: Any, function: Callable[..., None], arguments: tuple[Any, ...]) -> None:
    function(*arguments)
    sender.send(own_peak())


def own_peak() -> float:
    """Peak resident bytes of this process."""
    status = Path("/proc/self/status")
    if status.is_file():  # getrusage would count what the parent had when it began this process
        (line,) = (line for line in status.read_text().splitlines() if line.startswith("VmHWM:"))
        return float(line.split()[1]) * 1024
    return float(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)  # in bytes on macOS
