"""YOLO's layout: …/images/a.jpg and …/labels/a.txt, a line for each object in shares of the picture's size.

class x y width height        a box, by its centre
class x1 y1 x2 y2 x3 y3 …     a polygon
"""

import math
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from safelight.augmentation.chain import Sample
from safelight.augmentation.sets.base import (
    IMAGES,
    Original,
    Role,
    SetPicture,
    WrittenPicture,
    beside_images,
    files_below,
    is_augmented,
    is_in,
    load_picture,
    variant_name,
)  # fmt: skip
from safelight.augmentation.shapes import Shape
from safelight.errors import UsageError, shown
from safelight.picture import READABLE
from safelight.work import write_whole

LABELS, CLASSES = "labels", "classes.txt"
CONFIGS = (".yaml", ".yml")
_PATH = re.compile(r"^path:[^\n]*$", re.MULTILINE)
_LISTED_PARTS = re.compile(r"^(?:train|val|test):[^\n]*?([^\s/'\"\[,]+\.txt)", re.MULTILINE)
ROUNDING = 1e-3
"""Share of the side by which written numbers may leave the picture."""


@dataclass(frozen=True)
class YoloSet:
    """Pictures and their label files; those of validation and test go along unchanged, as does data.yaml.

    A picture without a label file has no objects.
    """

    folder: Path
    pictures: tuple[str, ...]
    rest: tuple[str, ...]
    """Everything else that is copied."""
    remarks: tuple[str, ...] = ()
    images: None = None

    @staticmethod
    def of(folder: Path, strict: bool = False) -> "YoloSet":
        """Raises UsageError for a set without pictures; if `strict` for an odd object or labels of no picture, too."""
        files = files_below(folder)
        pictures = [p for p in files if p.suffix.lower() in READABLE and is_in(p, IMAGES)]
        labels = {label_file(p) for p in pictures}
        texts = {p for p in files if p.suffix.lower() == ".txt" and is_in(p, LABELS) and p.name != CLASSES}
        for config in files:
            _check_config(folder / config, is_main=_is_config(str(config)))
        capitals = [p for p in files if p.suffix.lower() == ".txt" != p.suffix and is_in(p, LABELS)]
        if capitals:
            raise UsageError(f"{folder / capitals[0]}: label files end in .txt; rename {len(capitals)} of them")
        training = [p for p in pictures if is_augmented(p)]
        if not training:
            raise UsageError(f"{folder}: has no pictures to train on; put some into {IMAGES}/ or {IMAGES}/train/")
        remarks = [*_of_no_picture(folder, sorted(texts - labels), strict), *_odd(folder, training, strict)]
        bare = [p for p in training if not (folder / label_file(p)).is_file()]
        if bare:
            remarks.append(f"{len(bare)} pictures have no label file ({shown(bare[0])} first): they have no objects")
        own = {*training, *(label_file(p) for p in training), *(texts - labels)}
        return YoloSet(folder, tuple(map(str, training)), tuple(str(p) for p in files if p not in own), tuple(remarks))

    @property
    def names(self) -> Sequence[str]:
        return self.pictures

    def label(self, number: int) -> str | None:
        return None

    def check(self) -> None:
        """All label files were read when the set was opened."""

    def load(self, number: int) -> SetPicture:
        picture = load_picture(self.folder / self.pictures[number])
        objects = self._objects(number, picture.size)
        return SetPicture.of(picture, Sample(picture.pixels, shapes=tuple(shape for _, shape in objects)))

    def variant_output(self, number: int, copy: int, suffix: str) -> str:
        return variant_name(self.pictures[number], copy, suffix)

    def originals(self) -> Sequence[Original]:
        pictures = [Original(name, self.folder / name, "training", name) for name in self.pictures]
        labels = [str(label_file(Path(name))) for name in self.pictures]
        return [
            *pictures,
            *(Original(name, self.folder / name, "beside") for name in labels if (self.folder / name).is_file()),
            *(Original(name, self.folder / name, _role(Path(name))) for name in self.rest if not _is_config(name)),
        ]

    def write_beside(self, folder: Path, number: int, output: str, sample: Sample) -> list[Path]:
        """The variant's label file."""
        height, width = sample.image.shape[:2]
        classes = [name for name, _ in self._objects(number, (width, height))]
        lines = []
        for name, shape in zip(classes, sample.shapes, strict=True):
            if shape is None:
                continue
            x1, y1, x2, y2 = shape.box
            numbers = [(x1 + x2) / 2 / width, (y1 + y2) / 2 / height, (x2 - x1) / width, (y2 - y1) / height]
            if shape.polygons:
                numbers = (np.concatenate(shape.polygons) / (width, height)).ravel().tolist()
            lines.append(" ".join([name, *(f"{min(max(v, 0.0), 1.0):.6f}" for v in numbers)]) + "\n")
        target = folder / label_file(Path(output))
        write_whole(target, "".join(lines))
        return [target]

    def finish(self, folder: Path, written: Sequence[WrittenPicture]) -> None:
        """data.yaml, whose path is that of the enlarged set."""
        for name in filter(_is_config, self.rest):
            text = (self.folder / name).read_text(encoding="utf-8-sig", errors="surrogateescape")
            adapted = _PATH.sub("path: .", text)
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            write_whole(folder / name, adapted.encode("utf-8", "surrogateescape"))

    def _objects(self, number: int, size: tuple[int, int]) -> list[tuple[str, Shape]]:
        return [found for found, _ in _objects(self.folder / label_file(Path(self.pictures[number])), size) if found]


