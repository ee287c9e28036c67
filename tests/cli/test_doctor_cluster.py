"""safelight doctor --engine: what each node of a cluster has."""

import pytest

from safelight import __version__
from tests.clusters import cluster_of
from tests.support import run_cli

pytestmark = pytest.mark.slow


def test_it_names_the_nodes_and_what_would_run_on_them():
    with cluster_of(1, 2) as cluster, pytest.MonkeyPatch.context() as patch:
        patch.setenv("RAY_ADDRESS", cluster.address)
        done = run_cli("doctor", "--engine", "ray")
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert sorted(line.split(": ")[1].split(",")[0] for line in lines[:2]) == ["1 cores", "2 cores"]
    assert all(f"Safelight {__version__}, " in line for line in lines[:2])
    assert "would start 3 workers of one core" in done.stdout


def test_a_cluster_that_does_not_answer_is_named():
    done = run_cli("doctor", "--engine", "ray://127.0.0.1:1")
    assert done.returncode == 3 and "no cluster answers" in done.stderr
