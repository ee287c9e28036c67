"""Pictures that the page shows: dropped ones, which lie in the state folder, and those of the studio's own folder."""

import filecmp
import hashlib
import os
import secrets
import shutil
import threading
from collections import OrderedDict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from safelight.errors import OutputError, PictureError
from safelight.errors import shown as as_shown
from safelight.jobs.batch.naming import is_named_as_result
from safelight.picture import READABLE, Picture, read, upright_size
from safelight.picture.scale import measure_scale
from safelight.picture.screen import Pyramid, png_thumbnail
from safelight.runtime.restore import Prepared, Restorer
from safelight.studio.names import ID, inside, relative_path
from safelight.work import MANIFEST, Manifest

UNFINISHED = ".part"
"""How the folder of a picture that is being received ends."""
OPEN_BYTES = 500_000_000
"""Pixels of opened pictures that are held; the one that was used last is held in any case."""
MOST_LISTED = 2000
"""Pictures of the folder that are offered."""


@dataclass(frozen=True)
class Shown:
    """A picture that the page knows of, before it is opened."""

    id: str
    name: str
    """With the folders that it was dropped with."""
    path: Path
    is_dropped: bool


@dataclass
class Opened:
    """A picture in memory, with what was computed of it."""

    picture: Picture
    pyramid: Pyramid
    prepared: dict[str, Prepared] = field(default_factory=dict)
    """By model."""
    lock: threading.Lock = field(default_factory=threading.Lock)

    @property
    def bytes(self) -> int:
        """About so many: the smaller levels are a third."""
        return self.picture.pixels.nbytes * 4 // 3

    def prepared_for(self, model: str, restorer: Restorer) -> Prepared:
        """The model's first look at it. Raises PictureError."""
        with self.lock:
            known = self.prepared.get(model)
            if known is None or known.networks is not restorer.networks:  # it may have been trained again
                self.prepared[model] = known = restorer.prepare(self.picture)
            return known


