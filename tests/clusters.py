"""Real clusters of Ray for tests: several nodes, each with processes of its own, on this machine."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from tests.support import ROOT


@contextmanager
def cluster_of(*cores: int) -> Iterator[Any]:
    """A node for each number, with so many cores. This process is connected to it."""
    ray = pytest.importorskip("ray", reason="Ray is not installed")
    from ray.cluster_utils import Cluster

    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", str(ROOT))
        patch.setenv("RAY_ENABLE_UV_RUN_RUNTIME_ENV", "0")
        patch.setenv("RAY_worker_niceness", "0")  # Ray gives its workers nice 15
        head, *others = cores
        one = Cluster(initialize_head=True, head_node_args={"num_cpus": head, "include_dashboard": False})
        try:
            for count in others:
                one.add_node(num_cpus=count)
            ray.init(one.address, log_to_driver=False, logging_level="CRITICAL")
            yield one
        finally:
            ray.shutdown()
            one.shutdown()
