"""Waiting for the other processes of a run, as long as their work takes."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from functools import partial
from typing import Any

_AT_MOST = timedelta(days=30)


def patient_wait(accelerator: Any) -> Callable[[], None]:
    """What returns when all processes have called it, and ends none of them because another is busy for long.

    A barrier of the run's own group fails after half an hour. This timeout is there for collectives that hang, and a
    process may rank candidates or measure summaries for longer than the others. So this barrier has a group of its own.
    A process that dies still ends the others.

    All processes must call this at the same point, as ``torch.distributed.new_group``.

    Args:
        accelerator: an ``accelerate.Accelerator``, such as ``trainer.accelerator``.
    """
    from torch import distributed  # here, so that --help is quick

    if accelerator.num_processes == 1 or not (distributed.is_available() and distributed.is_initialized()):
        wait: Callable[[], None] = accelerator.wait_for_everyone
        return wait
    # On CPUs: a GPU that waits in NCCL is busy.
    backend = "gloo" if distributed.is_gloo_available() else None
    return partial(distributed.barrier, distributed.new_group(timeout=_AT_MOST, backend=backend))
