"""One label for each picture: class folders, arrays, and lists in CSV or JSON lines."""

import csv
import io
import json
import os
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path

from safelight.augmentation.chain import Sample
from safelight.augmentation.sets.base import Original, SetPicture, WrittenPicture, load_picture, variant_name
from safelight.dataset import ImageSet
from safelight.errors import UsageError, shown
from safelight.picture import Picture
from safelight.picture.picture import Metadata
from safelight.work import write_whole


@dataclass(frozen=True)
class ClassSet:
    """Pictures that train are augmented; those of other parts go along unchanged."""

    images: ImageSet
    folder: Path | None
    """Where the files lie; None for arrays."""
    listed: bool
    """Whether labels are written as a list, instead of as folders."""
    remarks: tuple[str, ...] = ()

    @staticmethod
    def of(images: ImageSet, folder: Path | None, listed: bool, source: Path) -> "ClassSet":
        """Raises UsageError for pictures without labels, and for labels that cannot be the names of folders."""
        bare = [item.name for item in images.items if item.label is None]
        if bare:
            raise UsageError(
                f"{source}: {bare[0]} has no label ({len(bare)} have none); put pictures into class folders"
            )
        strange = [label for label in images.classes if not _is_a_folder(label)]
        if folder is None and not listed and strange:
            raise UsageError(f"{source}: class '{shown(strange[0])}' cannot be a folder; rename it, or use a list")
        others = images.others_in_words
        remarks = [f"{shown(source)}: {others}: files that are not read stay out"] if others else []
        return ClassSet(images, folder, listed, tuple(remarks))

    @cached_property
    def _base(self) -> str:
        """The folder above all pictures of a list."""
        return os.path.commonpath([path.resolve().parent for path in self._files])

    @property
    def _files(self) -> list[Path]:
        """Of all pictures; none for arrays."""
        return [] if self.folder is None else [self.folder / item.name for item in self.images.items]

    @cached_property
    def _training(self) -> list[int]:
        """Positions of the pictures that are augmented."""
        return [k for k, item in enumerate(self.images.items) if item.part in (None, "train")]

    @cached_property
    def _is_training(self) -> frozenset[int]:
        return frozenset(self._training)

    @cached_property
    def names(self) -> Sequence[str]:
        return [self.images.items[k].name for k in self._training]

    @cached_property
    def _has_parts(self) -> bool:
        return any(item.part is not None for item in self.images.items)

    def label(self, number: int) -> str | None:
        return self.images.items[self._training[number]].label

    def check(self) -> None:
        """Raises UsageError: lists may name what is not there, and libvips writes no name that is not UTF-8."""
        for path in self._files:
            if self.listed and not path.is_file():
                raise UsageError(f"{shown(path)}: is listed and not there; add it, or remove its line")
            if shown(path) != str(path):
                raise UsageError(f"{shown(path)}: its name is no UTF-8; rename it")

    def load(self, number: int) -> SetPicture:
        position = self._training[number]
        item = self.images.items[position]
        if self.folder is None:
            return SetPicture(Sample(self.images.load(position).pixels, item.label), Metadata())
        picture = load_picture(self.folder / item.name)
        return SetPicture.of(picture, Sample(picture.pixels, item.label))

    def variant_output(self, number: int, copy: int, suffix: str) -> str:
        return variant_name(self._place(self._training[number]), copy, suffix)

    def originals(self) -> Sequence[Original]:
        return [self._original(position) for position in range(len(self.images.items))]

    def _original(self, position: int) -> Original:
        item, is_augmented = self.images.items[position], position in self._is_training
        content = partial(self._array, position) if self.folder is None else self.folder / item.name
        return Original(
            self._place(position),
            content,
            role="training" if is_augmented else "other part",
            source=item.name if is_augmented else None,
            label=item.label,
        )

    def _array(self, position: int) -> Picture:
        """A picture of an array."""
        return Picture(self.images.load(position).pixels)

    def write_beside(self, folder: Path, number: int, output: str, sample: Sample) -> list[Path]:
        """Nothing lies beside a picture with one label."""
        return []

    def finish(self, folder: Path, written: Sequence[WrittenPicture]) -> None:
        """labels.csv or, where labels are soft, labels.jsonl; class folders say all themselves."""
        if not self.listed:
            return
        part = {self._place(k): item.part or "train" for k, item in enumerate(self.images.items)}
        rows = [(picture, part.get(picture.output, "train")) for picture in written]
        if any(picture.soft_label for picture, _ in rows):
            soft = [
                {
                    "image": picture.output,
                    "label": picture.label,
                    "split": of,
                    "soft_label": picture.soft_label or {str(picture.label): 1.0},
                }
                for picture, of in rows
            ]
            write_whole(folder / "labels.jsonl", "".join(json.dumps(row) + "\n" for row in soft))
            return
        text = io.StringIO()
        writer = csv.writer(text, lineterminator="\n")
        writer.writerow(["image", "label", "split"])
        writer.writerows([picture.output, picture.label, of] for picture, of in rows)
        write_whole(folder / "labels.csv", text.getvalue())

    def _place(self, position: int) -> str:
        """Of an original, below the output folder."""
        item = self.images.items[position]
        if self.folder is not None:
            name = Path(item.name)
            if not self.listed:
                return str(name)
            return str(Path("images", os.path.relpath((self.folder / name).resolve(), self._base)))
        top = [item.part or "train"] if self._has_parts else []
        folders = ["images"] if self.listed else [*top, str(item.label)]
        return str(Path(*folders, f"{Path(item.name).name}.png"))


def _is_a_folder(label: str) -> bool:
    return bool(label) and not label.startswith(".") and not set("/\\\0") & set(label) and shown(label) == label
