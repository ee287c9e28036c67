"""What kind of set a path is."""

from pathlib import Path

from safelight.augmentation.sets.base import IMAGES, AugmentableSet
from safelight.augmentation.sets.classes import ClassSet
from safelight.augmentation.sets.coco import CocoSet
from safelight.augmentation.sets.masks import MASKS, MaskSet
from safelight.augmentation.sets.yolo import LABELS, YoloSet
from safelight.dataset import open_set
from safelight.errors import UsageError

LISTS = (".npz", ".csv", ".jsonl")
"""Ends of the files that `dataset.open_set` reads."""


def open_augmentable(path: Path, soft_labels: bool = False, strict: bool = False) -> AugmentableSet:
    """COCO's .json; YOLO's images/ and labels/; images/ and masks/; or whatever `dataset.open_set` reads.

    `soft_labels` need a list, which folders are not. `strict` refuses a set with an odd object, which is dropped
    otherwise. Raises UsageError for what does not fit together.
    """
    if path.suffix.lower() == ".json" and path.is_file():
        return CocoSet.of(path, strict)
    if path.is_dir():
        inner = {folder.name.lower() for folder in path.rglob("*") if folder.is_dir()}
        if {IMAGES, MASKS} <= inner:
            return MaskSet.of(path)
        if {IMAGES, LABELS} <= inner:
            return YoloSet.of(path, strict)
    if not path.exists() or not (path.is_dir() or path.suffix.lower() in LISTS):
        what = "is no set of pictures" if path.exists() else "does not exist"
        raise UsageError(f"{path}: {what}; name a folder, or a file that ends in {', '.join(LISTS)} or .json (COCO)")
    images = open_set(path)
    folder = None if path.suffix.lower() == ".npz" else path if path.is_dir() else path.parent
    return ClassSet.of(images, folder, soft_labels or (path.is_file() and folder is not None), path)
