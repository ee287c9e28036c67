"""Sets, recipes and training runs in the studio's folder. Raises FileNotFoundError for what is not there."""

import json
import os
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from safelight.dataset import ImageSet, open_set
from safelight.errors import UsageError
from safelight.picture import READABLE
from safelight.settings import read_toml
from safelight.studio.names import inside, relative_path
from safelight.work import json_sha256, write_whole

DEEPEST, MOST_FOUND = 4, 200
SET_FILES = frozenset({".npz", ".csv", ".jsonl"})
MOST_CURVE_POINTS = 4000
CURVES = (
    "loss",
    "val_loss",
    "val_neg_elbo_nats",
    "val_mse",
    "val_rate_nats",
    "val_detail_loss",
    "val_flow_loss",
    "val_psnr_db",
)
"""Of metrics.jsonl, those that the page draws."""


class Sets:
    """What lies in the folder, by its path there."""

    def __init__(self, folder: Path | None, state: Path) -> None:
        self.folder, self._state = folder, state
        self._lock = threading.Lock()
        self._opened: tuple[str, ImageSet] | None = None

    def names(self) -> list[str]:
        """Folders with folders of pictures, and files that list or hold pictures."""
        found: list[str] = []
        for where, folders, files in self._walk():
            if "run.json" in files:
                continue
            found += [self._name(where / name) for name in files if Path(name).suffix.lower() in SET_FILES]
            if sum(_has_pictures(where / name) for name in folders) > 1:
                found.append(self._name(where))
        return sorted(set(found))[:MOST_FOUND]

    def path(self, name: str) -> Path:
        """Of a set, a recipe or a run. "." is the folder itself."""
        if self.folder is None:
            raise FileNotFoundError(name)
        return self.folder if name == "." else inside(self.folder, name)

    def new_path(self, name: str) -> Path:
        """Of a folder that is to be made, or gone on with, below the studio's folder. Raises UsageError."""
        if self.folder is None:
            raise UsageError("the studio was started without a folder; start it again: safelight studio FOLDER")
        relative = relative_path(name)
        path = self.folder / relative
        deepest = next(one for one in (path, *path.parents) if one.exists())
        if not deepest.resolve().is_relative_to(self.folder) or not deepest.is_dir():
            raise UsageError(f"'{relative}' is no folder inside the studio's folder; choose another name")
        return path

    def open(self, name: str, anew: bool = False) -> ImageSet:
        """The set; the one that was opened last is kept, unless it is asked for anew. Raises UsageError for no set."""
        path = self.path(name)
        with self._lock:
            if anew or self._opened is None or self._opened[0] != name:
                self._opened = name, open_set(path)
            return self._opened[1]

    def recipes(self, of_augmenting: bool) -> list[str]:
        """Files of recipes, of training or of augmenting."""
        found = []
        for where, _, files in self._walk():
            for name in files:
                if Path(name).suffix.lower() != ".toml":
                    continue
                try:
                    keys = read_toml(where / name)
                except UsageError:
                    continue
                if ("steps" in keys) == of_augmenting and ("steps" in keys or "stages" in keys):
                    found.append(self._name(where / name))
        return sorted(found)[:MOST_FOUND]

    def keep_recipe(self, recipe: dict[str, Any]) -> Path:
        """A recipe of augmenting that was made on the page, as a file, which a job may need much later."""
        path = self._state / "recipes" / f"{json_sha256(recipe)[:16]}.toml"
        write_whole(path, toml_of(recipe))
        return path

    def runs(self) -> list[str]:
        """Folders of training runs."""
        return sorted(self._name(where) for where, _, files in self._walk() if "run.json" in files)

    def curves(self, name: str) -> dict[str, list[tuple[int, float]]]:
        """Of a run: name of a number → (line of the file, value), thinned where there are very many."""
        path = self.path(name) / "metrics.jsonl"
        curves: dict[str, list[tuple[int, float]]] = {}
        if not path.is_file():
            return curves
        stage = None
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines()):
            try:
                values = json.loads(line)
            except ValueError:  # it is being written
                continue
            if values.get("stage") != stage:  # each stage minimises something else
                stage = values.get("stage")
                curves.pop("loss", None)
                curves.pop("val_loss", None)
            for key in CURVES:
                if isinstance(values.get(key), int | float):
                    curves.setdefault(key, []).append((number, float(values[key])))
        return {key: points[:: 1 + len(points) // MOST_CURVE_POINTS] for key, points in curves.items()}

    def previews(self, name: str) -> list[str]:
        """Names of a run's pictures of how it went, from first to last."""
        folder = self.path(name) / "previews"
        return sorted(path.name for path in folder.glob("*.png")) if folder.is_dir() else []

    def preview(self, name: str, preview: str) -> Path:
        """One of them."""
        if preview not in self.previews(name):
            raise FileNotFoundError(preview)
        return self.path(name) / "previews" / preview

    def _walk(self) -> Iterator[tuple[Path, list[str], list[str]]]:
        if self.folder is None:
            return
        for where, folders, files in os.walk(self.folder):
            here = Path(where)
            folders[:] = sorted(name for name in folders if not name.startswith("."))
            inner = list(folders)
            if len(here.relative_to(self.folder).parts) >= DEEPEST or "card.json" in files or "run.json" in files:
                folders.clear()
            if "card.json" not in files:
                yield here, inner, sorted(name for name in files if not name.startswith("."))

    def _name(self, path: Path) -> str:
        assert self.folder is not None
        return path.relative_to(self.folder).as_posix()


def _has_pictures(folder: Path) -> bool:
    try:
        with os.scandir(folder) as entries:
            return any(
                Path(entry.name).suffix.lower() in READABLE for entry, _ in zip(entries, range(50), strict=False)
            )
    except OSError:
        return False


def toml_of(recipe: dict[str, Any]) -> str:
    """Keys, a list of tables `steps`, and a table `guard`, as TOML: the grammar of recipes of augmenting."""
    plain = {key: value for key, value in recipe.items() if key not in ("steps", "guard") and value is not None}
    lines = [f"{key} = {json.dumps(value)}" for key, value in plain.items()]
    for step in recipe.get("steps", []):
        lines += ["[[steps]]", *(f"{key} = {json.dumps(value)}" for key, value in step.items() if value is not None)]
    if recipe.get("guard") is not None:
        lines += ["[guard]", *(f"{key} = {json.dumps(value)}" for key, value in recipe["guard"].items())]
    return "\n".join(lines) + "\n"
