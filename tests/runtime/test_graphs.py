"""Graphs are opened when they are needed; a file that is none is refused in one line."""

import numpy as np
import pytest

from safelight.errors import BundleError, UsageError
from safelight.runtime.graphs import Graphs, open_graph, run_graph, watched
from safelight.runtime.restore import Restorer
from safelight.work import Cancelled


def test_a_file_that_is_no_graph_is_refused(tmp_path):
    (tmp_path / "x.onnx").write_bytes(b"no graph")
    with pytest.raises(BundleError, match="onnxruntime refuses it"):
        open_graph(tmp_path / "x.onnx", "cpu", 1)


def test_graphs_are_opened_once_and_late(tiny_vae):
    graphs = Graphs(tiny_vae.folder, "cpu", 1, probe="decode.onnx")
    assert not graphs._open
    feeds = {"latent_1": np.zeros((1, 2, 4, 4), np.float32), "latent_2": np.zeros((1, 2, 2, 2), np.float32)}
    one, other = (graphs.run("decode.onnx", ["mean"], feeds)[0] for _ in range(2))
    np.testing.assert_array_equal(one, other)
    assert one.shape == (1, 1, 16, 16) and list(graphs._open) == ["decode.onnx"]


def test_a_lack_of_memory_is_a_memory_error():
    class Graph:
        def __init__(self, words: str) -> None:
            self.words = words

        def run(self, outputs, feeds):
            raise RuntimeError(self.words)

    with pytest.raises(MemoryError, match="Failed to allocate"):
        run_graph(Graph("Failed to allocate memory for requested buffer"), [], {})
    with pytest.raises(RuntimeError, match="another reason"):
        run_graph(Graph("another reason"), [], {})


def test_no_threads_are_refused(tiny_vae):
    with pytest.raises(UsageError, match="threads is 0; use 1 or more"):
        Graphs(tiny_vae.folder, "cpu", 0, probe="decode.onnx")


@pytest.mark.slow
def test_a_run_is_ended_by_the_callback_of_watched(photo):
    """A megapixel takes long enough to be looked at."""
    restorer = Restorer.load("photo", precision="fp32")
    degraded = np.zeros((1, 3, 1024, 1024), np.float32)

    def stop() -> None:
        raise Cancelled

    with watched(stop), pytest.raises(Cancelled):
        restorer.networks.estimate("noise", degraded, scale=True)
    assert restorer.networks.estimate("noise", degraded[..., :64, :64]).mean.shape == (1, 3, 64, 64)
    looked = []
    with watched(lambda: looked.append(1)):
        estimate = restorer.networks.estimate("noise", degraded, scale=True)
    np.testing.assert_array_equal(estimate.mean, restorer.networks.estimate("noise", degraded).mean)
    assert looked
