"""Segmentation: …/images/a.jpg and …/masks/a.png."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from safelight.augment.chain import Sample
from safelight.augment.sets.base import (
    IMAGES,
    OTHER_PARTS,
    Line,
    Original,
    beside_images,
    files_below,
    load_picture,
    size_or_none,
    variant_name,
)  # fmt: skip
from safelight.errors import UsageError, shown
from safelight.picture import READABLE, Picture, keeps_numbers, read, write
from safelight.picture.picture import Metadata

MASKS = "masks"


@dataclass(frozen=True)
class MaskSet:
    """Pairs of files; masks are moved by the nearest pixel, so that no class is invented. Other parts go along."""

    folder: Path
    pairs: tuple[tuple[str, str], ...]
    """Paths of picture and mask below the folder."""
    rest: tuple[str, ...]
    labelled: bool = False

    @staticmethod
    def of(folder: Path) -> "MaskSet":
        """Raises UsageError for a picture without a mask, or a mask without a picture."""
        files = [path for path in files_below(folder) if path.suffix.lower() in READABLE]
        pictures = [path for path in files if IMAGES in path.parts[:-1]]
        masks = {path.with_suffix(""): path for path in files if MASKS in path.parts[:-1]}
        pairs: dict[Path, tuple[str, str]] = {}
        for picture in pictures:
            place = beside_images(picture, MASKS).with_suffix("")
            if place not in masks or place in pairs:
                what = "has no mask" if place not in masks else f"has a namesake, {pairs[place][0]}, with the same mask"
                raise UsageError(f"{shown(folder / picture)}: {what}; add, rename or remove it")
            pairs[place] = (str(picture), str(masks[place]))
        alone = sorted(masks.keys() - pairs.keys())
        if alone:
            raise UsageError(f"{shown(folder / masks[alone[0]])}: has no picture; add or remove it")
        own = [pair for pair in pairs.values() if not OTHER_PARTS & {p.lower() for p in Path(pair[0]).parts}]
        if not own:
            raise UsageError(f"{folder}: holds no pictures to train on in {IMAGES}/; add some")
        return MaskSet(folder, tuple(own), tuple(name for pair in pairs.values() if pair not in own for name in pair))

    @property
    def names(self) -> Sequence[str]:
        return [picture for picture, _ in self.pairs]

    def label(self, number: int) -> str | None:
        return None

    def check(self) -> None:
        for name, name_of_mask in self.pairs:
            path = self.folder / name_of_mask
            picture, mask = size_or_none(self.folder / name), size_or_none(path)
            if mask is None:
                raise UsageError(f"{shown(path)}: cannot be read; replace or remove it and its picture")
            if picture is not None and picture != mask:
                sizes = f"{mask[0]}x{mask[1]}, its picture {picture[0]}x{picture[1]}"
                raise UsageError(f"{shown(path)}: is {sizes}; make them equally large")
            if not keeps_numbers(path):
                raise UsageError(f"{shown(path)}: has a palette, 1 bit or float; save class numbers in 8 or 16 bits")

    def load(self, number: int) -> tuple[Sample, Metadata]:
        picture, metadata = load_picture(self.folder / self.pairs[number][0])
        return Sample(picture.pixels, None, read(self.folder / self.pairs[number][1]).pixels), metadata

    def output(self, number: int, copy: int, suffix: str) -> str:
        return variant_name(self.pairs[number][0], copy, suffix)

    def originals(self) -> Sequence[Original]:
        found = [
            Original(self.folder / name, name, k if name == pair[0] else -1)
            for k, pair in enumerate(self.pairs)
            for name in pair
        ]
        return [*found, *(Original(self.folder / name, name, -1) for name in self.rest)]

    def beside(self, folder: Path, number: int, output: str, sample: Sample) -> None:
        assert sample.mask is not None
        target = folder / beside_images(Path(output), MASKS).with_suffix(".png")
        target.parent.mkdir(parents=True, exist_ok=True)
        write(Picture(sample.mask), target)

    def finish(self, folder: Path, lines: Sequence[Line]) -> None:
        """Files with equal names say all themselves."""
