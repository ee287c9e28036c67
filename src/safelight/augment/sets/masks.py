"""Segmentation: images/… and masks/… with the same names."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from safelight.augment.chain import Sample
from safelight.augment.sets.base import Line, Original, load_picture, variant_name
from safelight.errors import UsageError, shown
from safelight.picture import READABLE, Picture, read, upright_size, write
from safelight.picture.picture import Metadata

IMAGES, MASKS = "images", "masks"


@dataclass(frozen=True)
class MaskSet:
    """Pairs of files; masks are moved by the nearest pixel, so that no class is invented."""

    folder: Path
    pairs: tuple[tuple[str, str], ...]
    """Paths of picture and mask below the folder."""
    labelled: bool = False

    @staticmethod
    def of(folder: Path) -> "MaskSet":
        """Raises UsageError for a picture without a mask, or a mask without a picture."""
        pictures, masks = (_files(folder / name) for name in (IMAGES, MASKS))
        for some, others, what in ((pictures, masks, "mask"), (masks, pictures, "picture")):
            alone = sorted(some.keys() - others.keys())
            if alone:
                raise UsageError(
                    f"{shown(folder / some[alone[0]])}: has no {what} ({len(alone)} have none); add or remove it"
                )
        if not pictures:
            raise UsageError(f"{folder}: holds no pictures in {IMAGES}/; add some")
        return MaskSet(folder, tuple((str(pictures[stem]), str(masks[stem])) for stem in sorted(pictures)))

    @property
    def names(self) -> Sequence[str]:
        return [picture for picture, _ in self.pairs]

    def label(self, number: int) -> str | None:
        return None

    def check(self) -> None:
        for name, name_of_mask in self.pairs:
            picture, mask = (upright_size(self.folder / each) for each in (name, name_of_mask))
            if picture != mask:
                sizes = f"{mask[0]}x{mask[1]}, its picture {picture[0]}x{picture[1]}"
                raise UsageError(f"{shown(self.folder / name_of_mask)}: is {sizes}; make them equally large")

    def load(self, number: int) -> tuple[Sample, Metadata]:
        picture, metadata = load_picture(self.folder / self.pairs[number][0])
        return Sample(picture.pixels, None, read(self.folder / self.pairs[number][1]).pixels), metadata

    def output(self, number: int, copy: int, suffix: str) -> str:
        return variant_name(self.pairs[number][0], copy, suffix)

    def originals(self) -> Sequence[Original]:
        return [
            Original(self.folder / name, name, k if name == pair[0] else -1)
            for k, pair in enumerate(self.pairs)
            for name in pair
        ]

    def beside(self, folder: Path, number: int, output: str, sample: Sample) -> None:
        assert sample.mask is not None
        target = folder / Path(MASKS, *Path(output).parts[1:]).with_suffix(".png")
        target.parent.mkdir(parents=True, exist_ok=True)
        write(Picture(sample.mask), target)

    def finish(self, folder: Path, lines: Sequence[Line]) -> None:
        """Files with equal names say all themselves."""


def _files(folder: Path) -> dict[Path, Path]:
    """Path without suffix, below `folder` → path below the set."""
    found = (path for path in folder.rglob("*") if path.suffix.lower() in READABLE and not path.name.startswith("."))
    return {p.relative_to(folder).with_suffix(""): p.relative_to(folder.parent) for p in sorted(found)}
