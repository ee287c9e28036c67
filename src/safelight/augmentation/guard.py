"""Whether a variant is still of its class: by a classifier of the real labels, and by its distance in features."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from safelight.augmentation.bank import Bank
from safelight.augmentation.recipe import Guard
from safelight.bundle.images import CLASSIFIER_ACCURACY
from safelight.errors import UsageError
from safelight.runtime.images.vae import Array, Vae

SURE = 0.75
"""Accuracy of the classifier on held-out pictures below which it refuses too many good variants."""
FEWEST = 20
"""Pictures of a class that give it a radius."""


@dataclass(frozen=True)
class LabelGuard:
    """The centre and the radius of every class, in the features of the bundle's classifier."""

    vae: Vae
    settings: Guard
    centres: dict[str, Array]
    """(F,)"""
    radii: dict[str, float]

    @staticmethod
    def of(vae: Vae, bank: Bank, settings: Guard) -> "LabelGuard":
        """Raises UsageError for a model without a classifier, or of other classes."""
        if not vae.has_classifier:
            raise UsageError(
                f"{vae.card.name} has no classifier, so it cannot guard labels; train it on the labelled set"
            )
        if not vae.knows_classes:
            raise UsageError(
                f"the classifier of {vae.card.name} is hardly better than chance, so it cannot guard labels; "
                "train longer or on more pictures, or take [guard] out"
            )
        unknown = sorted(set(bank.classes) - set(vae.card.classes))
        if unknown:
            raise UsageError(
                f"{vae.card.name} does not know the classes {', '.join(unknown[:5])}; train it on this set"
            )
        centres, radii = {}, {}
        for label in bank.classes:
            features, _ = vae.features(bank.pictures(bank.of_class(label)))
            centres[label] = features.mean(axis=0)
            away = np.linalg.norm(features - centres[label], axis=1)
            radii[label] = float(np.quantile(away, settings.radius or 1.0)) if len(away) >= FEWEST else np.inf
        return LabelGuard(vae, settings, centres, radii)

    def refusals(self, pictures: NDArray[np.uint8], labels: Sequence[str]) -> list[str | None]:
        """Why each of (B, H, W, C) is refused; None for what passes."""
        features, logits = self.vae.features(pictures)
        seen = [self.vae.card.classes[k] for k in logits.argmax(axis=1)]
        return [self._refusal(f, s, label) for f, s, label in zip(features, seen, labels, strict=True)]

    def _refusal(self, features: Array, seen: str, label: str) -> str | None:
        if self.settings.keeps_label and seen != label:
            return f"seen as {seen}"
        if self.settings.radius is not None and label in self.radii:
            away = float(np.linalg.norm(features - self.centres[label]))
            if away > self.radii[label]:
                return "far from its class"
        return None


def poor_guard(vae: Vae, settings: Guard) -> str | None:
    """What a person must know of a guard's classifier; None for a good one, or if the card does not tell."""
    accuracy = vae.card.measured.get(CLASSIFIER_ACCURACY, 1.0)
    if accuracy >= SURE or not settings.keeps_label:
        return None
    return (
        f"the guard's classifier is right of {accuracy:.0%} of held-out pictures, so it refuses good variants and "
        "passes bad ones; take [guard] out, or train on more pictures"
    )
