"""What kind of set a path is."""

from pathlib import Path

from safelight.augmentation.sets.base import IMAGES, AugmentableSet
from safelight.augmentation.sets.classes import ClassSet
from safelight.augmentation.sets.coco import CocoSet
from safelight.augmentation.sets.masks import MASKS, MaskSet
from safelight.augmentation.sets.yolo import LABELS, YoloSet
from safelight.dataset import open_set
from safelight.errors import UsageError

BESIDE = (".xml", ".txt")
"""Files that lie beside pictures and say what is in them, as Pascal VOC and Darknet write them."""
_HEAD_BYTES, _MOST_JSON = 1 << 20, 50
LISTS = (".npz", ".csv", ".jsonl")
"""Ends of the files that `dataset.open_set` reads."""


def _coco_files(folder: Path) -> list[Path]:
    """Annotations of COCO in a folder or the folders in it, by their first and last bytes."""
    found = []
    for path in sorted([*folder.glob("*.json"), *folder.glob("*/*.json")])[:_MOST_JSON]:
        if path.is_file():
            with path.open("rb") as file:
                ends = file.read(_HEAD_BYTES)
                file.seek(max(0, path.stat().st_size - _HEAD_BYTES))
                ends += file.read(_HEAD_BYTES)
            if all(f'"{key}"'.encode() in ends for key in ("images", "annotations", "categories")):
                found.append(path)
    return found


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
        if annotations := _coco_files(path):
            if len(annotations) > 1:
                names = ", ".join(str(found.relative_to(path)) for found in annotations[:3])
                raise UsageError(f"{path}: has several files of COCO annotations; name one of them: {names}")
            return CocoSet.of(annotations[0], strict)
    if not path.exists() or not (path.is_dir() or path.suffix.lower() in LISTS):
        what = "is no set of pictures" if path.exists() else "does not exist"
        raise UsageError(f"{path}: {what}; name a folder, or a file that ends in {', '.join(LISTS)} or .json (COCO)")
    images = open_set(path)
    beside = [suffix for suffix in BESIDE if 2 * images.other_files.get(suffix, 0) >= len(images)]
    if path.is_dir() and beside:
        raise UsageError(
            f"{path}: has {images.other_files[beside[0]]} {beside[0]} files, which would be lost; "
            f"write labels as COCO or YOLO ({IMAGES}/ and {LABELS}/), or move these files elsewhere"
        )
    folder = None if path.suffix.lower() == ".npz" else path if path.is_dir() else path.parent
    return ClassSet.of(images, folder, soft_labels or (path.is_file() and folder is not None), path)
