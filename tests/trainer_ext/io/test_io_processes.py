"""A process waits for another longer than the run's own barrier would."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest
from support.tiny import REPOSITORY

_RANK = """
import sys, time
from datetime import timedelta
from types import SimpleNamespace
from torch import distributed
from torch.distributed.distributed_c10d import _set_pg_timeout
from trainer_ext.io.processes import patient_wait

rank = int(sys.argv[1])
store = distributed.TCPStore("127.0.0.1", int(sys.argv[2]), is_master=False)
distributed.init_process_group("gloo", store=store, rank=rank, world_size=2)
accelerator = SimpleNamespace(num_processes=2, wait_for_everyone=distributed.barrier)
wait = patient_wait(accelerator) if sys.argv[3] == "patient" else distributed.barrier
wait()
_set_pg_timeout(timedelta(seconds=1))
start = time.monotonic()
time.sleep(4 * (1 - rank))  # the first has more to do
wait()
print(time.monotonic() - start)
distributed.destroy_process_group()
"""


@pytest.mark.parametrize("how", ["patient", "plain"])
def test_a_process_waits_longer_than_the_timeout_of_its_group(how: str) -> None:
    from torch.distributed import TCPStore

    store = TCPStore("127.0.0.1", 0, is_master=True, wait_for_workers=False)
    paths = os.pathsep.join(map(str, (REPOSITORY, REPOSITORY / "metrics")))
    environment = {**os.environ, "PYTHONPATH": paths}
    environment |= {"GLOO_SOCKET_IFNAME": "lo"} if sys.platform == "linux" else {}
    ranks = [
        subprocess.Popen(
            [sys.executable, "-c", _RANK, str(rank), str(store.port), how],
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for rank in range(2)
    ]
    try:
        for process in ranks:
            printed, errors = process.communicate(timeout=200)
            assert (process.returncode == 0) == (how == "patient"), errors
            assert how == "plain" or float(printed) > 2
    finally:
        for process in ranks:
            process.kill()
