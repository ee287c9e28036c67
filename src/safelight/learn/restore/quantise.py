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

from safelight.errors import BundleError
from safelight.learn.graphs import point_into
from safelight.learn.restore.data import RestorationPairs

IN_FLOAT = re.compile(r"trunk\.(head|tail|down\.0|(encode|decode)\.0\.\d+\.conv[12])\.weight")
PERCENTILE = 99.99
"""Of activations; what lies beyond is clipped. 99.9 clips too much (docs/lab-notebook.md)."""
CALIBRATION_PATCHES = 48


def quantise(mean: Path, target: Path, pairs: RestorationPairs) -> None:
    """Write `target`, with the inputs and outputs of `mean`; `pairs` show the ranges."""
    graph = onnx.load(str(mean), load_external_data=False).graph
    in_float = [node.name for node in graph.node if any(IN_FLOAT.fullmatch(name) for name in node.input)]
    if not in_float:
        raise BundleError(f"{mean}: names no weight that must stay in float; the exporter's names have changed")
    with _quiet():
        quantize_static(
            str(mean),
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


class _Patches(CalibrationDataReader):  # type: ignore[misc]
    """Degraded patches, one at a time, as onnxruntime asks for them."""

    def __init__(self, pairs: RestorationPairs) -> None:
        self._feeds: Iterator[dict[str, Any]] = (
            {"degraded": pair.degraded[None].numpy(), "sigma_01": np.array([-1], dtype=np.float32)}
            for pair in (pairs[index] for index in range(CALIBRATION_PATCHES))
        )

    def get_next(self) -> dict[str, Any] | None:
        return next(self._feeds, None)
