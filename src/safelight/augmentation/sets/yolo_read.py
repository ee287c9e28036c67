"""Reading YOLO's files as programs write them: data.yaml, and label files with a line for each object.

class x y width height        a box, by its centre
class x1 y1 x2 y2 x3 y3 …     a polygon
"""

import math
import ntpath
import re
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import yaml

from safelight.augmentation.sets.base import IMAGES
from safelight.augmentation.shapes import Shape
from safelight.errors import UsageError, shown
from safelight.settings import read_text

CONFIGS = (".yaml", ".yml")
_LISTED_PARTS = re.compile(r"^(?:train|val|test):[^\n]*?([^\s/'\"\[,]+\.txt)", re.MULTILINE)
_MOST_CONFIG_BYTES = 1_000_000
ROUNDING = 1e-3
"""Share of the side by which written numbers may leave the picture."""


def check_config(path: Path, is_main: bool) -> None:
    """Raises UsageError for keypoints, and for parts that are lists of pictures."""
    if path.suffix not in CONFIGS:
        return
    text = read_text(path, errors="replace")
    if "kpt_shape" in text:
        raise UsageError(f"{path}: keypoints are read from COCO only; convert the set to COCO")
    if is_main and (lists := _LISTED_PARTS.findall(text)):
        raise UsageError(f"{path}: its part '{lists[0]}' is a list of pictures; give folders of {IMAGES}/ instead")


def count_classes(path: Path) -> int | None:
    """How many classes a data.yaml names; None if it names none, or is no YAML."""
    if path.stat().st_size > _MOST_CONFIG_BYTES:
        return None
    try:
        config = yaml.safe_load(read_text(path, errors="replace"))
    except (yaml.YAMLError, ValueError, RecursionError):
        return None
    names = config.get("names") if isinstance(config, dict) else None
    if isinstance(names, dict):
        numbers = [int(key) for key in names if str(key).isdecimal()]
        return max(numbers) + 1 if numbers else None
    return len(names) if isinstance(names, list) and names else None


def with_own_path(text: str) -> str:
    """A data.yaml that leads nowhere else: with `path: .`, and parts as folders below it."""
    try:
        config = yaml.safe_load(text)
    except (yaml.YAMLError, ValueError, RecursionError):
        return text
    if not isinstance(config, dict):
        return text
    parts = {part: _below(config[part]) for part in ("train", "val", "test") if part in config}
    adapted = config | ({"path": "."} if "path" in config else {}) | parts
    return text if adapted == config else str(yaml.safe_dump(adapted, sort_keys=False, allow_unicode=True))


def _below(place: object) -> object:
    """A whole path of pictures as one below the set: from its folder of images on."""
    if isinstance(place, list):
        return [_below(one) for one in place]
    if not isinstance(place, str) or not ntpath.isabs(place):
        return place
    names = place.replace("\\", "/").split("/")
    at = next((k for k, name in enumerate(names) if name.lower() == IMAGES), None)
    return place if at is None else "/".join(names[at:])


def read_objects(
    path: Path, size: tuple[int, int], classes: int | None
) -> Iterator[tuple[tuple[str, Shape] | None, str | None]]:
    """Every object of a label file, or what is wrong with it; none if there is no file."""
    if not path.is_file():
        return
    for k, row in enumerate(read_text(path, errors="replace").splitlines(), 1):
        if row.strip():
            try:
                yield _object(row, size, where=f"{shown(path)}: line {k}", classes=classes), None
            except UsageError as error:
                yield None, str(error)


def _object(row: str, size: tuple[int, int], where: str, classes: int | None) -> tuple[str, Shape]:
    """Raises UsageError."""
    name, *words = row.split()
    try:
        numbers = np.array([float(word) for word in words])
    except ValueError:
        numbers = np.array([math.nan])
    if not name.isdecimal() or len(numbers) < 4 or len(numbers) % 2 or not np.isfinite(numbers).all():
        raise UsageError(
            f"{where}: '{row.strip()[:60]}' is no object; write: class x y width height, or class x1 y1 x2 y2 ..."
        )
    if classes is not None and int(name) >= classes:
        raise UsageError(f"{where}: class {name} has no name in data.yaml, which names {classes}; add its name")
    if len(numbers) == 4:
        x, y, w, h = numbers
        corners = np.array([[x - w / 2, y - h / 2], [x + w / 2, y + h / 2]])
    else:
        points = numbers.reshape(-1, 2)
        corners = np.array([points.min(axis=0), points.max(axis=0)])
    if corners.min() < -ROUNDING or corners.max() > 1 + ROUNDING or (corners[1] <= corners[0]).any():
        raise UsageError(
            f"{where}: the object is empty or reaches outside the picture ({corners.round(4).tolist()}); mend it"
        )
    x1, y1, x2, y2 = (corners.clip(0, 1) * size).ravel().tolist()
    polygons = () if len(numbers) == 4 else (numbers.reshape(-1, 2).clip(0, 1) * size,)
    return name, Shape((x1, y1, x2, y2), polygons)
