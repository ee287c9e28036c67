"""What a model file promises: a card, graphs, weights, and the checksum of each."""

from safelight.bundle.bundle import Bundle, open_bundle, read_part, seal, zip_bundle
from safelight.bundle.card import BundleTask, Card, CardPart
from safelight.bundle.codec import CodecCard
from safelight.bundle.find import available, find_bundle
from safelight.bundle.images import AggregatePosterior, Split, VaeCard
from safelight.bundle.restore import Calibration, Correction, NoiseInput, OodReference, RestorerCard
from safelight.bundle.tasks import TASKS

__all__ = [
    "TASKS",
    "AggregatePosterior",
    "Bundle",
    "BundleTask",
    "Calibration",
    "Card",
    "CardPart",
    "CodecCard",
    "Correction",
    "NoiseInput",
    "OodReference",
    "RestorerCard",
    "Split",
    "VaeCard",
    "available",
    "find_bundle",
    "open_bundle",
    "read_part",
    "seal",
    "zip_bundle",
]
