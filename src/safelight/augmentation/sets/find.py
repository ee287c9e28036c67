"""What kind of set a path is."""

from pathlib import Path

from safelight.augmentation.sets.base import IMAGES, AugmentableSet, files_below
from safelight.augmentation.sets.classes import ClassSet
from safelight.augmentation.sets.coco import CocoSet
from safelight.augmentation.sets.masks import MASKS, MaskSet
from safelight.augmentation.sets.yolo import LABELS, YoloSet
from safelight.dataset import ImageSet, open_set
from safelight.errors import UsageError, shown
from safelight.work import mirrored

BESIDE, BY_NAME, TABLES = (".txt",), (".xml", ".json"), (".csv", ".tsv", ".jsonl", ".json")
"""Ends of files that say what is in pictures: beside a picture (Darknet), by its name anywhere (Pascal VOC, LabelMe),
or in all pictures.
"""
_PART_BYTES, _LONGEST_KEY, _MOST_JSON = 1 << 24, 16, 50
LISTS = (".npz", ".csv", ".jsonl")
"""Ends of the files that `dataset.open_set` reads."""


def _coco_files(folder: Path) -> list[Path]:
    """Files below a folder that name pictures as COCO does: large ones, where there are many."""
    paths = [folder / path for path in files_below(folder) if path.suffix.lower() == ".json"]
    by_size = sorted(paths, key=lambda path: (-path.stat().st_size, path))
    return sorted(path for path in by_size[:_MOST_JSON] if _names_pictures(path))


def _names_pictures(path: Path) -> bool:
    """Whether the keys `images` and `file_name` stand in a file, in UTF-8 or wider, wherever they stand."""
    wanted, kept = {b'"images"', b'"file_name"'}, b""
    with path.open("rb") as file:
        while wanted and (part := file.read(_PART_BYTES)):
            seen = kept + part.replace(b"\0", b"")
            wanted = {key for key in wanted if key not in seen}
            kept = seen[-_LONGEST_KEY:]
    return not wanted


def _labels_beside(path: Path, images: ImageSet) -> list[Path]:
    """Files that say what is in the pictures of a folder, and that no reader here would look at."""
    if not images.other_files.keys() & {*BESIDE, *BY_NAME, *TABLES}:
        return []
    stems = {Path(item.name).with_suffix("") for item in images.items}
    names = {stem.name for stem in stems}
    is_one_folder = len(images.classes) == 1
    return [
        path / file
        for file in files_below(path)
        if (file.suffix.lower() in BESIDE and file.with_suffix("") in stems)
        or (file.suffix.lower() in BY_NAME and file.stem in names)
        or (file.suffix.lower() in TABLES and is_one_folder)
    ]


def open_augmentable(path: Path, soft_labels: bool = False, strict: bool = False) -> AugmentableSet:
    """COCO's .json; YOLO's images/ and labels/; images/ and masks/; or whatever `dataset.open_set` reads.

    `soft_labels` need a list, which folders are not. `strict` refuses a set with an odd object, which is dropped
    otherwise. Raises UsageError for what does not fit together, and what `mirrored` raises.
    """
    path = mirrored(path)
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
    if path.is_dir() and (beside := _labels_beside(path, images)):
        raise UsageError(
            f"{path}: has {shown(beside[0].relative_to(path))}, and labels in it would be lost ({len(beside)} such "
            f"files); name a list itself, write labels as COCO or YOLO ({IMAGES}/ and {LABELS}/), or move these files"
        )
    folder = None if path.suffix.lower() == ".npz" else path if path.is_dir() else path.parent
    return ClassSet.of(images, folder, soft_labels or (path.is_file() and folder is not None), path)
