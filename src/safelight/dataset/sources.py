"""Where sets come from: a folder, an .npz, or a list in CSV or JSON lines.

folder        class/…/picture; train/class/…/picture or class/train/picture and so on, if all folders of a level are
              parts (`dataset.parts`); or pictures without sub-folders, for a set without labels
.npz          images, and if there are any labels, and names of the pictures or of the classes; or train_images,
              val_images, test_images and their labels, as MedMNIST has them
.csv .jsonl   image (a path from where the list lies), and if there are any label, split and group
"""

import csv
import io
import json
import os
import zipfile
import zlib
from collections import Counter
from collections.abc import Iterable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from safelight.dataset.grouping import with_variants
from safelight.dataset.images import ImageSet, Item, Loaded, Part, Pixels, check_range, content_hash, eight_bits
from safelight.dataset.levels import check_levels, refuse_dark
from safelight.dataset.parts import part_of
from safelight.errors import PictureError, UsageError, shown
from safelight.picture import READABLE, convert, read
from safelight.settings import read_text
from safelight.work import MANIFEST, OnProgress, file_sha256, memory_bytes, mirrored, silent, unpacked_bytes


def open_set(path: Path, on_progress: OnProgress = silent) -> ImageSet:
    """The pictures of a folder, an .npz or a list; nothing but arrays is read yet. Of object storage, from a copy.

    Raises UsageError for what is no set, or is an empty or contradictory one, and what `mirrored` raises.
    """
    path = mirrored(path, on_progress)
    if path.is_dir():
        return _folder(path)
    readers = {".npz": _arrays, ".csv": _csv, ".jsonl": _jsonl}
    reader = readers.get(path.suffix.lower())
    if reader is None or not path.is_file():
        what = "does not exist" if not path.exists() else "is no set of pictures"
        coco = "; COCO's .json is for augment alone" if path.suffix.lower() == ".json" else ""
        raise UsageError(f"{path}: {what}; name a folder or a file that ends in {', '.join(readers)}{coco}")
    try:
        return reader(path)
    except UnicodeDecodeError:
        raise UsageError(f"{path}: is no UTF-8 text; save it as UTF-8") from None
    except (OSError, csv.Error) as error:
        raise UsageError(f"{path}: cannot be read ({error}); check the file") from None


def _folder(folder: Path) -> ImageSet:
    files, others = _walk(folder)
    if not files and others:
        kinds = ", ".join(f"{count} {suffix or 'without a suffix'}" for suffix, count in others.most_common(5))
        raise UsageError(f"{folder}: holds no pictures that are read, but {kinds}; convert them to PNG first")
    if not files:
        raise UsageError(f"{folder}: holds no pictures; name a folder of {', '.join(sorted(READABLE))}")
    tops = {path.parts[0] for path in files if len(path.parts) > 1}
    loose = next((path for path in files if len(path.parts) == 1), None)
    if tops and loose is not None:
        raise UsageError(
            f"{folder}: has pictures beside class folders ({loose}); move each into a class, or all out of them"
        )
    level = _level_of_parts(folder, files)
    is_wrapped = level == 1 and len(tops) == 1 and all(len(path.parts) > 3 for path in files)
    return _of_files(folder, [_item(path, level, is_wrapped) for path in files], others)


def _level_of_parts(folder: Path, files: list[Path]) -> int | None:
    """At which level below the folder all pictures lie in folders that are parts of a set; None for nowhere.

    Raises UsageError where only some of them do.
    """
    for level in range(2):
        names = sorted({path.parts[level] if len(path.parts) > level + 1 else "" for path in files})
        parts = [name for name in names if part_of(name) is not None]
        if parts and len(parts) == len(names):
            return level
        if parts and level == 0:
            others = ", ".join(shown(name) for name in names if name not in parts)
            raise UsageError(
                f"{folder}: has {', '.join(parts)}, which sound like parts of a set, beside {others}; "
                "put all pictures into parts, or rename the classes"
            )
    return None


