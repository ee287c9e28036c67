"""What a model file promises: a card, graphs, weights, and the checksum of each."""

from safelight.bundle.bundle import Bundle, open_bundle, save_bundle, zip_bundle
from safelight.bundle.card import Calibration, Card, NoiseInput
from safelight.bundle.familiar import Correction, Familiar
from safelight.bundle.find import available, find_bundle

__all__ = [
    "Bundle",
    "Calibration",
    "Card",
    "Correction",
    "Familiar",
    "NoiseInput",
    "available",
    "find_bundle",
    "open_bundle",
    "save_bundle",
    "zip_bundle",
]
