"""Bundles of codecs."""

from safelight.bundle.card import BundleTask
from safelight.bundle.codec.card import SCHEMA, CodecCard, Group

PROGRAMS, INTEGERS = "programs.json", "integers.safetensors"
"""Files of a bundle: what the networks compute, and all their numbers. Each network is a graph beside them, too."""

TASK = BundleTask(
    card=CodecCard,
    schema=SCHEMA,
    files=("card.json", PROGRAMS, INTEGERS),
    networks_key="programs",
    network_files=("{}.onnx",),
)

__all__ = ["INTEGERS", "PROGRAMS", "TASK", "CodecCard", "Group"]
