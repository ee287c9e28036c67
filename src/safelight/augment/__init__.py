"""Pictures moved in latent space and by the classic operations, with their labels, reproducibly."""

from safelight.augment.augment import Augment, Augmented, AugmentedSet
from safelight.augment.bank import Bank
from safelight.augment.catalog import OPERATIONS
from safelight.augment.chain import Sample, apply
from safelight.augment.draw import Record, draw
from safelight.augment.recipe import AugmentRecipe, load_recipe, parse_recipe

__all__ = [
    "OPERATIONS",
    "Augment",
    "AugmentRecipe",
    "Augmented",
    "AugmentedSet",
    "Bank",
    "Record",
    "Sample",
    "apply",
    "draw",
    "load_recipe",
    "parse_recipe",
]
