"""Where sets come from: a folder, an .npz, or a list in CSV or JSON lines.

folder        class/…/picture, or pictures without sub-folders for a set without labels
.npz          images, and if there are any labels and names; or train_images, val_images, test_images and
              their labels, as MedMNIST has them
.csv .jsonl   image (a path from where the list lies), and if there are any label and split
"""

import csv
import json
import zipfile
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from safelight.dataset.images import ImageSet, Item, Part, Pixels, check_range, eight_bits
from safelight.errors import PictureError, UsageError
from safelight.picture import SUFFIXES, read

READABLE = frozenset({*SUFFIXES, ".gif"})
PARTS: dict[str, Part] = {
    "train": "train", "training": "train", "val": "validation", "valid": "validation", "validation": "validation",
    "test": "test",
}  # fmt: skip
"""What lists call the parts of a set."""


def open_set(path: Path) -> ImageSet:
    """The pictures of a folder, an .npz or a list; nothing but arrays is read yet.

    Raises UsageError for what is no set, or is an empty or contradictory one.
    """
    if path.is_dir():
        return _folder(path)
    readers = {".npz": _arrays, ".csv": _csv, ".jsonl": _jsonl}
    reader = readers.get(path.suffix.lower())
    if reader is None or not path.is_file():
        what = "does not exist" if not path.exists() else "is no set of pictures"
        raise UsageError(f"{path}: {what}; name a folder or a file that ends in {', '.join(readers)}")
    try:
        return reader(path)
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"{path}: cannot be read ({error}); check the file") from None


def _folder(folder: Path) -> ImageSet:
    files = sorted(p for p in folder.rglob("*") if p.suffix.lower() in READABLE and not _hidden(p, folder))
    files = [path for path in files if not path.is_dir()]
    classes = {path: path.relative_to(folder).parts[0] for path in files if path.parent != folder}
    if not files:
        raise UsageError(f"{folder}: holds no pictures; name a folder of {', '.join(sorted(READABLE))}")
    if classes and len(classes) < len(files):
        loose = next(path.name for path in files if path not in classes)
        raise UsageError(
            f"{folder}: has pictures beside class folders ({loose}); move each into a class, or all out of them"
        )
    return _of_files(folder, [Item(str(path.relative_to(folder)), classes.get(path)) for path in files])


def _hidden(path: Path, folder: Path) -> bool:
    return any(part.startswith(".") for part in path.relative_to(folder).parts)


def _of_files(folder: Path, items: Iterable[Item]) -> ImageSet:
    items = tuple(items)

    def load(index: int) -> Pixels:
        path = folder / items[index].name
        return eight_bits(read(path), str(path))

    return ImageSet(items, load)


def _csv(path: Path) -> ImageSet:
    with path.open(newline="", encoding="utf-8-sig") as file:
        return _listed(path, enumerate(csv.DictReader(file), 2))


def _jsonl(path: Path) -> ImageSet:
    lines = path.read_text(encoding="utf-8").splitlines()
    rows = []
    for number, line in enumerate(lines, 1):
        try:
            row = json.loads(line) if line.strip() else None
        except ValueError as error:
            raise UsageError(f"{path}: line {number} is no JSON ({error}); mend or remove it") from None
        if row is not None and not isinstance(row, dict):
            raise UsageError(f'{path}: line {number} is no object; write {{"image": "a.png", "label": "b"}}')
        if row is not None:
            rows.append((number, row))
    return _listed(path, rows)


def _listed(path: Path, rows: Iterable[tuple[int, Mapping[str, Any]]]) -> ImageSet:
    items = []
    for number, row in rows:
        if not row.get("image"):
            raise UsageError(f"{path}: line {number} names no image; a list needs a column 'image'")
        part = row.get("split") or None
        if part is not None and str(part).lower() not in PARTS:
            raise UsageError(f"{path}: line {number}: split '{part}' is not known; use train, validation or test")
        label = row.get("label")
        label = None if label in (None, "") else str(label)
        items.append(Item(str(row["image"]), label, None if part is None else PARTS[str(part).lower()]))
    if not items:
        raise UsageError(f"{path}: lists no pictures; add one line for each")
    unlabelled = sum(item.label is None for item in items)
    if 0 < unlabelled < len(items):
        raise UsageError(f"{path}: {unlabelled} of {len(items)} pictures have no label; label all of them or none")
    return _of_files(path.parent, items)