def _check_config(path: Path, is_main: bool) -> None:
    """Raises UsageError for keypoints, and for parts that are lists of pictures."""
    if path.suffix not in CONFIGS:
        return
    text = path.read_text("utf-8", "replace")
    if "kpt_shape" in text:
        raise UsageError(f"{path}: keypoints are read from COCO only; convert the set to COCO")
    if is_main and (lists := _LISTED_PARTS.findall(text)):
        raise UsageError(f"{path}: its part '{lists[0]}' is a list of pictures; give folders of {IMAGES}/ instead")


def _is_config(name: str) -> bool:
    return Path(name).suffix in CONFIGS and len(Path(name).parts) == 1


def _of_no_picture(folder: Path, texts: Sequence[Path], strict: bool) -> list[str]:
    """Raises UsageError if `strict` and there is one."""
    if not texts:
        return []
    words = f"{len(texts)} label files have no picture ({shown(folder / texts[0])} first)"
    if strict:
        raise UsageError(f"{words}; add or remove them")
    return [f"{words}: they were left out"]


def _odd(folder: Path, pictures: Sequence[Path], strict: bool) -> list[str]:
    """Raises UsageError if `strict` and an object is odd."""
    problems = [problem for p in pictures for _, problem in _objects(folder / label_file(p), (1, 1)) if problem]
    if problems and strict:
        raise UsageError(problems[0])
    return [f"{len(problems)} objects were left out, first: {problems[0]}"] if problems else []


def _objects(path: Path, size: tuple[int, int]) -> Iterator[tuple[tuple[str, Shape] | None, str | None]]:
    """Every object of a label file, or what is wrong with it; none if there is no file."""
    if not path.is_file():
        return
    for k, row in enumerate(path.read_text(encoding="utf-8-sig", errors="replace").splitlines(), 1):
        if row.strip():
            try:
                yield _object(row, size, f"{shown(path)}: line {k}"), None
            except UsageError as error:
                yield None, str(error)


def _role(path: Path) -> Role:
    """Of a file that belongs to no picture that is augmented."""
    return "other part" if path.suffix.lower() in READABLE and is_in(path, IMAGES) else "beside"


def label_file(picture: Path) -> Path:
    """…/images/a.jpg → …/labels/a.txt."""
    return beside_images(picture, LABELS).with_suffix(".txt")


def _object(row: str, size: tuple[int, int], where: str) -> tuple[str, Shape]:
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
