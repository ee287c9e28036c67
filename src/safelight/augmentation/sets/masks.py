"""Segmentation: …/images/a.jpg and …/masks/a.png."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from safelight.augmentation.chain import Sample
from safelight.augmentation.sets.base import (
    IMAGES,
    Original,
    SetPicture,
    WrittenPicture,
    beside_images,
    files_below,
    is_augmented,
    is_in,
    load_picture,
    size_or_none,
    variant_name,
)  # fmt: skip
from safelight.errors import UsageError, shown
from safelight.picture import NOT_READ, READABLE, Picture, keeps_numbers, read, write

MASKS = "masks"


@dataclass(frozen=True)
class MaskSet:
    """Pairs of files; masks are moved by the nearest pixel, so that no class is invented. Other parts go along."""

    folder: Path
    pairs: tuple[tuple[str, str], ...]
    """Paths of picture and mask below the folder."""
    other_pairs: tuple[tuple[str, str], ...]
    """Of other parts."""
    images: None = None
    remarks: tuple[str, ...] = ()

    @staticmethod
    def of(folder: Path) -> "MaskSet":
        """Raises UsageError for a picture without a mask, or a mask without a picture."""
        files = files_below(folder)
        other_files = {path for path in files if path.suffix.lower() in NOT_READ}
        files = [path for path in files if path.suffix.lower() in READABLE]
        pictures = [path for path in files if is_in(path, IMAGES)]
        masks = {path.with_suffix(""): path for path in files if is_in(path, MASKS)}
        pairs: dict[Path, tuple[str, str]] = {}
        for picture in pictures:
            place = beside_images(picture, MASKS).with_suffix("")
            if any(place.with_suffix(suffix) in other_files for suffix in NOT_READ):
                raise UsageError(f"{shown(folder / place)}: its mask is of a kind that is not read; convert it to PNG")
            if place not in masks or place in pairs:
                what = "has no mask" if place not in masks else f"has a namesake, {pairs[place][0]}, with the same mask"
                raise UsageError(f"{shown(folder / picture)}: {what}; add, rename or remove it")
            pairs[place] = (str(picture), str(masks[place]))
        alone = sorted(masks.keys() - pairs.keys())
        if alone and {path.stem for path in other_files} & {alone[0].name}:
            raise UsageError(
                f"{shown(folder / masks[alone[0]])}: its picture is of a kind that is not read; convert it"
            )
        if alone:
            raise UsageError(f"{shown(folder / masks[alone[0]])}: has no picture; add or remove it")
        own = [pair for pair in pairs.values() if is_augmented(Path(pair[0]))]
        if not own:
            raise UsageError(f"{folder}: holds no pictures to train on in {IMAGES}/; add some")
        return MaskSet(folder, tuple(own), tuple(pair for pair in pairs.values() if pair not in own))

    @cached_property
    def names(self) -> Sequence[str]:
        return [picture for picture, _ in self.pairs]

    def label(self, number: int) -> str | None:
        return None

    def check(self) -> None:
        """Raises UsageError for a mask that does not fit its picture."""
        for name, name_of_mask in self.pairs:
            path = self.folder / name_of_mask
            picture, mask = size_or_none(self.folder / name), size_or_none(path)
            if mask is None:
                raise UsageError(f"{shown(path)}: cannot be read; replace or remove it and its picture")
            if picture is not None and picture != mask:
                sizes = f"{mask[0]}x{mask[1]}, its picture {picture[0]}x{picture[1]}"
                raise UsageError(f"{shown(path)}: is {sizes}; make them equally large")
            if not keeps_numbers(path):
                raise UsageError(
                    f"{shown(path)}: holds a palette, 1 bit, 32 bits or floats; save class numbers in 8 or 16 bits"
                )

    def load(self, number: int) -> SetPicture:
        name, name_of_mask = self.pairs[number]
        picture = load_picture(self.folder / name)
        return SetPicture.of(picture, Sample(picture.pixels, mask=read(self.folder / name_of_mask).pixels))

    def variant_output(self, number: int, copy: int, suffix: str) -> str:
        return variant_name(self.pairs[number][0], copy, suffix)

    def originals(self) -> Sequence[Original]:
        files = []
        for name, mask in self.pairs:
            files += [Original(name, self.folder / name, "training", name), self._beside(mask, name)]
        for name, mask in self.other_pairs:
            files += [Original(name, self.folder / name, "other part"), self._beside(mask, name)]
        return files

    def _beside(self, mask: str, picture: str) -> Original:
        return Original(mask, self.folder / mask, "beside", of=picture)

    def write_beside(self, folder: Path, number: int, output: str, sample: Sample) -> list[Path]:
        """The variant's mask."""
        assert sample.mask is not None
        target = folder / beside_images(Path(output), MASKS).with_suffix(".png")
        target.parent.mkdir(parents=True, exist_ok=True)
        write(Picture(sample.mask), target)
        return [target]

    def finish(self, folder: Path, written: Sequence[WrittenPicture]) -> None:
        """Files with equal names say all themselves."""
