"""Whether a codec gives the same bytes and pixels in many ways: threads, optimisation, regions, int64, torch."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import onnxruntime as ort
import torch

import safelight
from safelight.bundle import CodecCard, find_bundle
from safelight.coding.program import Integers, Operation
from safelight.runtime.codec.codec import Region
from safelight.runtime.codec.load import Parts, build_core, read_codec
from safelight.runtime.codec.networks import Engine, Law

QUALITIES = (5, 40, 90)
THREADS = (1, 2, 4)
REGION = Region(left=100, top=200, width=301, height=150)
CROP = np.s_[128:256, 128:256]
"""What int64 arithmetic computes: a whole picture would take it minutes."""


class TorchEngine:
    """The programs of a codec in float32, by torch."""

    def __init__(self, parts: Parts) -> None:
        self.parts = parts

    def run(self, program: str, feeds: Mapping[str, Integers]) -> dict[str, Integers]:
        """The outputs."""
        values = {name: torch.from_numpy(np.ascontiguousarray(value, np.float32)) for name, value in feeds.items()}
        for op in self.parts.programs[program].operations:
            values[op.output] = self._apply(op, [values[name] for name in op.inputs])
        return {name: values[name].numpy().astype(np.int64) for name in self.parts.programs[program].outputs}

    def _apply(self, op: Operation, given: list[torch.Tensor]) -> torch.Tensor:
        if op.kind == "add":
            return given[0] + given[1]
        if op.kind == "shuffle":
            return torch.nn.functional.pixel_shuffle(given[0], op.factor)
        if op.kind == "shift":
            return torch.floor((given[0] + (1 << op.shift >> 1)) * 2.0**-op.shift).clamp(op.low, op.high)
        weight, bias, shift = (
            torch.from_numpy(self.parts.arrays[f"{op.weights}.{part}"].astype(np.float32))
            for part in ("weight", "bias", "shift")
        )
        sums = torch.nn.functional.conv2d(given[0], weight, bias, op.stride, op.padding)
        return torch.floor(sums * 2.0 ** -shift.view(1, -1, 1, 1)).clamp(op.low, op.high)


def measure_exactness(model: str, pictures: dict[str, np.ndarray]) -> dict[str, Any]:
    """Of whole pictures at three qualities, and of a crop at one: no byte and no pixel may differ."""
    codec = safelight.Codec.load(model)
    bundle = find_bundle(model, CodecCard)
    parts = read_codec(bundle)

    def built(engine: Engine) -> safelight.Codec:
        return safelight.Codec(build_core(engine, parts, bundle))

    others = [safelight.Codec.load(model, threads=threads) for threads in THREADS]
    others += [_unoptimised(model), built(TorchEngine(parts))]
    law = built(Law(parts.programs, parts.arrays))
    found = {"files": 0, "comparisons": 0, "different": 0}

    def compare(is_equal: bool) -> None:
        found["comparisons"] += 1
        found["different"] += not is_equal

    for name, pixels in pictures.items():
        picture = safelight.Picture(pixels)
        for quality in QUALITIES:
            made = codec.encode(picture, quality)
            found["files"] += 1
            for other in others:
                compare(np.array_equal(other.decompress(made.data).pixels, made.decoded))
                compare(other.compress(picture, quality) == made.data)
            rows, columns = (
                slice(at, at + size) for at, size in ((REGION.top, REGION.height), (REGION.left, REGION.width))
            )
            compare(np.array_equal(codec.decompress(made.data, REGION).pixels, made.decoded[rows, columns]))
        crop = safelight.Picture(np.ascontiguousarray(pixels[CROP]))
        compare(law.compress(crop, QUALITIES[1]) == codec.compress(crop, QUALITIES[1]))
        print(name, found, flush=True)
    return found


def _unoptimised(model: str) -> safelight.Codec:
    """Without onnxruntime's optimisation of graphs."""
    real = ort.SessionOptions

    def options() -> Any:
        made = real()
        made.graph_optimization_level = ort.GraphOptimizationLevel.ORT_DISABLE_ALL
        return made

    ort.SessionOptions = options
    try:
        codec = safelight.Codec.load(model)
        codec.compress(safelight.Picture(np.zeros((64, 64, 3), np.uint8)), 50)  # opens every graph
    finally:
        ort.SessionOptions = real
    return codec