def _walk(folder: Path) -> tuple[list[Path], Counter[str]]:
    """Pictures below a folder, relative to it and in order, through links too; and other files by their suffix."""
    files: list[Path] = []
    others: Counter[str] = Counter()
    been: set[str] = set()
    for place, folders, names in os.walk(folder, followlinks=True):
        real = os.path.realpath(place)
        folders[:] = [] if real in been else sorted(name for name in folders if not name.startswith("."))
        names = [] if real in been else sorted(name for name in names if not name.startswith("."))
        been.add(real)
        for name in names:
            suffix = Path(name).suffix.lower()
            if suffix in READABLE:
                files.append((Path(place) / name).relative_to(folder))
            elif name != MANIFEST:
                others[suffix] += 1
    return sorted(files), others


def _item(path: Path, level: int | None, is_wrapped: bool) -> Item:
    """class/…/picture; part/class/…/picture; class/part/picture; or all of that in a folder more, which is no class."""
    folders = path.parts[1 if is_wrapped else 0 : -1]
    if level is None:
        return Item(str(path), shown(folders[0]) if folders else None)
    part = path.parts[level]
    label = next((name for name in folders if name != part), None)
    return Item(str(path), None if label is None else shown(label), part_of(part))


def _of_files(folder: Path, items: Iterable[Item], others: Mapping[str, int] = MappingProxyType({})) -> ImageSet:
    items = tuple(with_variants(folder, [*items]))
    check_levels(folder, [item.name for item in items])

    def load(index: int) -> Loaded:
        path = folder / items[index].name
        picture = read(path)
        return Loaded(eight_bits(picture, str(path)), picture.warnings)

    def identify(index: int) -> str:
        """Raises PictureError."""
        path = folder / items[index].name
        try:
            return file_sha256(path)
        except OSError as error:
            raise PictureError(f"{path}: cannot be read ({error.strerror}); check the file") from None

    return ImageSet(items, load, identify, dict(others))


def _csv(path: Path) -> ImageSet:
    text = io.StringIO(read_text(path, newline=""), newline="")
    first = text.readline()
    separator = max(",;\t", key=first.count)
    if first.lower().startswith("sep="):  # as Excel writes it
        separator = first[4:5]
    else:
        text.seek(0)
    reader = csv.DictReader(text, skipinitialspace=True, delimiter=separator)
    reader.fieldnames = [name.strip().lstrip("\ufeff").lower() for name in reader.fieldnames or ()]
    return _listed(path, ((reader.line_num, row) for row in reader))


def _jsonl(path: Path) -> ImageSet:
    lines = read_text(path).split("\n")  # splitlines would split at more than ends of lines
    rows = []
    for number, line in enumerate(lines, 1):
        try:
            row = json.loads(line) if line.strip() else None
        except (ValueError, RecursionError) as error:
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
        if not _is_a_name(str(row["image"])):
            raise UsageError(f"{path}: line {number} names an image by characters that no file has; mend or remove it")
        name = str(row["image"])
        if "\\" in name and not (path.parent / name).is_file():
            name = name.replace("\\", "/")  # as Windows writes paths
        part = row.get("split") or None
        if part is not None and part_of(str(part)) is None:
            raise UsageError(f"{path}: line {number}: split '{part}' is not known; use train, validation or test")
        label = row.get("label")
        label = None if label in (None, "") else str(label)
        group = row.get("group")
        group = None if group in (None, "") else str(group)
        items.append(Item(name, label, None if part is None else part_of(str(part)), group))
    if not items:
        raise UsageError(f"{path}: lists no pictures; add one line for each")
    unlabelled = sum(item.label is None for item in items)
    if 0 < unlabelled < len(items):
        raise UsageError(f"{path}: {unlabelled} of {len(items)} pictures have no label; label all of them or none")
    return _of_files(path.parent, items)


def _is_a_name(name: str) -> bool:
    try:
        return b"\0" not in os.fsencode(name)
    except UnicodeEncodeError:
        return False


