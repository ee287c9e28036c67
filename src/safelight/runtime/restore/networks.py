"""The networks of a restorer: mean, scale and draws of each expert, batch by batch."""

from collections.abc import Sequence
from functools import cached_property
from typing import Literal, NamedTuple, get_args

import numpy as np

from safelight.bundle import Bundle, Calibration, OodReference, RestorerCard, names, read_part
from safelight.bundle import restore as files
from safelight.errors import BundleError, DeviceError, UsageError
from safelight.runtime.graphs import Array, Graphs, auto_precision
from safelight.runtime.machine import Device, Precision


class Estimate(NamedTuple):
    """What is known of a batch before anything is drawn: see `ladder.restorer.Estimate`."""

    expert: str
    """The expert that made it."""
    mean: Array
    scale: Array | None
    """None, and no features, unless asked for."""
    features: tuple[Array, ...]


class RestorerNetworks:
    """Runs the graphs of one bundle."""

    def __init__(
        self,
        bundle: Bundle[RestorerCard],
        device: Device = "auto",
        threads: int | None = None,
        precision: Precision = "auto",
    ) -> None:
        """Raises DeviceError for a device or its precision that is not there, UsageError for what does not exist."""
        if precision not in get_args(Precision):
            raise UsageError(f"precision '{precision}': use {', '.join(get_args(Precision))}")
        self.bundle, self.precision = bundle, precision
        on_device: Device = "cpu" if device == "auto" and precision == "int8" else device
        self._graphs = Graphs(bundle.folder, on_device, threads, probe=f"{self.first}/{files.MEAN_GRAPH}")
        if precision == "int8" and self.device != "cpu":
            raise DeviceError(f"8-bit graphs run on the processor, not on {self.device}; use --device cpu")
        self.calibration = read_part(Calibration, bundle.path(files.CALIBRATION))

    @property
    def device(self) -> str:
        """Where the graphs run."""
        return self._graphs.device

    @property
    def threads(self) -> int:
        """Of the processor."""
        return self._graphs.threads

    @property
    def first(self) -> str:
        """The expert that takes the first look."""
        return self.bundle.card.experts[0]

    def precision_of_mean(self, scale: bool) -> Literal["fp32", "int8"]:
        """What the trunk computes in; a scale and samples are calibrated on what float gives."""
        if self.precision != "auto":
            return self.precision
        return "fp32" if scale else auto_precision(self.device)

    def estimate(self, expert: str, degraded: Array, sigma_01: float | None = None, scale: bool = True) -> Estimate:
        """(B, 3, H, W) with H, W multiples of the card's → mean, and if asked for scale, of the same shape."""
        graph = files.INT8_GRAPH if self.precision_of_mean(scale) == "int8" else files.MEAN_GRAPH
        feeds = {names.DEGRADED: degraded, names.SIGMA: _sigma(len(degraded), sigma_01)}
        wanted = [names.feature(k) for k in names.scales(self.bundle.card.scales)] if scale else []
        mean, *features = self._run(expert, graph, [names.MEAN, *wanted], feeds)
        if not scale:
            return Estimate(expert, mean, None, ())
        feeds = {names.DEGRADED: degraded, names.MEAN: mean, names.feature(1): features[0]}
        (predicted,) = self._run(expert, files.SCALE_GRAPH, [names.SCALE], feeds)
        return Estimate(expert, mean, predicted, tuple(features))

    def mean_and_coarsest(self, degraded: Array) -> tuple[Array, Array]:
        """(B, 3, H, W) → the first expert's mean in float and its coarsest features, for a first look."""
        feeds = {names.DEGRADED: degraded, names.SIGMA: _sigma(len(degraded), None)}
        coarsest = names.feature(self.bundle.card.scales)
        mean, features = self._run(self.first, files.MEAN_GRAPH, [names.MEAN, coarsest], feeds)
        return mean, features

    def draw(self, estimate: Estimate, factor: np.float32, noise: Sequence[Array], temperature: float) -> Array:
        """One sample (B, 3, H, W) from an estimate with scale, of which `factor` times as much is taken.

        `noise` is N(0, 1) for each of the card's inputs.
        """
        assert estimate.scale is not None
        feeds = {
            names.MEAN: estimate.mean,
            names.SCALE: factor * estimate.scale,
            names.TEMPERATURE: np.array(temperature, dtype=np.float32),
        }
        feeds |= {names.feature(k): array for k, array in enumerate(estimate.features, 1)}
        feeds |= {names.noise(k): array for k, array in enumerate(noise)}
        (sample,) = self._run(estimate.expert, files.DRAW_GRAPH, [names.SAMPLE], feeds)
        return sample

    @cached_property
    def ood_reference(self) -> OodReference:
        """Raises BundleError if it is of other experts."""
        path = self.bundle.path(files.OOD_REFERENCE)
        reference = OodReference.load(path)
        if reference.error.shape[1:] != (len(self.bundle.card.experts),):
            raise BundleError(f"{path}: is not of the card's experts; export the bundle again")
        return reference

    def _run(self, expert: str, file: str, outputs: list[str], feeds: dict[str, Array]) -> list[Array]:
        return self._graphs.run(f"{expert}/{file}", outputs, feeds)


def _sigma(batch: int, sigma_01: float | None) -> Array:
    return np.full(batch, names.SIGMA_UNKNOWN if sigma_01 is None else sigma_01, dtype=np.float32)
