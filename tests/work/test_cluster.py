"""The engine of many machines, on several nodes of one: order, lost nodes, tasks that end their workers."""

import pytest

pytest.importorskip("ray", reason="Ray is not installed")

from safelight.errors import DeviceError, UsageError
from safelight.work import Ray
from tests.clusters import cluster_of
from tests.work.cluster_tasks import double, fail, note, prepare, prepare_first_without_room, unfit, with_room

pytestmark = pytest.mark.slow


def lost(task, why):
    return "lost", task


@pytest.fixture(scope="module")
def cluster():
    with cluster_of(1, 1) as one:
        yield one


def test_results_come_in_order_and_a_task_that_ends_its_worker_twice_is_given_up(cluster):
    engine = Ray("ray", prepare, ("ready",), lost)
    found = list(engine.map(double, range(60)))
    assert found == [("lost", 13) if k == 13 else (2 * k, "ready") for k in range(60)]
    assert list(engine.map(double, [])) == []


def test_what_a_task_or_a_worker_raises_is_raised_here(cluster):
    found = []
    with pytest.raises(ValueError, match="three"):
        for result in Ray("ray", prepare, ("ready",), lost).map(fail, range(10)):
            found.append(result)
    assert found == [0, 1, 2]
    with pytest.raises(ValueError, match="cannot begin"):
        list(Ray("ray", prepare, ("refuse",), lost).map(double, range(3)))


def test_what_no_node_is_fit_for_is_given_up_and_the_rest_is_done(cluster):
    told = []

    def on_lost(task, why):
        told.append(why)
        return "lost", task

    found = list(Ray("ray", prepare, ("ready",), on_lost).map(unfit, range(9)))
    assert found == [("lost", k) if k % 2 else k for k in range(9)] and set(told) == {"no room on this disk"}


def test_what_the_first_node_is_not_fit_for_waits_for_nodes_that_begin(cluster, tmp_path):
    engine = Ray("ray", prepare_first_without_room, (str(tmp_path),), lost)
    assert list(engine.map(with_room, range(9))) == list(range(9))


def test_workers_that_cannot_begin_end_the_work(cluster):
    with pytest.raises(DeviceError, match="no worker of the cluster can begin"):
        list(Ray("ray", prepare, ("die",), lost).map(double, range(3)))


def test_a_caller_that_stops_gets_what_was_in_flight(cluster, tmp_path):
    late = []
    results = Ray("ray", prepare, ("ready",), lost).map(note, ((str(tmp_path), k) for k in range(1000)), late.append)
    first = [next(results) for _ in range(3)]
    results.close()
    calls = sorted(int(line) for line in (tmp_path / "calls").read_text().split())
    assert first == [0, 1, 2] and sorted([*first, *late]) == calls and len(calls) < 200


def test_a_lost_node_costs_nothing_but_time(cluster, tmp_path):
    """SIGKILL of a node in the middle; another one joins."""
    doomed = cluster.add_node(num_cpus=1)
    cluster.wait_for_nodes()
    found = []
    for result in Ray("ray", prepare, ("ready",), lost).map(note, ((str(tmp_path), k) for k in range(80))):
        found.append(result)
        if len(found) == 20:
            cluster.remove_node(doomed, allow_graceful=False)
    assert found == list(range(80))


@pytest.mark.parametrize(
    ("address", "error"),
    [("cloud", UsageError), ("ray://", UsageError), ("ray://a:b", UsageError), ("ray://127.0.0.1:1", DeviceError)],
)
def test_addresses_that_lead_nowhere(address, error):
    with pytest.raises(error):
        list(Ray(address, prepare, ("ready",), lost).map(double, [1]))


def test_a_cluster_that_is_named_and_does_not_answer_is_an_error(monkeypatch):
    """Never a cluster of this machine in its place."""
    monkeypatch.setenv("RAY_ADDRESS", "127.0.0.1:1")
    with pytest.raises(DeviceError, match="no cluster answers"):
        list(Ray("ray", prepare, ("ready",), lost).map(double, [1]))
