"""Reading COCO's JSON as programs write it: what is odd in an object is dropped and counted, not the set refused."""

import json
import ntpath
import os
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    FiniteFloat,
    NonNegativeInt,
    PositiveInt,
    ValidationError,
    field_validator,
    model_validator,
)

from safelight.augmentation.sets.base import IMAGES
from safelight.errors import UsageError, shown
from safelight.settings import read_text

ROUNDING = 1.0
"""Px by which a box may leave its picture."""
MOST_RUNS, MOST_MASK_PX = 1_000_000, 100_000_000
Identifier = int | str
Box = tuple[FiniteFloat, FiniteFloat, FiniteFloat, FiniteFloat]


class _Entry(BaseModel):
    model_config = ConfigDict(extra="allow", frozen=True)


class Image(_Entry):
    """One picture."""

    id: Identifier
    file_name: str = Field(min_length=1)
    width: int = Field(gt=0)
    height: int = Field(gt=0)

    @field_validator("file_name")
    @classmethod
    def _with_slashes(cls, name: str) -> str:
        return name.replace("\\", "/")


class RunLengths(_Entry):
    """A mask by the lengths of its runs of 0 and 1, column by column, plain or compressed as pycocotools has them."""

    size: tuple[PositiveInt, PositiveInt]
    """Height, width."""
    counts: list[NonNegativeInt]

    @field_validator("counts", mode="before")
    @classmethod
    def _unpacked(cls, given: Any) -> Any:
        return unpacked(given) if isinstance(given, str) else given

    def polygons(self) -> list[list[float]]:
        """Outlines of its parts, without holes. Raises ValueError for lengths that do not fit."""
        if self.size[0] * self.size[1] > MOST_MASK_PX or sum(self.counts) != self.size[0] * self.size[1]:
            raise ValueError(f"run lengths add up to {sum(self.counts)}, not to {self.size[0]} x {self.size[1]}")
        values = np.repeat(np.arange(len(self.counts)) % 2, self.counts).astype(np.uint8)
        mask = values.reshape(self.size[::-1]).T
        wide = np.pad(np.ascontiguousarray(mask).repeat(2, 0).repeat(2, 1), 1)
        outlines, _ = cv2.findContours(wide, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE)
        # with a border of 1, pixel k has the places 2k + 1 and 2k + 2: its sides are at k and at k + 1
        return [(outline.reshape(-1, 2) // 2).ravel().tolist() for outline in outlines if len(outline) > 2]


class Annotation(_Entry):
    """One object."""

    image_id: Identifier
    category_id: int
    bbox: Box
    segmentation: list[list[FiniteFloat]] = []
    keypoints: list[FiniteFloat] = []

    @model_validator(mode="before")
    @classmethod
    def _whole(cls, given: Any) -> Any:
        """Outlines as polygons, none where there are none; a box around them where there is none."""
        if not isinstance(given, dict):
            return given
        outline = given.get("segmentation")
        if isinstance(outline, dict):
            outline = RunLengths.model_validate(outline).polygons()
        outline = [polygon for polygon in outline or [] if polygon]
        known = {key: value for key, value in given.items() if value is not None}
        if "segmentation" in given:
            known["segmentation"] = outline
        if known.get("bbox") in (None, []) and outline:
            x, y = (np.concatenate([np.array(polygon[k::2], float) for polygon in outline]) for k in (0, 1))
            known["bbox"] = [float(v) for v in (x.min(), y.min(), np.ptp(x), np.ptp(y))]
        return known


class Category(_Entry):
    """A kind of object."""

    id: int
    keypoints: list[str] = []


class Coco(_Entry):
    """The whole file, its objects not yet looked at."""

    images: list[Image] = Field(min_length=1)
    annotations: list[Any]
    categories: list[Category]


def read_coco(path: Path) -> Coco:
    """Raises UsageError for what is no COCO."""
    try:
        return Coco.model_validate(json.loads(read_text(path)))
    except ValidationError as error:
        first = error.errors()[-1]
        where = ".".join(map(str, first["loc"])) or "the whole"
        raise UsageError(f"{path}: is no COCO file: {where}: {first['msg']}; mend it") from None
    except (ValueError, RecursionError) as error:
        raise UsageError(f"{path}: is no JSON ({' '.join(str(error).split())}); mend it") from None
    except OSError as error:
        raise UsageError(f"{path}: cannot be read ({error.strerror}); check the file") from None


def placed(path: Path, images: Sequence[Image]) -> tuple[Path, list[Image]]:
    """The folder of the pictures, and the images with names below it: absolute ones and `..` lead elsewhere.

    Raises UsageError for names on several drives.
    """
    names = [image.file_name for image in images]
    if any(ntpath.isabs(name) or ".." in name.split("/") for name in names):
        whole = [name if ntpath.isabs(name) else os.path.normpath(path.parent.absolute() / name) for name in names]
        try:
            common = os.path.commonpath([str(Path(name).parent) for name in whole])
        except ValueError:
            raise UsageError(f"{path}: its pictures lie on several drives; name them below one folder") from None
        images = [
            image.model_copy(update={"file_name": os.path.relpath(name, common)})
            for image, name in zip(images, whole, strict=True)
        ]
        if Path(whole[0]).is_file():
            return Path(common), images
    return _folder_of_pictures(path, images[0].file_name), list(images)


def _folder_of_pictures(path: Path, first: str) -> Path:
    """Where most programs put the pictures: beside the file, in images/, above, or in a folder named after it."""
    name = path.stem.rsplit("_", 1)[-1]
    above = path.parent.parent
    candidates = [path.parent, path.parent / IMAGES, path.parent / name, above, above / IMAGES, above / name]
    candidates += [above / IMAGES / name, path.parent / "data", above / "data"]
    return next((folder for folder in candidates if (folder / first).is_file()), path.parent)


class Objects:
    """Objects that are right, by picture; and how many were not, by the reason."""

    def __init__(self, known: Coco) -> None:
        self.sizes = {image.id: (image.width, image.height) for image in known.images}
        self.keypoints = {category.id: category.keypoints for category in known.categories}
        self.right: list[Annotation] = []
        self.first = ""
        self.wrong: Counter[str] = Counter()
        for number, given in enumerate(known.annotations):
            try:
                self._check_mask(given)
                self.right.append(self._checked(Annotation.model_validate(given)))
            except ValidationError as error:
                first = error.errors()[0]
                where = "".join(f"{part}: " for part in first["loc"])
                self._drop(given, number, where + first["msg"].removeprefix("Value error, "))
            except ValueError as error:
                self._drop(given, number, str(error))

    def _drop(self, given: Any, number: int, reason: str) -> None:
        self.wrong[reason] += 1
        self.first = self.first or f"annotation {given.get('id', number) if isinstance(given, dict) else number}"

    def _check_mask(self, given: Any) -> None:
        """Raises ValueError for run lengths of another size than the picture's."""
        outline = given.get("segmentation") if isinstance(given, dict) else None
        told = outline.get("size") if isinstance(outline, dict) else None
        number = given.get("image_id") if isinstance(given, dict) else None
        size = self.sizes.get(number) if isinstance(number, Identifier) else None
        if size is not None and isinstance(told, list) and len(told) == 2 and told != [size[1], size[0]]:
            raise ValueError(f"its run lengths are of a picture of {told[1]}x{told[0]}")

    def _checked(self, found: Annotation) -> Annotation:
        """The object, its box within its picture. Raises ValueError."""
        if found.image_id not in self.sizes:
            raise ValueError("of an image that is not listed")
        if found.category_id not in self.keypoints:
            raise ValueError("of a category that is not listed")
        if any(len(polygon) < 6 or len(polygon) % 2 for polygon in found.segmentation):
            raise ValueError("has a polygon of fewer than three points, or half a point")
        expected = 3 * len(self.keypoints[found.category_id]) or len(found.keypoints)
        if found.keypoints and (len(found.keypoints) != expected or len(found.keypoints) % 3):
            raise ValueError("has keypoints that are no x, y, v for each of its category's")
        (x, y, width, height), (across, down) = found.bbox, self.sizes[found.image_id]
        inside = max(0.0, min(x + width, across) - max(x, 0.0)) * max(0.0, min(y + height, down) - max(y, 0.0))
        if width <= 0 or height <= 0:
            raise ValueError("its box is empty")
        if inside < 0.5 * width * height:
            raise ValueError("most of its box is outside the picture")
        return found

    def remark(self, path: Path) -> str | None:
        """What was dropped, and why."""
        if not self.wrong:
            return None
        reasons = "; ".join(f"{count} x {reason}" for reason, count in self.wrong.most_common())
        return f"{shown(path)}: {sum(self.wrong.values())} objects were left out ({self.first} first): {reasons}"


def unpacked(text: str) -> list[int]:
    """Compressed run lengths: numbers in base 32, each from the third on as a difference to the one before the last.

    As `rleFrString` of pycocotools. Raises ValueError for a text that ends within a number.
    """
    counts: list[int] = []
    value = digit = 0
    for letter in text.encode("ascii", "replace"):
        part = letter - 48
        value |= (part & 31) << 5 * digit
        digit += 1
        if part & 32:
            continue
        if part & 16:
            value |= -1 << 5 * digit
        counts.append(value + (counts[-2] if len(counts) > 2 else 0))
        value = digit = 0
        if len(counts) > MOST_RUNS:
            raise ValueError("has too many runs")
    if digit:
        raise ValueError("its run lengths are cut off")
    return counts
