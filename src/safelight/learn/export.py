"""Model → graphs, with which the learning side hands over to the pixel side.

All graphs take any batch, height and width; noise and temperature are inputs, so that all randomness
stays outside. Their weights point into weights.safetensors. An export that does not do what torch does,
to 1e-4, is refused.
"""

import json
import logging
import re
import struct
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import torch
from safetensors.torch import save_file
from torch import Tensor, nn
from torch.export import Dim

from safelight.errors import BundleError
from safelight.ladder.restorer import Restorer
from safelight.learn.objectives import draw_noise
from safelight.runtime.machine import cores
from safelight.runtime.session import open_graph

PARITY = 1e-4
INLINE_LIMIT_BYTES = 1024
TRAINING_ONLY = re.compile(r"ladder\.(head|encode|down)\.|ladder\.rungs\.\d+\.posterior\.")
"""Weights that see the clean picture; no graph needs them, and a bundle goes without."""
BATCH, ROWS, COLUMNS = Dim("batch", min=1, max=4096), Dim("rows", min=1, max=65536), Dim("columns", min=1, max=65536)


class MeanGraph(nn.Module):
    """degraded, sigma_01 → mean, features."""

    def __init__(self, model: Restorer) -> None:
        super().__init__()
        self.trunk = model.trunk

    def forward(self, degraded: Tensor, sigma_01: Tensor) -> tuple[Tensor, ...]:
        output = self.trunk(degraded, sigma_01)
        return output.mean, *output.features


class ScaleGraph(nn.Module):
    """degraded, mean, the finest features → scale."""

    def __init__(self, model: Restorer) -> None:
        super().__init__()
        self.scale = model.scale

    def forward(self, degraded: Tensor, mean: Tensor, features: Tensor) -> Tensor:
        scale: Tensor = self.scale(features, degraded - mean).exp()
        return scale


class DrawGraph(nn.Module):
    """mean, scale, features, noise, temperature → sample."""

    def __init__(self, model: Restorer) -> None:
        super().__init__()
        self.model = model

    def forward(
        self, mean: Tensor, scale: Tensor, features: list[Tensor], noise: list[Tensor], temperature: Tensor
    ) -> Tensor:
        return self.model.draw(mean, scale, features, [temperature * n for n in noise])


def export_graphs(model: Restorer, folder: Path) -> float:
    """Write weights.safetensors, mean.onnx, scale.onnx and draw.onnx into `folder`.

    Returns the largest difference to torch. Raises BundleError if that exceeds `PARITY`.
    """
    model = model.eval().requires_grad_(False)
    kept = {name: t.contiguous() for name, t in model.state_dict().items() if not TRAINING_ONLY.match(name)}
    save_file(kept, folder / "weights.safetensors")
    (folder / "weights.safetensors").chmod(0o644)  # safetensors makes it private; a bundle is for all
    cell = model.trunk.size_multiple
    worst = 0.0
    features = [f"feature_{k + 1}" for k in range(len(model.ladder.latents))]
    noise = [f"noise_{k}" for k in range(len(model.noise_inputs))]
    for file, graph, names in (
        ("mean.onnx", MeanGraph(model), (["degraded", "sigma_01"], ["mean", *features])),
        ("scale.onnx", ScaleGraph(model), (["degraded", "mean", features[0]], ["scale"])),
        ("draw.onnx", DrawGraph(model), (["mean", "scale", *features, *noise, "temperature"], ["sample"])),
    ):
        _export(graph.eval(), cell, _example(model, graph, 2, 8 * cell, 12 * cell), names, folder / file)
        examples = [_example(model, graph, b, h * cell, w * cell) for b, h, w in ((1, 8, 12), (3, 5, 9), (1, 1, 1))]
        worst = float(np.max([worst, *_differences(graph, examples, names, folder / file)]))  # np.max keeps a NaN
    if not worst <= PARITY:
        raise BundleError(f"{folder}: onnxruntime and torch differ by {worst:.1e}, more than {PARITY}; not exported")
    return worst


Names = tuple[list[str], list[str]]