class Pictures:
    """All of them. Raises FileNotFoundError for ids that there are none of."""

    def __init__(self, state: Path, folder: Path | None, max_megapixels: float) -> None:
        self._dropped, self.folder, self._max_megapixels = state / "pictures", folder, max_megapixels
        self._dropped.mkdir(parents=True, exist_ok=True)
        for left in self._dropped.glob(f"*{UNFINISHED}"):
            shutil.rmtree(left, ignore_errors=True)
        self._opened: OrderedDict[str, Opened] = OrderedDict()
        self._lock = threading.Lock()
        self._opening: dict[str, threading.Lock] = {}
        self._decoding = threading.Lock()
        """One at a time: each may take all the memory that a picture is allowed."""
        self._listed: dict[str, Shown] = {}
        """Of the folder, as it was listed last: a walk for each picture would be slow."""

    def all(self) -> list[Shown]:
        """Dropped ones first, each part by name."""
        return [*sorted(self._all_dropped(), key=lambda one: one.name), *self._of_folder()]

    def _all_dropped(self) -> list[Shown]:
        found = (self._dropped_one(path.name) for path in self._dropped.iterdir())
        return [one for one in found if one is not None]

    def find(self, picture_id: str) -> Shown:
        """The one of that id."""
        known = self._dropped_one(picture_id) or self._listed.get(picture_id)
        known = known or next((one for one in self._of_folder() if one.id == picture_id), None)
        if known is None or (self.folder is not None and not known.is_dropped and not self._is_as_listed(known)):
            raise FileNotFoundError(picture_id)
        return known

    def _dropped_one(self, picture_id: str) -> Shown | None:
        """None for a folder of another name, and for one that a kill or a removal has left half done."""
        folder = self._dropped / picture_id
        files = [path for path in folder.rglob("*") if path.is_file()] if ID.fullmatch(picture_id) else []
        if len(files) != 1:
            return None
        return Shown(picture_id, files[0].relative_to(folder).as_posix(), files[0], is_dropped=True)

    def _is_as_listed(self, known: Shown) -> bool:
        """A file of the folder may be gone, changed, or a link by now."""
        assert self.folder is not None
        try:
            return inside(self.folder, known.name) == known.path and _id_of(known.name, known.path) == known.id
        except OSError:
            return False

    def place_for(self, name: str) -> Path:
        """Where the file of a dropped picture is to be written. Raises UsageError for a name that cannot be one."""
        path = self._dropped / f"{secrets.token_hex(8)}{UNFINISHED}" / relative_path(name)
        path.parent.mkdir(parents=True)
        return path

    def accept(self, path: Path) -> Shown:
        """A file that was written to its place becomes a picture of the studio, unless it is one already.

        Raises PictureError if it is no picture.
        """
        with _named(path):
            self.check(path)
        twin = self._twin_of(path)
        if twin is not None:
            self.discard(path)
            return twin
        unfinished = self._folder_of(path)
        finished = unfinished.rename(unfinished.with_name(unfinished.name.removesuffix(UNFINISHED)))
        return self.find(finished.name)

    def _twin_of(self, path: Path) -> Shown | None:
        """A dropped picture of the same name and the same bytes."""
        name = path.relative_to(self._folder_of(path)).as_posix()
        return next(
            (one for one in self._all_dropped() if one.name == name and filecmp.cmp(one.path, path, shallow=False)),
            None,
        )

    def discard(self, path: Path) -> None:
        """Remove what was written to a place of `place_for`."""
        shutil.rmtree(self._folder_of(path), ignore_errors=True)

    def _folder_of(self, path: Path) -> Path:
        return self._dropped / path.relative_to(self._dropped).parts[0]

    def check(self, path: Path) -> tuple[int, int]:
        """Width and height. Raises PictureError for what is no picture, or a larger one than is allowed."""
        width, height = upright_size(path)
        if width * height > 1e6 * self._max_megapixels:
            allowed = f"{self._max_megapixels:g}"
            raise PictureError(f"{path.name}: has {width * height / 1e6:.0f} megapixels; at most {allowed} are allowed")
        return width, height

    def remove(self, picture_id: str) -> None:
        """Forget a dropped picture, and its file."""
        if not ID.fullmatch(picture_id) or not (self._dropped / picture_id).is_dir():
            raise FileNotFoundError(picture_id)
        with self._lock:
            self._opened.pop(picture_id, None)
        shutil.rmtree(self._dropped / picture_id)

    def open(self, picture_id: str) -> Opened:
        """In memory, read now if it was not. Raises PictureError."""
        with self._lock:
            if picture_id in self._opened:
                self._opened.move_to_end(picture_id)
                return self._opened[picture_id]
            reading = self._opening.setdefault(picture_id, threading.Lock())
        with reading:  # one thread reads it, the others wait
            with self._lock:
                if picture_id in self._opened:
                    return self._opened[picture_id]
            shown = self.find(picture_id)
            with _named(shown.path), self._decoding:
                self.check(shown.path)
                picture = read(shown.path, self._max_megapixels)
            opened = Opened(picture, Pyramid(picture, measure_scale(picture).scale))
            with self._lock:
                self._opened[picture_id] = opened
                self._opening.pop(picture_id, None)
                while len(self._opened) > 1 and sum(one.bytes for one in self._opened.values()) > OPEN_BYTES:
                    self._opened.popitem(last=False)
            return opened

    def thumbnail(self, picture_id: str) -> bytes:
        """A small PNG. Raises PictureError."""
        with self._lock:
            opened = self._opened.get(picture_id)
        if opened is not None:
            return opened.pyramid.thumbnail()
        shown = self.find(picture_id)
        with _named(shown.path):
            return png_thumbnail(shown.path)

    def _of_folder(self) -> Iterator[Shown]:
        """Pictures in the studio's folder and in the folders below, without hidden ones and without links outwards."""
        if self.folder is None:
            return
        count, made = 0, set[Path]()
        for where, folders, files in os.walk(self.folder):
            folders[:] = sorted(name for name in folders if not name.startswith("."))
            if MANIFEST in files:
                made |= _results_in(Path(where))
            pictures = sorted(name for name in files if Path(name).suffix.lower() in READABLE and name[0] != ".")
            stems = {Path(name).stem for name in pictures}
            for name in pictures:
                path = Path(where) / name
                if path in made or is_named_as_result(path, stems):
                    continue
                relative = path.relative_to(self.folder).as_posix()
                try:
                    path = inside(self.folder, relative)
                    picture_id = _id_of(relative, path)
                except OSError:
                    continue
                self._listed[picture_id] = Shown(picture_id, relative, path, is_dropped=False)
                yield self._listed[picture_id]
                count += 1
                if count == MOST_LISTED:
                    return


def _id_of(name: str, path: Path) -> str:
    """Of a picture of the folder, as it is now: a file that is replaced is another picture. Raises OSError."""
    found = path.stat()
    words = f"{name}\0{found.st_mtime_ns}\0{found.st_size}"
    return "p" + hashlib.sha256(words.encode(errors="surrogateescape")).hexdigest()[:15]


def _results_in(folder: Path) -> set[Path]:
    """Files that a job has made here and in the folders below: they are no pictures to restore once more."""
    try:
        lines = Manifest(folder).lines
    except OutputError:
        return set()
    return {folder / name for line in lines for name in line["outputs"]}


@contextmanager
def _named(path: Path) -> Iterator[None]:
    """Within the block a picture's errors name it by its file name: where it is kept means nothing to a person."""
    try:
        yield
    except PictureError as error:
        raise PictureError(str(error).replace(as_shown(path), path.name)) from None
