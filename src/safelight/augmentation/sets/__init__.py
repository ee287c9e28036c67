"""Sets with their labels: class folders, lists, arrays, COCO, YOLO, and masks; each read, and written back enlarged."""

from safelight.augmentation.sets.base import AugmentableSet, Original, SetPicture, WrittenPicture
from safelight.augmentation.sets.find import open_augmentable

__all__ = ["AugmentableSet", "Original", "SetPicture", "WrittenPicture", "open_augmentable"]
