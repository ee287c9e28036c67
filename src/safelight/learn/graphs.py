"""Graphs of the learning side, for the pixel side: traced, checked against torch, without weights of their own."""

import json
import logging
import struct
import warnings
from collections.abc import Container, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import onnx
import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from safelight.errors import BundleError
from safelight.runtime.graphs import open_graph
from safelight.runtime.machine import cores

PARITY = 1e-4
INLINE_LIMIT_BYTES = 1024
HALF = ".half"
"""Ends the name of an initialiser that is float16 in the file."""


class Graph(NamedTuple):
    """One to export."""

    file: str
    module: nn.Module
    inputs: list[str]
    outputs: list[str]


def save_shared_weights(weights: dict[str, Tensor], folder: Path) -> None:
    """weights.safetensors, into which all graphs of the folder point; see `point_into` for what may be float16."""
    save_file({name: tensor.contiguous() for name, tensor in weights.items()}, folder / "weights.safetensors")
    (folder / "weights.safetensors").chmod(0o644)  # safetensors makes it private; a bundle is for all


def export_graph(graph: Graph, example: tuple[Any, ...], dynamic: Any, folder: Path, shared: bool = True) -> None:
    """Trace, name, and if `shared` point every weight into weights.safetensors; `dynamic` as `torch.export` has it."""
    logging.getLogger("torch.onnx").setLevel(logging.ERROR)  # it misses torchvision, which nothing here needs
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="# The axis name", category=UserWarning)
        warnings.filterwarnings("ignore", message=".*LeafSpec", category=FutureWarning)  # torch's own business
        program = torch.onnx.export(
            graph.module.eval(),
            example,
            dynamo=True,
            dynamic_shapes=dynamic,
            input_names=graph.inputs,
            output_names=graph.outputs,
            verbose=False,
        )
    assert program is not None
    proto = program.model_proto
    for node in proto.graph.node:  # stack traces of this machine
        node.ClearField("metadata_props")
        node.ClearField("doc_string")
    if shared:
        point_into(proto, folder / "weights.safetensors")
    onnx.save(proto, folder / graph.file)


def point_into(proto: Any, weights: Path, only: Container[str] | None = None) -> None:
    """Replace each large initialiser, or those of such names, by a reference to the same numbers in the weights.

    What is float16 there is widened when the graph is loaded. Raises BundleError if there are none for one of them.
    """
    places = _places(weights)
    widened = []
    for tensor in proto.graph.initializer:
        raw = onnx.numpy_helper.to_array(tensor).tobytes()
        if len(raw) <= INLINE_LIMIT_BYTES or (only is not None and tensor.name not in only):
            continue
        if raw not in places:
            raise BundleError(f"{weights}: holds nothing equal to {tensor.name}; the exporter changed a weight")
        kind, offset, length = places[raw]
        if kind == "F16":
            name = tensor.name + HALF
            widened.append(onnx.helper.make_node("Cast", [name], [tensor.name], to=tensor.data_type))
            tensor.name, tensor.data_type = name, onnx.TensorProto.FLOAT16
        tensor.ClearField("raw_data")
        tensor.data_location = onnx.TensorProto.EXTERNAL
        del tensor.external_data[:]
        for key, value in (("location", weights.name), ("offset", offset), ("length", length)):
            tensor.external_data.add(key=key, value=str(value))
    prepend(proto.graph, widened)


def load_plain(path: Path) -> Any:
    """A graph with its weights within, in float32: the inverse of `point_into`."""
    proto = onnx.load(str(path))
    halves = {t.name: t for t in proto.graph.initializer if t.name.endswith(HALF)}
    for cast in [node for node in proto.graph.node if node.input and node.input[0] in halves]:
        half = halves[cast.input[0]]
        values = onnx.numpy_helper.to_array(half).astype(np.float32)
        proto.graph.initializer.append(onnx.numpy_helper.from_array(values, cast.output[0]))
        proto.graph.initializer.remove(half)
        proto.graph.node.remove(cast)
    return proto


def prepend(graph: Any, nodes: Sequence[Any]) -> None:
    """Before all others, since nodes stand in the order in which they run."""
    rest = list(graph.node)
    del graph.node[:]
    graph.node.extend([*nodes, *rest])


def _places(weights: Path) -> dict[bytes, tuple[str, int, int]]:
    """Bytes of each tensor, widened if it is float16 → its type, where it starts in the file, and its length."""
    data = weights.read_bytes()
    (size,) = struct.unpack("<Q", data[:8])
    places = {}
    for name, entry in json.loads(data[8 : 8 + size]).items():
        if name == "__metadata__":
            continue
        start, stop = (8 + size + offset for offset in entry["data_offsets"])
        raw = data[start:stop]
        if entry["dtype"] == "F16":
            raw = np.frombuffer(raw, np.float16).astype(np.float32).tobytes()
        places[raw] = (entry["dtype"], start, stop - start)
    return places


def parity(graph: Graph, examples: Sequence[tuple[Any, ...]], folder: Path) -> float:
    """The largest difference between torch and onnxruntime over all outputs. Raises BundleError if over `PARITY`."""
    worst = float(np.max(differences(graph, examples, folder)))  # np.max keeps a NaN
    if not worst <= PARITY:
        raise BundleError(
            f"{folder / graph.file}: onnxruntime and torch differ by {worst:.1e}, more than {PARITY}; not exported"
        )
    return worst


def differences(graph: Graph, examples: Sequence[tuple[Any, ...]], folder: Path) -> list[float]:
    """For each example and output the largest absolute difference, over 1 or the output's size if that is more."""
    session = open_graph(folder / graph.file, "cpu", cores())
    largest = []
    for example in examples:
        feeds = {name: tensor.numpy() for name, tensor in zip(graph.inputs, flat(example), strict=True)}
        pairs = zip(session.run(graph.outputs, feeds), flat(graph.module(*example)), strict=True)
        largest += [float(np.abs(ours - torchs.numpy()).max() / max(1.0, np.abs(ours).max())) for ours, torchs in pairs]
    return largest


def flat(value: Any) -> list[Tensor]:
    """All tensors in order; one tensor is a list of one."""
    return [t for item in value for t in flat(item)] if isinstance(value, list | tuple) else [value]