def _arrays(path: Path) -> ImageSet:
    try:
        with path.open("rb") as raw, zipfile.ZipFile(raw), np.load(raw, allow_pickle=False) as file:
            arrays = {name: file[name] for name in file}
    except (ValueError, EOFError, KeyError, zipfile.BadZipFile) as error:
        raise UsageError(f"{path}: is no .npz of plain arrays ({error}); save it with numpy.savez") from None
    prefixes: dict[str, Part | None] = {"": None, "train_": "train", "val_": "validation", "test_": "test"}
    images: list[NDArray[Any]] = []
    items: list[Item] = []
    for prefix, part in prefixes.items():
        if f"{prefix}images" not in arrays:
            continue
        stack = _stack(arrays[f"{prefix}images"], f"{path}: {prefix}images")
        labels = _labels(arrays.get(f"{prefix}labels"), len(stack), f"{path}: {prefix}labels")
        names = arrays.get(f"{prefix}names") if len(arrays.get(f"{prefix}names", ())) == len(stack) else None
        for k, label in enumerate(labels):
            name = str(k) if names is None else str(names[k])
            items.append(Item(f"{prefix.rstrip('_')}/{name}" if prefix else name, label, part))
        images.append(stack)
    if not items:
        raise UsageError(f"{path}: holds no pictures (arrays: {', '.join(arrays) or 'none'}); name them 'images'")
    ends = np.cumsum([len(stack) for stack in images])

    def load(index: int) -> Pixels:
        which = int(np.searchsorted(ends, index, side="right"))
        return _as_bytes(images[which][index - ends[which]], items[index].name)

    return ImageSet(tuple(items), load)


def _stack(images: NDArray[Any], name: str) -> NDArray[Any]:
    """(N, H, W), (N, H, W, 1) or (N, H, W, 3) → (N, H, W, C). Raises UsageError."""
    images = images[..., None] if images.ndim == 3 else images
    if images.ndim != 4 or images.shape[3] not in (1, 3):
        raise UsageError(f"{name} has shape {images.shape}; make it (N, H, W), (N, H, W, 1) or (N, H, W, 3)")
    if images.dtype.kind not in "uf" or images.dtype.itemsize > 8 or images.dtype == np.uint64:
        raise UsageError(f"{name} is {images.dtype}; convert it to uint8, uint16, or float in [0, 1]")
    if images.dtype.kind == "f" and images.size:
        try:
            check_range(images, name)
        except PictureError as error:
            raise UsageError(str(error)) from None
    return images


def _labels(labels: NDArray[Any] | None, count: int, name: str) -> list[str | None]:
    if labels is None:
        return [None] * count
    flat = labels[:, 0] if labels.ndim == 2 and labels.shape[1] == 1 else labels
    if flat.ndim != 1:
        raise UsageError(f"{name} has shape {labels.shape}; one label for each picture is what can be used")
    if len(flat) != count:
        raise UsageError(f"{name}: {len(flat)} labels for {count} pictures; make them equally many")
    return [str(label) for label in flat.tolist()]


def _as_bytes(values: NDArray[Any], name: str) -> Pixels:
    """(H, W, C) in any format that `_stack` lets through → uint8."""
    if values.dtype == np.uint8:
        return values
    if values.dtype.kind == "f":
        return np.rint(255 * np.clip(values.astype(np.float32), 0, 1)).astype(np.uint8)
    if values.max(initial=0) > 65535:
        raise PictureError(f"{name}: has values beyond 65535; convert it to uint16")
    return ((values.astype(np.uint32) * 255 + 32767) // 65535).astype(np.uint8)
