"""YOLO's layout: …/images/a.jpg and …/labels/a.txt, a line for each object in shares of the picture's size."""

import re
from collections.abc import Sequence
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
from safelight.augmentation.sets.yolo_read import CONFIGS, check_config, count_classes, read_objects, with_own_path
from safelight.augmentation.shapes import Shape
from safelight.errors import UsageError, shown
from safelight.picture import NOT_READ, READABLE
from safelight.settings import read_text
from safelight.work import write_whole

LABELS, CLASSES = "labels", "classes.txt"
_PATH = re.compile(r"^path:[^\n]*$", re.MULTILINE)


@dataclass(frozen=True)
class YoloSet:
    """Pictures and their label files; those of validation and test go along unchanged, as does data.yaml.

    A picture without a label file has no objects.
    """

    folder: Path
    pictures: tuple[str, ...]
    rest: tuple[str, ...]
    """Everything else that is copied."""
    classes: int | None = None
    """How many data.yaml names."""
    remarks: tuple[str, ...] = ()
    images: None = None

    @staticmethod
    def of(folder: Path, strict: bool = False) -> "YoloSet":
        """Raises UsageError for a set without pictures; if `strict` for an odd object or labels of no picture, too."""
        files = files_below(folder)
        pictures = [p for p in files if p.suffix.lower() in READABLE and is_in(p, IMAGES)]
        by_label: dict[Path, Path] = {}
        for p in pictures:
            if (other := by_label.setdefault(label_file(p), p)) != p:
                raise UsageError(f"{shown(folder / other)} and {shown(p.name)} have one label file; rename one of them")
        labels = set(by_label)
        texts = {p for p in files if p.suffix.lower() == ".txt" and is_in(p, LABELS) and p.name != CLASSES}
        for config in files:
            check_config(folder / config, is_main=_is_config(str(config)))
        classes = next((n for c in files if _is_config(str(c)) and (n := count_classes(folder / c))), None)
        capitals = [p for p in files if p.suffix.lower() == ".txt" != p.suffix and is_in(p, LABELS)]
        if capitals:
            raise UsageError(f"{folder / capitals[0]}: label files end in .txt; rename {len(capitals)} of them")
        training = [p for p in pictures if is_augmented(p)]
        others = [p for p in files if p.suffix.lower() in NOT_READ and is_in(p, IMAGES)]
        if not training:
            kinds = f", but {len(others)} {others[0].suffix}; convert them to PNG" if others else "; put some there"
            raise UsageError(f"{folder}: has no pictures that are read in {IMAGES}/ or {IMAGES}/train/{kinds}")
        texts -= (of_others := {label_file(p) for p in others})
        remarks = [*_of_no_picture(folder, sorted(texts - labels), strict), *_odd(folder, training, classes, strict)]
        bare = [p for p in training if not (folder / label_file(p)).is_file()]
        if others:
            remarks.append(f"{len(others)} pictures of kinds that are not read ({shown(others[0])} first) stay out")
        if bare:
            remarks.append(f"{len(bare)} pictures have no label file ({shown(bare[0])} first): they have no objects")
        own = {*training, *(label_file(p) for p in training), *(texts - labels), *others, *of_others}
        rest = tuple(str(p) for p in files if p not in own)
        return YoloSet(folder, tuple(map(str, training)), rest, classes=classes, remarks=tuple(remarks))

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
        labels = {str(label_file(Path(name))): name for name in self.pictures}
        return [
            *pictures,
            *(
                Original(name, self.folder / name, "beside", of=picture)
                for name, picture in labels.items()
                if (self.folder / name).is_file()
            ),
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
            text = read_text(self.folder / name, errors="surrogateescape")
            adapted = with_own_path(_PATH.sub("path: .", text))
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            write_whole(folder / name, adapted.encode("utf-8", "surrogateescape"))

    def _objects(self, number: int, size: tuple[int, int]) -> list[tuple[str, Shape]]:
        path = self.folder / label_file(Path(self.pictures[number]))
        return [found for found, _ in read_objects(path, size, self.classes) if found]


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


def _odd(folder: Path, pictures: Sequence[Path], classes: int | None, strict: bool) -> list[str]:
    """Raises UsageError if `strict` and an object is odd."""
    found = (one for p in pictures for one in read_objects(folder / label_file(p), (1, 1), classes))
    problems = [problem for _, problem in found if problem]
    if problems and strict:
        raise UsageError(problems[0])
    return [f"{len(problems)} objects were left out, first: {problems[0]}"] if problems else []


def _role(path: Path) -> Role:
    """Of a file that belongs to no picture that is augmented."""
    return "other part" if path.suffix.lower() in READABLE and is_in(path, IMAGES) else "beside"


def label_file(picture: Path) -> Path:
    """…/images/a.jpg → …/labels/a.txt."""
    return beside_images(picture, LABELS).with_suffix(".txt")
