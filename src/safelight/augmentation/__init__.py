"""Pictures moved in latent space and by the classic operations, with their labels, reproducibly."""

from safelight.augmentation.augment import Augment, Augmented, AugmentedSet
from safelight.augmentation.bank import Bank
from safelight.augmentation.catalog import OPERATIONS
from safelight.augmentation.chain import Sample, apply
from safelight.augmentation.recipe import AugmentRecipe, RecipeStep, load_recipe, parse_recipe
from safelight.augmentation.record import AppliedStep, VariantRecord, draw

__all__ = [
    "OPERATIONS",
    "AppliedStep",
    "Augment",
    "AugmentRecipe",
    "Augmented",
    "AugmentedSet",
    "Bank",
    "RecipeStep",
    "Sample",
    "VariantRecord",
    "apply",
    "draw",
    "load_recipe",
    "parse_recipe",
]
