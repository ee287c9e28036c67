"""Bundles of restorers: their card, their calibration, and the out-of-distribution reference."""

from safelight.bundle.card import BundleTask
from safelight.bundle.restore.calibration import Calibration
from safelight.bundle.restore.card import SCHEMA, NoiseInput, RestorerCard
from safelight.bundle.restore.ood import Correction, OodReference

CALIBRATION, OOD_REFERENCE = "calibration.json", "familiar.npz"
"""Files of a bundle. The second one's name is older than its class; the next schema changes it."""
MEAN_GRAPH, INT8_GRAPH, SCALE_GRAPH, DRAW_GRAPH = "mean.onnx", "mean_int8.onnx", "scale.onnx", "draw.onnx"
"""Graphs of each expert."""
WEIGHTS = "weights.safetensors"

TASK = BundleTask(
    card=RestorerCard,
    schema=SCHEMA,
    files=("card.json", CALIBRATION, OOD_REFERENCE),
    networks_key="experts",
    network_files=tuple(f"{{}}/{name}" for name in (MEAN_GRAPH, INT8_GRAPH, SCALE_GRAPH, DRAW_GRAPH, WEIGHTS)),
)

__all__ = [
    "CALIBRATION",
    "DRAW_GRAPH",
    "INT8_GRAPH",
    "MEAN_GRAPH",
    "OOD_REFERENCE",
    "SCALE_GRAPH",
    "TASK",
    "WEIGHTS",
    "Calibration",
    "Correction",
    "NoiseInput",
    "OodReference",
    "RestorerCard",
]
