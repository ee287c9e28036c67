"""The only door to onnxruntime, but for its quantiser (learn/restore/quantise.py).

One class opens the graphs of a bundle. It loads each graph when it is first needed, falls back from a device that does
not work, and checks the number of threads.
"""

import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal, get_args

import numpy as np
import onnxruntime as ort
from numpy.typing import NDArray

from safelight.errors import BundleError, DeviceError, UsageError
from safelight.runtime.machine import Device, cores, multiplies_int8_fast

Array = NDArray[np.float32]
LOOKED_S = 0.2
"""How often a run of a graph is looked at."""
_of_thread = threading.local()
_PROVIDERS = {"cpu": "CPUExecutionProvider", "cuda": "CUDAExecutionProvider"}


def choose_device(device: Device) -> str:
    """`auto` takes CUDA if onnxruntime has it. Raises DeviceError for a device that is not there, UsageError."""
    if device not in get_args(Device):
        raise UsageError(f"device '{device}': use {', '.join(get_args(Device))}")
    available = ort.get_available_providers()
    if device == "auto":
        return "cuda" if _PROVIDERS["cuda"] in available else "cpu"
    if _PROVIDERS[device] not in available:
        raise DeviceError(f"device '{device}' is not there (onnxruntime has {', '.join(available)}); use --device cpu")
    return device


def auto_precision(device: str) -> Literal["fp32", "int8"]:
    """What `auto` means for a mean alone: 8 bits where the processor is made for them."""
    return "int8" if device == "cpu" and multiplies_int8_fast() else "fp32"


class Graphs:
    """The graphs in one folder, opened when they are first needed."""

    def __init__(self, folder: Path, device: Device, threads: int | None, probe: str) -> None:
        """`probe` is the file that is opened to see whether a device of `auto` works.

        Raises DeviceError for a device that is not there, UsageError for a wrong number of threads.
        """
        if threads is not None and threads < 1:
            raise UsageError(f"threads is {threads}; use 1 or more, or None for all cores")
        self.folder, self.threads = folder, threads or cores()
        self.device = choose_device(device)
        self._open: dict[str, Any] = {}
        if device == "auto" and self.device != "cpu":
            try:
                self._graph(probe)  # a device may be listed and yet not work
            except DeviceError:
                self.device = "cpu"

    def run(self, file: str, outputs: list[str], feeds: Mapping[str, NDArray[Any]]) -> list[Array]:
        """The named outputs of a graph. Raises BundleError for a file that is not the right graph, MemoryError."""
        graph = self._graph(file)
        try:
            return run_graph(graph, outputs, feeds)
        except MemoryError:
            raise
        except Exception as error:  # onnxruntime raises its own classes, all of them straight from Exception
            line = " ".join(str(error).split())[:200]
            raise BundleError(f"{self.folder / file}: does not run ({line}); export the bundle again") from None

    def _graph(self, file: str) -> Any:
        if file not in self._open:
            self._open[file] = open_graph(self.folder / file, self.device, self.threads)
        return self._open[file]


def run_graph(graph: Any, outputs: list[str], feeds: Mapping[str, NDArray[Any]]) -> list[Array]:
    """Run a graph; what onnxruntime says of a lack of memory becomes a MemoryError, so that tiles can shrink.

    Raises what the callback of `watched` raises.
    """
    on_wait: Callable[[], None] | None = getattr(_of_thread, "on_wait", None)
    results: list[Array]
    try:
        if on_wait is None:
            results = graph.run(outputs, dict(feeds))
        else:
            with _Watch(on_wait) as watch:
                results = graph.run(outputs, dict(feeds), watch.options)
    except Exception as error:  # onnxruntime raises its own classes, all of them straight from Exception
        if "alloc" in str(error).lower():
            raise MemoryError(str(error).splitlines()[0]) from None
        raise
    return results


@contextmanager
def watched(on_wait: Callable[[], None]) -> Iterator[None]:
    """While graphs run in this thread, call `on_wait` several times a second; what it raises ends the graph."""
    before = getattr(_of_thread, "on_wait", None)
    _of_thread.on_wait = on_wait
    try:
        yield
    finally:
        _of_thread.on_wait = before


class _Watch:
    """A thread beside one run of a graph."""

    def __init__(self, on_wait: Callable[[], None]) -> None:
        self.options, self._on_wait = ort.RunOptions(), on_wait
        self._ended = threading.Event()
        self._raised: BaseException | None = None
        self._thread = threading.Thread(target=self._work, daemon=True)

    def __enter__(self) -> "_Watch":
        self._thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._ended.set()
        self._thread.join()
        if self._raised is not None:
            raise self._raised from None

    def _work(self) -> None:
        while not self._ended.wait(LOOKED_S):
            try:
                self._on_wait()
            except BaseException as error:  # also Cancelled, which is no Exception
                self._raised = error
                self.options.terminate = True
                return


def open_graph(path: Path, device: str, threads: int) -> Any:
    """An onnxruntime session for one file. Raises BundleError if the file is no graph, DeviceError."""
    options = ort.SessionOptions()
    options.intra_op_num_threads = threads
    options.log_severity_level = 4  # errors are raised, and need not be printed as well
    # Threads would wait for work busily, while another graph or another program needs the cores.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    if not multiplies_int8_fast():  # there products overflow 16 bits without it; elsewhere it would halve the speed
        options.add_session_config_entry("session.x64quantprecision", "1")
    options.enable_mem_pattern = False  # a planned block would come on top of what the first run took
    try:
        graph = ort.InferenceSession(str(path), options, providers=[_PROVIDERS[device]])
    except Exception as error:  # onnxruntime raises its own classes, all of them straight from Exception
        line = str(error).splitlines()[0]
        raise BundleError(f"{path}: onnxruntime refuses it ({line}); export the bundle again") from None
    if graph.get_providers()[0] != _PROVIDERS[device]:
        raise DeviceError(f"device '{device}' does not work here (see its driver and libraries); use --device cpu")
    return graph