def _arrays(path: Path) -> ImageSet:
    arrays = _read_arrays(path)
    prefixes: dict[str, Part | None] = {"": None, "train_": "train", "val_": "validation", "test_": "test"}
    images: list[NDArray[Any]] = []
    items: list[Item] = []
    for prefix, part in prefixes.items():
        if f"{prefix}images" not in arrays:
            continue
        images.append(_stack(arrays[f"{prefix}images"], f"{path}: {prefix}images"))
        labels = _words(arrays.get(f"{prefix}labels"), len(images[-1]), f"{path}: {prefix}labels")
        names = arrays.get(f"{prefix}names", arrays.get("names"))
        if names is not None and _are_of_classes(names, labels):
            of_class = _words(names, len(names), f"{path}: {prefix}names")
            labels, names = [of_class[int(str(label))] for label in labels], None
        named = (name or str(k) for k, name in enumerate(_words(names, len(labels), f"{path}: {prefix}names")))
        folder = f"{prefix.rstrip('_')}/" if prefix else ""
        items += [Item(f"{folder}{name}", label, part) for name, label in zip(named, labels, strict=True)]
    if not items:
        raise UsageError(f"{path}: holds no pictures (arrays: {', '.join(arrays) or 'none'}); name them 'images'")
    ends = np.cumsum([len(stack) for stack in images])

    def load(index: int) -> Loaded:
        which = int(np.searchsorted(ends, index, side="right"))
        return Loaded(_as_bytes(images[which][index - ends[which]]))

    return ImageSet(tuple(items), load, lambda index: content_hash(load(index).pixels))


def _read_arrays(path: Path) -> dict[str, NDArray[Any]]:
    """The plain arrays of an .npz. Raises UsageError."""
    try:
        with zipfile.ZipFile(path) as archive:  # refuses what is broken; numpy would leave the file open
            needed = unpacked_bytes(archive)
        if needed > memory_bytes():
            raise UsageError(
                f"{path}: its arrays need {needed / 1e9:.1f} GB, more than this machine has; split the file"
            )
        with path.open("rb") as raw, np.load(raw, allow_pickle=False) as file:
            return {name: array for name in file if isinstance(array := file[name], np.ndarray)}
    except (ValueError, EOFError, KeyError, RuntimeError, MemoryError, zipfile.BadZipFile, zlib.error) as error:
        why = " ".join(str(error).split()) or type(error).__name__
        raise UsageError(f"{path}: is no .npz of plain arrays ({why}); save it with numpy.savez") from None


def _stack(images: NDArray[Any], name: str) -> NDArray[Any]:
    """(N, H, W), (N, H, W, 1) or (N, H, W, 3) → (N, H, W, C). Raises UsageError."""
    shape = images.shape
    images = images[..., None] if images.ndim == 3 and shape[2] > 4 else images
    if images.ndim != 4 or images.shape[3] not in (1, 3) or 0 in shape[1:]:
        raise UsageError(f"{name} has shape {shape}; make it (N, H, W), (N, H, W, 1) or (N, H, W, 3)")
    if images.dtype not in (np.uint8, np.uint16) and images.dtype.kind != "f":
        raise UsageError(f"{name} is {images.dtype}; convert it to uint8, uint16, or float in [0, 1]")
    if images.dtype == np.uint16 and images.size:
        refuse_dark(int(images.max()), name)
    if images.dtype.kind == "f" and images.size:
        try:
            check_range(images, name)
        except PictureError as error:
            raise UsageError(str(error)) from None
    return images


def _words(values: NDArray[Any] | None, count: int, name: str) -> list[str | None]:
    """One word for each picture, or None for each if there are no `values`. Raises UsageError."""
    if values is None:
        return [None] * count
    flat = values[:, 0] if values.ndim == 2 and values.shape[1] == 1 else values
    if flat.ndim != 1 or flat.dtype.kind not in "biufSU":
        raise UsageError(f"{name} has shape {values.shape} of {values.dtype}; give one word or number for each picture")
    if len(flat) != count:
        raise UsageError(f"{name}: {len(flat)} for {count} pictures; make them equally many")
    return [word.decode("utf-8", "replace") if isinstance(word, bytes) else str(word) for word in flat.tolist()]


def _are_of_classes(names: NDArray[Any], labels: list[str | None]) -> bool:
    """Whether `names` can only be those of the classes that the labels number."""
    return (
        names.ndim == 1
        and len(names) != len(labels)
        and all(
            label is not None and label.isdecimal() and len(label) < 10 and int(label) < len(names) for label in labels
        )
    )


def _as_bytes(values: NDArray[Any]) -> Pixels:
    """(H, W, C) in any format that `_stack` lets through → uint8."""
    if values.dtype.kind == "f":
        return np.rint(255 * np.clip(values.astype(np.float32), 0, 1)).astype(np.uint8)
    eight: Pixels = convert(values, np.uint8)
    return eight
