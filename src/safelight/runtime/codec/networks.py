"""The programs of a codec, run by one engine or another: all of them give the same integers."""

from collections.abc import Mapping
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from safelight.coding.program import Integers, Program, run
from safelight.errors import BundleError
from safelight.runtime.graphs import Graphs


class Engine(Protocol):
    """Runs a program by name: integers in, integers out."""

    def run(self, program: str, feeds: Mapping[str, Integers]) -> dict[str, Integers]: ...


class Law:
    """The programs as `coding.program` computes them: in int64, and slowly."""

    def __init__(self, programs: Mapping[str, Program], arrays: Mapping[str, NDArray[np.integer]]) -> None:
        self.programs, self.arrays = programs, arrays

    def run(self, program: str, feeds: Mapping[str, Integers]) -> dict[str, Integers]:
        """The outputs."""
        return run(self.programs[program], self.arrays, feeds)


class ExactGraphs:
    """The programs as graphs of float32, in onnxruntime on the processor.

    Graphics cards may sum in fewer digits (TF32, Winograd), so they are not used here.
    """

    def __init__(self, graphs: Graphs, programs: Mapping[str, Program]) -> None:
        """Raises BundleError for a device other than the processor."""
        if graphs.device != "cpu":
            raise BundleError(f"device '{graphs.device}' does not promise exact sums; compress with --device cpu")
        self._graphs, self._programs = graphs, programs

    def run(self, program: str, feeds: Mapping[str, Integers]) -> dict[str, Integers]:
        """The outputs."""
        names = list(self._programs[program].outputs)
        floats = {name: np.ascontiguousarray(value, np.float32) for name, value in feeds.items()}
        outputs = self._graphs.run(f"{program}.onnx", names, floats)
        return {name: output.astype(np.int64) for name, output in zip(names, outputs, strict=True)}
