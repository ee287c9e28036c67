"""mean.onnx → mean_int8.onnx: the trunk in 8-bit integers, for processors that multiply them faster.

Static quantisation (Jacob et al., "Quantization and training of neural networks for efficient
integer-arithmetic-only inference", CVPR 2018): weights per output channel, activations per tensor. The
convolutions that read and write pixels stay in float; the others get kernels and ranges that know of the
rounding (adapt.py).
"""

import contextlib
import io
import logging
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnxruntime.quantization import (
    CalibrationDataReader,
    CalibrationMethod,
    QuantFormat,
    QuantType,
    quantize_static,
)
from torch import nn

from safelight.errors import BundleError
from safelight.ladder.trunk import Trunk
from safelight.learn.adapt import Place, Rounding, adapted
from safelight.learn.data import RestorationPairs
from safelight.learn.export import point_into

IN_FLOAT = {"head", "tail"}
"""Convolutions of the trunk that read and write pixels."""


def quantise(trunk: Trunk, mean: Path, target: Path, pairs: RestorationPairs) -> None:
    """Write `target`, with the inputs and outputs of `mean`, which is the graph of `trunk`.

    Kernels and ranges are learned from `pairs`. Takes minutes.
    """
    convs = {name for name, module in trunk.named_modules() if isinstance(module, nn.Conv2d)} - IN_FLOAT
    weights, roundings = adapted(trunk, pairs, sorted(convs))
    learned = {f"trunk.{name}": tensor.numpy() for name, tensor in weights.items()}
    proto = onnx.load(str(mean))
    overrides = _overrides(proto, roundings)
    for tensor in proto.graph.initializer:
        if tensor.name in learned:
            tensor.CopyFrom(onnx.numpy_helper.from_array(learned.pop(tensor.name), tensor.name))
    if learned:
        raise BundleError(f"{mean}: has no weight {sorted(learned)[0]}; the exporter's names have changed")
    in_float = [node.name for node in proto.graph.node if {f"trunk.{n}.weight" for n in IN_FLOAT} & set(node.input)]
    with tempfile.TemporaryDirectory() as folder, _quiet():
        float_graph = Path(folder) / "mean.onnx"
        onnx.save(proto, str(float_graph))
        quantize_static(
            str(float_graph),
            str(target),
            _Patch(pairs),
            quant_format=QuantFormat.QDQ,
            op_types_to_quantize=["Conv", "Relu"],
            nodes_to_exclude=in_float,
            per_channel=True,
            activation_type=QuantType.QUInt8,
            weight_type=QuantType.QInt8,
            calibrate_method=CalibrationMethod.MinMax,
            extra_options={"TensorQuantOverrides": overrides},
        )
    proto = onnx.load(str(target))
    _shuffle_in_8_bits(proto.graph)
    point_into(proto, target.with_name("weights.safetensors"), strict=False)  # what stayed in float is there already
    onnx.save(proto, str(target))


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """The calibrator prints, and the quantiser recommends on the root logger what changes nothing here."""
    root = logging.getLogger()
    level = root.level
    root.setLevel(logging.ERROR)
    try:
        with contextlib.redirect_stdout(io.StringIO()):
            yield
    finally:
        root.setLevel(level)


def _overrides(proto: Any, roundings: dict[Place, Rounding]) -> dict[str, list[dict[str, Any]]]:
    """The ranges by the names of the graph's tensors, as the quantiser wants them."""
    of_conv = {node.input[1]: node for node in proto.graph.node if node.op_type == "Conv"}
    overrides = {}
    for (name, side), rounding in roundings.items():
        node = of_conv[f"trunk.{name}.weight"]
        tensor = node.input[0] if side == "in" else node.output[0]
        low, high = (np.float32(end) for end in rounding.range)
        overrides[tensor] = [{"rmin": low, "rmax": high}]
    return overrides


def _shuffle_in_8_bits(graph: Any) -> None:
    """Let pixel shuffles move bytes: each changes places with the dequantisation before it."""
    makers = {output: node for node in graph.node for output in node.output}
    for shuffle in [node for node in graph.node if node.op_type == "DepthToSpace"]:
        restore = makers[shuffle.input[0]]
        if restore.op_type != "DequantizeLinear":
            continue  # of pixels, which are float
        moved = f"{shuffle.output[0]}_in_8_bits"
        first, second = onnx.NodeProto(), onnx.NodeProto()
        first.CopyFrom(shuffle)
        second.CopyFrom(restore)
        first.input[0], first.output[0] = restore.input[0], moved
        second.input[0], second.output[0] = moved, shuffle.output[0]
        restore.CopyFrom(first)
        shuffle.CopyFrom(second)


class _Patch(CalibrationDataReader):  # type: ignore[misc]
    """One degraded patch: the quantiser insists on looking, although it is told every range."""

    def __init__(self, pairs: RestorationPairs) -> None:
        self._feeds = iter([{"degraded": pairs[0].degraded[None].numpy(), "sigma_01": np.array([-1], np.float32)}])

    def get_next(self) -> dict[str, Any] | None:
        return next(self._feeds, None)
