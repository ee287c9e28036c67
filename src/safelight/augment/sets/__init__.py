"""Sets with their labels: class folders, lists, arrays, COCO, YOLO, and masks; each read, and written back enlarged."""

from safelight.augment.sets.base import AugmentableSet, Original
from safelight.augment.sets.find import open_augmentable

__all__ = ["AugmentableSet", "Original", "open_augmentable"]
