"""Pictures decoded once into one memory-mapped file of 8-bit RGB.

Every worker maps the same pages; a patch costs a page fault, not a decoder.
"""

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from safelight.degrade.light import Pixels
from safelight.degrade.optics import shrink
from safelight.errors import PictureError, UsageError
from safelight.picture import read
from safelight.work import file_sha256, json_sha256, replacing, write_whole

SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".tif", ".tiff", ".webp", ".avif"})


@dataclass(frozen=True)
class Entry:
    """One picture at one scale: where it lies in the file."""

    name: str
    digest: str
    """SHA-256 of the source file; the split depends on it alone."""
    offset: int
    height: int
    width: int


@dataclass(frozen=True)
class PixelStore:
    """Read-only access to all entries; cheap to pickle, since it only names a file."""

    path: Path
    entries: tuple[Entry, ...]

    def pixels(self, entry: Entry) -> NDArray[np.uint8]:
        """(H, W, 3) uint8, mapped, not read."""
        flat = _mapped(self.path)[entry.offset : entry.offset + entry.height * entry.width * 3]
        return flat.reshape(entry.height, entry.width, 3)

    def part(self, start: float, stop: float) -> "PixelStore":
        """The pictures whose content hash, read as a number in [0, 1), lies in [start, stop).

        A split by such parts never moves a picture when files are added.
        """
        return PixelStore(self.path, tuple(e for e in self.entries if start <= int(e.digest[:8], 16) / 2**32 < stop))

    def halves(self) -> tuple["PixelStore", "PixelStore"]:
        """Two parts by the parity of another piece of the hash."""
        parts = ([e for e in self.entries if int(e.digest[8:16], 16) % 2 == parity] for parity in (0, 1))
        first, second = (PixelStore(self.path, tuple(entries)) for entries in parts)
        return first, second

    def at_least(self, side_px: int) -> "PixelStore":
        """The entries that a square of this side fits into."""
        return PixelStore(self.path, tuple(e for e in self.entries if min(e.height, e.width) >= side_px))

    def each(self) -> list["PixelStore"]:
        """One store for every picture, with all its scales."""
        digests = dict.fromkeys(entry.digest for entry in self.entries)
        return [PixelStore(self.path, tuple(e for e in self.entries if e.digest == digest)) for digest in digests]

    @property
    def pictures(self) -> int:
        """How many different pictures there are, whatever their scales."""
        return len({entry.digest for entry in self.entries})


@lru_cache(maxsize=4)
def _mapped(path: Path) -> NDArray[np.uint8]:
    """The whole file, mapped once per process."""
    return np.memmap(path, dtype=np.uint8, mode="r")


def build_store(folder: Path, cache: Path, scales: Sequence[float], smallest_px: int) -> tuple[PixelStore, list[str]]:
    """Decode `folder` (recursively) at every scale, or reuse what was decoded before.

    Returns the store and one line for each file that was left out. Raises UsageError if nothing is left.
    """
    named = sorted(p for p in folder.rglob("*") if p.suffix.lower() in SUFFIXES) if folder.is_dir() else []
    digests, unreadable = _digests(path for path in named if not path.is_dir())
    target = cache / f"{json_sha256([list(digests.values()), list(scales), smallest_px])[:16]}.u8"
    index = target.with_suffix(".json")
    if index.exists() and target.exists():
        saved = json.loads(index.read_text())
        return PixelStore(target, tuple(Entry(**e) for e in saved["entries"])), unreadable + saved["left_out"]
    cache.mkdir(parents=True, exist_ok=True)
    with replacing(target) as part:
        entries, left_out = _decode_all(digests, part, scales, smallest_px)
        if not entries:
            what = f"no usable picture of at least {smallest_px} px" if folder.is_dir() else "no such folder"
            raise UsageError(f"{folder}: {what}; name a folder of photographs")
    listed = json.dumps({"entries": [vars(e) for e in entries], "left_out": left_out})
    write_whole(index, listed)  # last, so that an index always has its pixels
    return PixelStore(target, tuple(entries)), unreadable + left_out


def _digests(files: Iterable[Path]) -> tuple[dict[Path, str], list[str]]:
    """SHA-256 of each file, and one line for each that cannot be read."""
    digests, unreadable = {}, []
    for path in files:
        try:
            digests[path] = file_sha256(path)
        except OSError as error:
            unreadable.append(f"{path}: cannot be read ({error.strerror})")
    return digests, unreadable


def _decode_all(
    digests: dict[Path, str], target: Path, scales: Sequence[float], smallest_px: int
) -> tuple[list[Entry], list[str]]:
    entries: list[Entry] = []
    left_out: list[str] = []
    offset = 0
    with target.open("wb") as file:
        for path, digest in digests.items():
            try:
                pixels = _rgb(path)
            except PictureError as error:
                left_out.append(str(error))
                continue
            for scale in scales:
                scaled = np.rint(np.clip(shrink(pixels, scale), 0, 1) * 255).astype(np.uint8)
                height, width, _ = scaled.shape
                if min(height, width) < smallest_px:
                    left_out.append(f"{path}: {width}x{height} at scale {scale} is under {smallest_px} px")
                    continue
                file.write(scaled.tobytes())
                entries.append(Entry(path.name, digest, offset, height=height, width=width))
                offset += scaled.size
    return entries, left_out


def _rgb(path: Path) -> Pixels:
    """(H, W, 3) float32 in the file's own RGB space; grey as three equal channels."""
    pixels = read(path).as_float()
    return pixels if pixels.shape[2] == 3 else np.repeat(pixels, 3, axis=2)