def _example(model: Restorer, graph: nn.Module, batch: int, height: int, width: int) -> tuple[Any, ...]:
    """Random inputs of one size, from a fixed seed."""
    generator = torch.Generator().manual_seed(batch * height * width)
    degraded = torch.rand(batch, 3, height, width, generator=generator)
    sigma_01 = torch.linspace(-0.1, 0.2, batch)
    if isinstance(graph, MeanGraph):
        return degraded, sigma_01
    output = model(degraded, sigma_01)
    if isinstance(graph, ScaleGraph):
        return degraded, output.mean, output.features[0]
    noise = draw_noise(model, degraded.shape, generator)
    return output.mean, output.log_scale.exp(), list(output.features), noise, torch.tensor(0.7)


def _export(graph: nn.Module, multiple: int, example: tuple[Any, ...], names: Names, path: Path) -> None:
    """Trace, name, and point every weight into weights.safetensors."""
    logging.getLogger("torch.onnx").setLevel(logging.ERROR)  # it misses torchvision, which nothing here needs
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="# The axis name", category=UserWarning)
        warnings.filterwarnings("ignore", message=".*LeafSpec", category=FutureWarning)  # torch's own business
        program = torch.onnx.export(
            graph,
            example,
            dynamo=True,
            dynamic_shapes=_dynamic(example, example[0].shape[2], multiple),
            input_names=names[0],
            output_names=names[1],
            verbose=False,
        )
    assert program is not None
    proto = program.model_proto
    for node in proto.graph.node:  # stack traces of this machine
        node.ClearField("metadata_props")
        node.ClearField("doc_string")
    point_into(proto, path.with_name("weights.safetensors"))
    onnx.save(proto, path)


def _dynamic(value: Any, height: int, multiple: int) -> Any:
    """Any batch; any rows and columns that are multiples of the coarsest stride, told in each tensor's own stride."""
    if isinstance(value, list | tuple):
        return type(value)(_dynamic(item, height, multiple) for item in value)
    if value.ndim < 4:
        return {0: BATCH} if value.ndim else {}
    per_cell = multiple * value.shape[2] // height
    return {0: BATCH, 2: per_cell * ROWS, 3: per_cell * COLUMNS}


def _flat(value: Any) -> list[Tensor]:
    """All tensors in order; one tensor is a list of one."""
    return [t for item in value for t in _flat(item)] if isinstance(value, list | tuple) else [value]


def point_into(proto: Any, weights: Path, strict: bool = True) -> None:
    """Replace each large initialiser by a reference to the same bytes in the safetensors file.

    Raises BundleError if there are none for one of them and `strict` is set.
    """
    data = weights.read_bytes()
    (size,) = struct.unpack("<Q", data[:8])
    header = json.loads(data[8 : 8 + size])
    start = 8 + size
    places = {
        data[start + a : start + b]: (start + a, b - a)
        for a, b in (entry["data_offsets"] for name, entry in header.items() if name != "__metadata__")
    }
    for tensor in proto.graph.initializer:
        raw = onnx.numpy_helper.to_array(tensor).tobytes()
        if len(raw) <= INLINE_LIMIT_BYTES:
            continue
        if raw not in places and not strict:
            continue
        if raw not in places:
            raise BundleError(f"{weights}: holds nothing equal to {tensor.name}; the exporter changed a weight")
        offset, length = places[raw]
        tensor.ClearField("raw_data")
        tensor.data_location = onnx.TensorProto.EXTERNAL
        del tensor.external_data[:]
        for key, value in (("location", weights.name), ("offset", offset), ("length", length)):
            tensor.external_data.add(key=key, value=str(value))


def _differences(graph: nn.Module, examples: list[tuple[Any, ...]], names: Names, path: Path) -> list[float]:
    """For each example the largest absolute difference between torch and onnxruntime over all outputs."""
    session = open_graph(path, "cpu", cores())
    differences = []
    for example in examples:
        feeds = {name: tensor.numpy() for name, tensor in zip(names[0], _flat(example), strict=True)}
        pairs = zip(session.run(names[1], feeds), _flat(graph(*example)), strict=True)
        differences += [float(np.abs(ours - torchs.numpy()).max()) for ours, torchs in pairs]
    return differences
