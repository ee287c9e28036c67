"""The only door to onnxruntime."""

import os
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import Any, Literal, NamedTuple

import numpy as np
import onnxruntime as ort
from numpy.typing import NDArray

from safelight.bundle import Bundle
from safelight.errors import BundleError, DeviceError

Device = Literal["auto", "cpu", "cuda"]
Array = NDArray[np.float32]
_PROVIDERS = {"cpu": "CPUExecutionProvider", "cuda": "CUDAExecutionProvider"}


class Estimate(NamedTuple):
    """What the trunk says of a batch: see `ladder.trunk.TrunkOutput`."""

    mean: Array
    scale: Array
    features: tuple[Array, ...]
    """Empty unless asked for."""


def choose_device(device: Device) -> str:
    """`auto` takes CUDA if onnxruntime has it. Raises DeviceError for a device that is not there."""
    there = ort.get_available_providers()
    if device == "auto":
        return "cuda" if _PROVIDERS["cuda"] in there else "cpu"
    if _PROVIDERS[device] not in there:
        raise DeviceError(f"device '{device}' is not there (onnxruntime has {', '.join(there)}); use --device cpu")
    return device


def cores() -> int:
    """Processor cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


class Session:
    """Runs the graphs of one bundle; each is loaded when it is first needed."""

    def __init__(self, bundle: Bundle, device: Device = "auto", threads: int | None = None) -> None:
        self.bundle = bundle
        self.device = choose_device(device)
        self.threads = threads or cores()
        if device == "auto" and self.device != "cpu":
            try:
                self._mean  # noqa: B018  (loads the graph: the device may be known and yet not work)
            except DeviceError:
                self.device = "cpu"

    def estimate(self, degraded: Array, sigma_01: float | None = None, features: bool = False) -> Estimate:
        """(B, 3, H, W) with H, W multiples of the card's → mean and scale of the same shape."""
        sigma = np.full(degraded.shape[0], -1.0 if sigma_01 is None else sigma_01, dtype=np.float32)  # < 0: not told
        rungs = range(len(self.bundle.card.noise_inputs) - 1 if features else 0)
        names = ["mean", "scale", *(f"feature_{k + 1}" for k in rungs)]
        mean, scale, *rest = _run(self._mean, names, {"degraded": degraded, "sigma_01": sigma})
        return Estimate(mean, scale, tuple(rest))

    def draw(self, estimate: Estimate, noise: Sequence[Array], temperature: float) -> Array:
        """One sample (B, 3, H, W); `noise` is N(0, 1) for each of the card's `noise_inputs`."""
        feeds = {"mean": estimate.mean, "scale": estimate.scale, "temperature": np.array(temperature, dtype=np.float32)}
        feeds |= {f"feature_{k + 1}": array for k, array in enumerate(estimate.features)}
        feeds |= {f"noise_{k}": array for k, array in enumerate(noise)}
        sample: Array = _run(self._draw, ["sample"], feeds)[0]
        return sample

    @cached_property
    def _mean(self) -> Any:
        return self._load("mean.onnx")

    @cached_property
    def _draw(self) -> Any:
        return self._load("draw.onnx")

    def _load(self, file: str) -> Any:
        return open_graph(self.bundle.path(file), self.device, self.threads)


def _run(graph: Any, outputs: list[str], feeds: dict[str, Array]) -> list[Array]:
    """Run a graph; what onnxruntime says of a lack of memory becomes a MemoryError, so that tiles can shrink."""
    try:
        results: list[Array] = graph.run(outputs, feeds)
    except Exception as error:  # onnxruntime raises its own classes, all of them straight from Exception
        if "alloc" in str(error).lower():
            raise MemoryError(str(error).splitlines()[0]) from None
        raise
    return results


def open_graph(path: Path, device: str, threads: int) -> Any:
    """An onnxruntime session for one file. Raises BundleError if the file is no graph."""
    options = ort.SessionOptions()
    options.intra_op_num_threads = threads
    options.log_severity_level = 3
    options.enable_mem_pattern = False  # a planned block would come on top of what the first run took
    try:
        graph = ort.InferenceSession(str(path), options, providers=[_PROVIDERS[device]])
    except Exception as error:  # onnxruntime raises its own classes, all of them straight from Exception
        line = str(error).splitlines()[0]
        raise BundleError(f"{path}: onnxruntime refuses it ({line}); export the bundle again") from None
    if graph.get_providers()[0] != _PROVIDERS[device]:
        raise DeviceError(f"device '{device}' does not work here (see its driver and libraries); use --device cpu")
    return graph
