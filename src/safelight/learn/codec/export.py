"""Programs as graphs of ordinary float32 kernels, which compute the same integers."""

from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from safelight.coding.program import Operation, Program
from safelight.learn.graphs import point_into

OPSET = 18
SMALL = ".small"
"""Ends the name of an array as it lies in the file."""


def export(program: Program, arrays: dict[str, NDArray[Any]], path: Path, weights: Path) -> None:
    """One graph. Its weights lie in the file of weights, as small integers; they become float32 when it is loaded."""
    writer = _Writer(arrays)
    for op in program.operations:
        writer.add(op)
    inputs, outputs = ([_value(name) for name in given] for given in (program.inputs, program.outputs))
    constants = list(writer.constants.values())
    graph = helper.make_graph(writer.nodes, path.stem, inputs, outputs=outputs, initializer=constants)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)], producer_name="safelight")
    model.ir_version = 9
    onnx.checker.check_model(model)
    point_into(model, weights, only=[name for name in writer.constants if name.endswith(SMALL)])
    onnx.save(model, str(path))


def _value(name: str) -> Any:
    """An input or output of any size."""
    return helper.make_tensor_value_info(name, TensorProto.FLOAT, [f"{name}_{axis}" for axis in "nchw"])


class _Writer:
    """Nodes and constants of a graph."""

    def __init__(self, arrays: dict[str, NDArray[Any]]) -> None:
        self.arrays = arrays
        self.nodes: list[Any] = []
        self.constants: dict[str, Any] = {}

    def add(self, op: Operation) -> None:
        """The nodes of one operation."""
        getattr(self, f"_{op.kind}")(op)

    def _node(self, kind: str, inputs: list[str], output: str, **attributes: Any) -> str:
        self.nodes.append(helper.make_node(kind, inputs, [output], name=f"{output}:{kind}", **attributes))
        return output

    def _constant(self, name: str, value: NDArray[Any]) -> str:
        self.constants[name] = numpy_helper.from_array(value, name)
        return name

    def _widened(self, name: str) -> str:
        """An array of small integers, as float32."""
        self._constant(name + SMALL, self.arrays[name])
        return self._node("Cast", [name + SMALL], name, to=TensorProto.FLOAT)

    def _conv(self, op: Operation) -> None:
        side = self.arrays[f"{op.weights}.weight"].shape[2]
        parts = [self._widened(f"{op.weights}.{part}") for part in ("weight", "bias")]
        pads, strides = [op.padding] * 4, [op.stride] * 2
        sums = f"{op.output}.sums"
        self._node("Conv", [op.inputs[0], *parts], sums, kernel_shape=[side, side], pads=pads, strides=strides)
        factors = np.exp2(-self.arrays[f"{op.weights}.shift"].astype(np.float32)).reshape(1, -1, 1, 1)
        scaled = self._node("Mul", [sums, self._constant(f"{op.output}.factor", factors)], f"{op.output}.scaled")
        self._clamped(scaled, op)

    def _shift(self, op: Operation) -> None:
        half = self._constant(f"{op.output}.half", np.array(1 << op.shift >> 1, np.float32))
        factor = self._constant(f"{op.output}.factor", np.array(2.0**-op.shift, np.float32))
        raised = self._node("Add", [op.inputs[0], half], f"{op.output}.raised")
        self._clamped(self._node("Mul", [raised, factor], f"{op.output}.scaled"), op)

    def _clamped(self, scaled: str, op: Operation) -> None:
        floor = self._node("Floor", [scaled], f"{op.output}.floor")
        limits = [self._constant(f"limit{value}", np.array(value, np.float32)) for value in (op.low, op.high)]
        self._node("Clip", [floor, *limits], op.output)

    def _add(self, op: Operation) -> None:
        self._node("Add", list(op.inputs), op.output)

    def _shuffle(self, op: Operation) -> None:
        self._node("DepthToSpace", list(op.inputs), op.output, blocksize=op.factor, mode="CRD")
