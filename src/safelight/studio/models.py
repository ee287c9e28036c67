"""Bundles that the page offers: those with a name, and those in the studio's folder."""

import os
import threading
from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from safelight.bundle import Bundle, Card, available, find_bundle
from safelight.errors import BundleError
from safelight.runtime.codec import Codec
from safelight.runtime.images import Vae
from safelight.runtime.restore import Restorer
from safelight.studio.names import inside
from safelight.studio.vaes import Explorer

_Model = TypeVar("_Model")
MOST_LOADED, MOST_FOUND, DEEPEST = 2, 100, 4


class Models:
    """By name. Raises FileNotFoundError for names that there are none of."""

    def __init__(self, folder: Path | None, threads: int | None = None) -> None:
        self._folder, self._threads = folder, threads
        self._restorers: OrderedDict[str, Restorer] = OrderedDict()
        self._explorers: OrderedDict[str, Explorer] = OrderedDict()
        self._codec: Codec | None = None
        self._lock = threading.Lock()
        self.computing = threading.Lock()
        """One computation at a time."""

    def paths(self) -> dict[str, Path]:
        """Shipped ones first; those of the folder are named by their path in it."""
        found = dict(available())
        for relative in self._of_folder():
            found.setdefault(relative, (self._folder or Path()) / relative)
        return found

    def bundle(self, name: str) -> Bundle[Card]:
        """Raises BundleError for one that is damaged."""
        return find_bundle(self.path(name), Card)

    def path(self, name: str) -> Path:
        """Where it lies."""
        shipped = available().get(name)
        if shipped is not None:
            return shipped
        if self._folder is None:
            raise FileNotFoundError(name)
        path = inside(self._folder, name)  # without a walk through the folder: every tile asks
        if not (path / "card.json").is_file() or not (path / "SHA256SUMS").is_file():
            raise FileNotFoundError(name)
        return path

    def restorer(self, name: str) -> Restorer:
        """Ready to run. Raises BundleError for a model of another task."""
        return self._loaded(self._restorers, name, lambda path: Restorer.load(path, threads=self._threads))

    def codec(self) -> Codec:
        """The shipped codec, ready to run."""
        with self._lock:
            self._codec = self._codec or Codec.load(threads=self._threads)
            return self._codec

    def explorer(self, name: str) -> Explorer:
        """A VAE, ready to run. Raises BundleError for a model of another task."""
        return self._loaded(self._explorers, name, lambda path: Explorer(Vae.load(path, threads=self._threads)))

    def _loaded(self, known: OrderedDict[str, _Model], name: str, load: Callable[[Path], _Model]) -> _Model:
        """The latest few are kept."""
        path = self.path(name)
        key = f"{name} {path.stat().st_mtime_ns}"  # one that is trained again is another model
        with self._lock:
            if key not in known:
                known[key] = load(path)
                while len(known) > MOST_LOADED:
                    known.popitem(last=False)
            known.move_to_end(key)
            return known[key]

    def cards(self) -> list[dict[str, object]]:
        """Name, task and summary of each; an error in words for a damaged one."""
        shown: list[dict[str, object]] = []
        for name, path in self.paths().items():
            try:
                card = find_bundle(path, Card).card
                shown.append({"name": name, "task": card.task, "summary": card.summary})
            except BundleError as error:
                shown.append({"name": name, "task": "", "summary": "", "error": str(error)})
        return shown

    def _of_folder(self) -> list[str]:
        found: list[str] = []
        if self._folder is None:
            return found
        for where, folders, files in os.walk(self._folder):
            here = Path(where)
            depth = len(here.relative_to(self._folder).parts)
            folders[:] = sorted(f for f in folders if not f.startswith(".")) if depth < DEEPEST else []
            if "card.json" in files and "SHA256SUMS" in files and here != self._folder:
                relative = here.relative_to(self._folder).as_posix()
                try:
                    inside(self._folder, relative)
                except FileNotFoundError:
                    continue
                found.append(relative)
                folders.clear()
            if len(found) >= MOST_FOUND:
                break
        return found
