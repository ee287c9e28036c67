"""Whether a bundle of any task runs is asked in one place."""

import pytest

from safelight.bundle import open_bundle
from safelight.errors import BundleError
from safelight.runtime.verify import run_every_graph
from tests.support import BUNDLES


@pytest.mark.parametrize("task", ["restore", "images"])
def test_bundles_of_every_task_are_verified(task):
    run_every_graph(open_bundle(BUNDLES / task))


@pytest.mark.parametrize(("task", "graph"), [("restore", "other/draw.onnx"), ("images", "score.onnx")])
def test_any_graph_that_does_not_run_is_found(task, graph, tmp_path):
    for file in (BUNDLES / task).rglob("*"):
        if file.is_file():
            (tmp_path / file.relative_to(BUNDLES / task)).parent.mkdir(exist_ok=True)
            (tmp_path / file.relative_to(BUNDLES / task)).write_bytes(file.read_bytes())
    bundle = open_bundle(tmp_path)
    (tmp_path / graph).write_bytes(b"no graph")
    with pytest.raises(BundleError, match=graph):
        run_every_graph(bundle)
