"""A Ray cluster of two nodes on this machine, which count two CPUs each, and a pool of workers in it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any

import pytest
from support.ray_work import NODE, Deadly, part
from support.tiny import REPOSITORY

from trainer_ext.scale import RayPool


@pytest.fixture(scope="module")  # an idle cluster takes a tenth of a core from all later tests
def cluster() -> Iterator[Any]:
    """A ``ray.cluster_utils.Cluster``; this process is connected to it."""
    pytest.importorskip("ray", reason="the extra ray is not installed")
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("RAY_worker_niceness", "0")
        environment.setenv("RAY_USAGE_STATS_ENABLED", "0")
        environment.setenv("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")
        # The object store is small here and spills over to disk, which Ray refuses on a disk that is nearly full.
        environment.setenv("RAY_local_fs_capacity_threshold", "1")
        paths = [REPOSITORY, REPOSITORY / "metrics", REPOSITORY / "tests", os.environ.get("PYTHONPATH", "")]
        environment.setenv("PYTHONPATH", os.pathsep.join(map(str, paths)))
        import ray
        from ray.cluster_utils import Cluster

        cluster = Cluster(initialize_head=True, head_node_args={**NODE, "include_dashboard": False})
        cluster.add_node(**NODE)
        ray.init(address=cluster.address, log_to_driver=False, logging_level="ERROR")
        yield cluster
        _pools.clear()
        ray.shutdown()
        cluster.shutdown()


@pytest.fixture
def pool(cluster: Any) -> RayPool:
    """Two workers, started once for all tests: that takes seconds."""
    if not _pools:
        _pools.append(RayPool(2))
        # A test that strikes the second node's worker must find it at work, however long it takes to start.
        while list(_pools[0].spread(Deadly(), part, [0, 1])) and _pools[0]._starting:
            pass
    return _pools[0]


_pools: list[RayPool] = []
