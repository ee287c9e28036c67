"""The only door to onnxruntime, but for its quantiser (learn/restore/quantise.py)."""

from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import Any, Literal, NamedTuple, get_args

import numpy as np
import onnxruntime as ort
from numpy.typing import NDArray

from safelight.bundle import Bundle, Calibration, Card, Familiar, read_calibration
from safelight.errors import BundleError, DeviceError, UsageError
from safelight.runtime.machine import cores, multiplies_int8_fast

Device = Literal["auto", "cpu", "cuda"]
Precision = Literal["auto", "fp32", "int8"]
Array = NDArray[np.float32]
_PROVIDERS = {"cpu": "CPUExecutionProvider", "cuda": "CUDAExecutionProvider"}


class Estimate(NamedTuple):
    """What is known of a batch before anything is drawn: see `ladder.restorer.Estimate`."""

    expert: str
    """By which."""
    mean: Array
    scale: Array | None
    """None, and no features, unless asked for."""
    features: tuple[Array, ...]


def choose_device(device: Device) -> str:
    """`auto` takes CUDA if onnxruntime has it. Raises DeviceError for a device that is not there, UsageError."""
    if device not in get_args(Device):
        raise UsageError(f"device '{device}': use {', '.join(get_args(Device))}")
    there = ort.get_available_providers()
    if device == "auto":
        return "cuda" if _PROVIDERS["cuda"] in there else "cpu"
    if _PROVIDERS[device] not in there:
        raise DeviceError(f"device '{device}' is not there (onnxruntime has {', '.join(there)}); use --device cpu")
    return device


def auto_precision(device: str) -> Literal["fp32", "int8"]:
    """What `auto` means for a mean alone: 8 bits where the processor is made for them."""
    return "int8" if device == "cpu" and multiplies_int8_fast() else "fp32"


class Session:
    """Runs the graphs of one bundle; each is loaded when it is first needed."""

    def __init__(
        self, bundle: Bundle[Card], device: Device = "auto", threads: int | None = None, precision: Precision = "auto"
    ) -> None:
        """Raises DeviceError for a device or its precision that is not there, UsageError for what does not exist."""
        if precision not in get_args(Precision):
            raise UsageError(f"precision '{precision}': use {', '.join(get_args(Precision))}")
        if threads is not None and threads < 1:
            raise UsageError(f"threads is {threads}; use 1 or more, or None for all cores")
        self.bundle = bundle
        self.device = "cpu" if device == "auto" and precision == "int8" else choose_device(device)
        self.threads = threads or cores()
        self._graphs: dict[str, Any] = {}
        if device == "auto" and self.device != "cpu":
            try:
                self._graph(self.first, "mean.onnx")  # the device may be known and yet not work
            except DeviceError:
                self.device = "cpu"
        if precision == "int8" and self.device != "cpu":
            raise DeviceError(f"8-bit graphs run on the processor, not on {self.device}; use --device cpu")
        self.precision = precision
        self.calibration: Calibration = read_calibration(bundle)

    @property
    def first(self) -> str:
        """The expert that looks first."""
        return self.bundle.card.experts[0]

    def precision_of_mean(self, scale: bool) -> Literal["fp32", "int8"]:
        """What the trunk computes in; a scale and samples are calibrated on what float gives."""
        if self.precision != "auto":
            return self.precision
        return "fp32" if scale else auto_precision(self.device)

    def estimate(self, expert: str, degraded: Array, sigma_01: float | None = None, scale: bool = True) -> Estimate:
        """(B, 3, H, W) with H, W multiples of the card's → mean, and if asked for scale, of the same shape."""
        sigma = np.full(degraded.shape[0], -1.0 if sigma_01 is None else sigma_01, dtype=np.float32)  # < 0: not told
        names = [f"feature_{k + 1}" for k in range(len(self.bundle.card.noise_inputs) - 1)] if scale else []
        graph = self._graph(expert, "mean_int8.onnx" if self.precision_of_mean(scale) == "int8" else "mean.onnx")
        mean, *features = run_graph(graph, ["mean", *names], {"degraded": degraded, "sigma_01": sigma})
        if not scale:
            return Estimate(expert, mean, None, ())
        feeds = {"degraded": degraded, "mean": mean, "feature_1": features[0]}
        scaled = run_graph(self._graph(expert, "scale.onnx"), ["scale"], feeds)[0]
        return Estimate(expert, mean, scaled, tuple(features))

    def mean_and_coarsest(self, degraded: Array) -> tuple[Array, Array]:
        """(B, 3, H, W) → the first expert's mean in float and its coarsest features, for a first look."""
        sigma = np.full(degraded.shape[0], -1, dtype=np.float32)
        coarsest = f"feature_{len(self.bundle.card.noise_inputs) - 1}"
        graph = self._graph(self.first, "mean.onnx")
        mean, features = run_graph(graph, ["mean", coarsest], {"degraded": degraded, "sigma_01": sigma})
        return mean, features

    def draw(self, estimate: Estimate, factor: np.float32, noise: Sequence[Array], temperature: float) -> Array:
        """One sample (B, 3, H, W) from an estimate with scale, of which `factor` times as much is taken.

        `noise` is N(0, 1) for each of the card's inputs.
        """
        assert estimate.scale is not None
        feeds = {
            "mean": estimate.mean,
            "scale": factor * estimate.scale,
            "temperature": np.array(temperature, dtype=np.float32),
        }
        feeds |= {f"feature_{k + 1}": array for k, array in enumerate(estimate.features)}
        feeds |= {f"noise_{k}": array for k, array in enumerate(noise)}
        sample: Array = run_graph(self._graph(estimate.expert, "draw.onnx"), ["sample"], feeds)[0]
        return sample

    @cached_property
    def familiar(self) -> Familiar:
        """What the model was trained on. Raises BundleError if it is of other experts."""
        path = self.bundle.path("familiar.npz")
        familiar = Familiar.load(path)
        if familiar.error.shape[1:] != (len(self.bundle.card.experts),):
            raise BundleError(f"{path}: is not of the card's experts; export the bundle again")
        return familiar

    def _graph(self, expert: str, file: str) -> Any:
        name = f"{expert}/{file}"
        if name not in self._graphs:
            self._graphs[name] = open_graph(self.bundle.path(name), self.device, self.threads)
        return self._graphs[name]


def run_graph(graph: Any, outputs: list[str], feeds: dict[str, Array]) -> list[Array]:
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
