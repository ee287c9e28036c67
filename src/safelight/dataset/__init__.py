"""Sets of small pictures, with labels if they have any: what data-set models and augmentation start from."""

from safelight.dataset.images import ImageSet, Item, Loaded, Part
from safelight.dataset.report import Report, inspect
from safelight.dataset.sources import open_set

__all__ = ["ImageSet", "Item", "Loaded", "Part", "Report", "inspect", "open_set"]
