"""What the arms of a comparison are: one classifier, trained on other pictures or with other operations.

none               the labelled pictures
duplicates         the labelled pictures, each several times
classic            the labelled pictures, moved by the recipe's classic steps, anew at each sight
vae                half of each batch are variants from the recipe's latent steps
classic_vae        as vae, and all pictures of a batch are moved by the classic steps
classic_pool       as classic, and consistent on unlabelled pictures: where the averaged network is sure of a picture,
                   the network must say the same of the moved picture (Sohn et al., "FixMatch", NeurIPS 2020)
classic_vae_pool   as classic_vae, and consistent on unlabelled pictures and their variants
classic_vae_taught as classic, and taught by the VAE: the network must predict the latents of moved unlabelled pictures

All arms of a seed have the same labelled pictures, first weights, number of steps and number of labelled pictures in a
step; all but duplicates have the same order of them. Arms with unlabelled pictures see 64 of them in each step as well.
"""

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

Bytes = NDArray[np.uint8]
Lesson = NDArray[np.float32]
"""(N, D): numbers of N pictures, standardised over them."""


class ArmKind(NamedTuple):
    """What an arm is made of."""

    classic: bool = False
    variants: bool = False
    consistent: bool = False
    taught: bool = False

    @property
    def needs_vae(self) -> bool:
        """Whether the recipe must have latent steps."""
        return self.variants or self.taught

    @property
    def needs_pool(self) -> bool:
        """Whether there must be unlabelled pictures."""
        return self.consistent or self.taught


ARMS = {
    "none": ArmKind(),
    "duplicates": ArmKind(),
    "classic": ArmKind(classic=True),
    "classic_pool": ArmKind(classic=True, consistent=True),
    "vae": ArmKind(variants=True),
    "classic_vae": ArmKind(classic=True, variants=True),
    "classic_vae_pool": ArmKind(classic=True, variants=True, consistent=True),
    "classic_vae_taught": ArmKind(classic=True, taught=True),
}


@dataclass(frozen=True)
class Variants:
    """Pictures made from others, K of each."""

    pixels: Bytes
    """(N, K, H, W, C)"""
    targets: NDArray[np.float32]
    """(N, K, classes): soft labels; 0 where nothing is known of them."""


@dataclass(frozen=True)
class Arm:
    """What one classifier is trained on."""

    name: str
    seed: int
    classes: int
    steps: int
    train: Bytes
    """(N, H, W, C)"""
    labels: NDArray[np.int64]
    test: Bytes
    test_labels: NDArray[np.int64]
    balanced: bool = False
    """Whether accuracy is the average recall of the test's classes."""
    copies: int = 1
    """How often each picture is there."""
    classic: tuple[dict[str, Any], ...] = ()
    """Steps of a recipe."""
    border: str = "auto"
    variants: Variants | None = None
    pool: Bytes | None = None
    """Unlabelled pictures."""
    pool_variants: Variants | None = None
    lessons: tuple[Lesson, ...] = ()
    """Of the pool, if the arm is taught instead of consistent."""
    noise: float | None = None
    """How many times the recipe's latent noise, in a sweep of it."""


class ArmScore(NamedTuple):
    """How well one classifier of one arm does on the test pictures."""

    arm: str
    seed: int
    noise: float | None
    """How many times the recipe's latent noise, in a sweep; None for the recipe's own."""
    accuracy: float
    """Of all test pictures; balanced if the test's classes are not."""
    curve: tuple[tuple[int, float], ...] = ()
    """(steps, accuracy on the first thousand test pictures)"""
    right: NDArray[np.bool_] | None = None
    """(P,): which test pictures it gets right; None where that is not known."""
