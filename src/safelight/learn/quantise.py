"""mean.onnx → mean_int8.onnx: the trunk in 8-bit integers, for processors that multiply them faster.

Static quantisation (Jacob et al., "Quantization and training of neural networks for efficient
integer-arithmetic-only inference", CVPR 2018): weights per output channel, activations per tensor with
the range that training patches show. The convolutions that read and write pixels stay in float, and so do
residual additions and steps up. The others get weights that know of the rounding (adapt.py).
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
from safelight.learn.adapt import PERCENTILE, adapted
from safelight.learn.data import RestorationPairs
from safelight.learn.export import point_into

IN_FLOAT = {"head", "tail"}
"""Convolutions of the trunk that read and write pixels."""
CALIBRATION_PATCHES = 48


def quantise(trunk: Trunk, mean: Path, target: Path, to_learn: RestorationPairs, to_see: RestorationPairs) -> None:
    """Write `target`, with the inputs and outputs of `mean`, which is the graph of `trunk`.

    The weights learn from the pairs `to_learn`, and `to_see` shows the ranges. Takes minutes.
    """
    convs = {name for name, module in trunk.named_modules() if isinstance(module, nn.Conv2d)} - IN_FLOAT
    learned = {f"trunk.{name}": tensor.numpy() for name, tensor in adapted(trunk, to_learn, sorted(convs)).items()}
    proto = onnx.load(str(mean))
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
            _Patches(to_see),
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
