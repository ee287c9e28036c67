"""What a model file promises: a card, graphs, weights, and the checksum of each."""

from safelight.bundle.bundle import (
    AnyBundle,
    Bundle,
    is_of_images,
    open_bundle,
    read_calibration,
    restores,
    save_restorer,
    seal,
    zip_bundle,
)
from safelight.bundle.card import Calibration, Card, ImageCard, NoiseInput, Split
from safelight.bundle.familiar import Correction, Familiar
from safelight.bundle.find import available, find_bundle, find_image_model, find_restorer
from safelight.bundle.latents import Latents

__all__ = [
    "AnyBundle",
    "Bundle",
    "Calibration",
    "Card",
    "Correction",
    "Familiar",
    "ImageCard",
    "Latents",
    "NoiseInput",
    "Split",
    "available",
    "find_bundle",
    "find_image_model",
    "find_restorer",
    "is_of_images",
    "open_bundle",
    "read_calibration",
    "restores",
    "save_restorer",
    "seal",
    "zip_bundle",
]
