"""mean.onnx → mean_int8.onnx: the trunk in 8-bit integers, for processors that multiply them faster.

Static quantisation (Jacob et al., "Quantization and training of neural networks for efficient
integer-arithmetic-only inference", CVPR 2018): weights per output channel, activations per tensor with
the range that training patches show. Everything at the finest scale stays in float: the loss sits there
(docs/lab-notebook.md).
"""

import contextlib
import io
import logging
import re
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

from safelight.bundle import names
from safelight.errors import BundleError
from safelight.learn.graphs import load_plain, point_into, prepend
from safelight.learn.restore.data import RestorationPairs

IN_FLOAT = re.compile(r"trunk\.(head|tail|down\.0|(encode|decode)\.0\.\d+\.conv[12])\.weight")
PERCENTILE = 99.99
"""Of activations; what lies beyond is clipped. 99.9 clips too much (docs/lab-notebook.md)."""
CALIBRATION_PATCHES = 48


def quantise(mean: Path, target: Path, pairs: RestorationPairs) -> None:
    """Write `target`, with the inputs and outputs of `mean`; `pairs` show the ranges. Raises BundleError."""
    graph = load_plain(mean).graph
    floats = {t.name: t for t in graph.initializer}
    in_float = [node.name for node in graph.node if any(IN_FLOAT.fullmatch(name) for name in node.input)]
    if not in_float:
        raise BundleError(f"{mean}: names no weight that must stay in float; the exporter's names have changed")
    with _quiet():
        quantize_static(
            load_plain(mean),  # another copy, since it is changed
            str(target),
            _Patches(pairs),
            quant_format=QuantFormat.QDQ,
            op_types_to_quantize=["Conv", "Relu"],
            nodes_to_exclude=in_float,
            per_channel=True,
            activation_type=QuantType.QUInt8,
            weight_type=QuantType.QInt8,
            calibrate_method=CalibrationMethod.Percentile,
            extra_options={"CalibPercentile": PERCENTILE},
        )
    proto = onnx.load(str(target))
    _round_when_loaded(proto.graph, floats)
    point_into(proto, target.with_name("weights.safetensors"), only=floats)  # steps and biases are the quantiser's own
    onnx.save(proto, str(target))


def _round_when_loaded(graph: Any, floats: dict[str, Any]) -> None:
    """Replace every 8-bit kernel by the float one that it was rounded from, and by the rounding, which onnxruntime
    does once, when it loads the graph. Raises BundleError if that would give another kernel.
    """
    initialisers = {t.name: t for t in graph.initializer}
    added = []
    for node in graph.node:
        kernel = initialisers.get(node.input[0]) if node.op_type == "DequantizeLinear" else None
        if kernel is None or len(kernel.dims) != 4:
            continue
        name = kernel.name.removesuffix("_quantized")
        (axis,) = (a.i for a in node.attribute if a.name == "axis")
        values, step, rounded = (
            onnx.numpy_helper.to_array(t) for t in (floats[name], initialisers[node.input[1]], kernel)
        )
        again = np.rint(values / np.expand_dims(step, tuple(k for k in range(4) if k != axis)))
        if not np.array_equal(np.clip(again, -128, 127), rounded):
            raise BundleError(f"{name}: is not rounded as the 8-bit graph has it; the quantiser has changed")
        added.append(onnx.helper.make_node("QuantizeLinear", [name, *node.input[1:]], [kernel.name], axis=axis))
        graph.initializer.remove(kernel)
        graph.initializer.append(floats[name])
    prepend(graph, added)


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """The calibrator prints, and the quantiser recommends on the root logger what changes nothing here. It also gives
    that logger a handler, which would then print what all others log.
    """
    root = logging.getLogger()
    level, handlers = root.level, list(root.handlers)
    root.setLevel(logging.ERROR)
    try:
        with contextlib.redirect_stdout(io.StringIO()):
            yield
    finally:
        root.setLevel(level)
        root.handlers[:] = handlers


class _Patches(CalibrationDataReader):  # type: ignore[misc]
    """Degraded patches, one at a time, as onnxruntime asks for them."""

    def __init__(self, pairs: RestorationPairs) -> None:
        unknown = np.array([names.SIGMA_UNKNOWN], dtype=np.float32)
        self._feeds: Iterator[dict[str, Any]] = (
            {names.DEGRADED: pair.degraded[None].numpy(), names.SIGMA: unknown}
            for pair in (pairs[index] for index in range(CALIBRATION_PATCHES))
        )

    def get_next(self) -> dict[str, Any] | None:
        return next(self._feeds, None)
