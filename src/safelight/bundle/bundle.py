"""A bundle on disk: a folder, or the same as one zip, verified before use. No pickle anywhere.

Every bundle has a card.json and SHA256SUMS. The table of tasks (`bundle.tasks`) says what else it holds.

The graphs, but for features.onnx, hold no kernels. Their initialisers point into weights.safetensors (ONNX external
data). So every kernel is stored once, and the file that one trains on is the file that one runs. mean_int8.onnx rounds
the kernels when it is loaded.
"""

import json
import re
import shutil
import tempfile
import zipfile
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, TypeVar

from pydantic import BaseModel, ValidationError

from safelight.bundle.card import NETWORK_NAME, BundleTask, Card
from safelight.bundle.tasks import TASKS
from safelight.errors import BundleError, OutputError
from safelight.work import file_sha256, read_small, replacing, unpacked_bytes, user_cache

SUMS = "SHA256SUMS"
MOST_SMALL_BYTES = 1 << 20
"""Of a card, of checksums and of other JSON."""
MOST_BYTES = 4 << 30
"""Of all files of a zip together."""
FIRST_TASK = "restore"
"""The task of a card that names none."""
_DAMAGED = (zipfile.BadZipFile, zlib.error, EOFError, KeyError, RuntimeError)
"""What zipfile raises for archives that are broken, encrypted or compressed in ways that it does not know."""
_Part = TypeVar("_Part", bound=BaseModel)
CardT = TypeVar("CardT", bound=Card)
_CardT = TypeVar("_CardT", bound=Card, covariant=True)


@dataclass(frozen=True)
class Bundle(Generic[_CardT]):
    """A verified bundle."""

    folder: Path
    card: _CardT
    sha256: str
    """Of the list of checksums: the identity of the model in manifests."""

    def path(self, file: str) -> Path:
        """Where one of its files lies."""
        return self.folder / file

    def has(self, file: str) -> bool:
        """Whether it holds an optional file."""
        return self.path(file).is_file()


def open_bundle(path: Path) -> Bundle[Card]:
    """Verify every checksum, then read the card. Raises BundleError for a damaged, incomplete or newer bundle."""
    folder = _unpacked(path) if path.is_file() else path
    _check_schema(folder, path)
    try:
        task = _verify(folder, path)
    except BundleError:
        if folder == path:
            raise
        shutil.rmtree(folder)  # the unpacked copy may have been damaged; the zip itself is looked at once more
        folder = _unpacked(path)
        task = _verify(folder, path)
    return Bundle(folder, read_part(task.card, folder / "card.json"), file_sha256(folder / SUMS))


def read_part(kind: type[_Part], path: Path) -> _Part:
    """A JSON file of a verified bundle. Raises BundleError if it is not as its class promises."""
    try:
        return kind.model_validate_json(read_small(path, MOST_SMALL_BYTES))
    except OSError as error:
        raise BundleError(f"{path}: cannot be read ({error.strerror}); export the bundle again") from None
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        raise BundleError(f"{path}: {where}: {first['msg']}; export the bundle again") from None


def seal(folder: Path, card: CardT) -> Bundle[CardT]:
    """Complete a folder that holds everything else: write card and checksums, and verify them once."""
    (folder / "card.json").write_text(card.model_dump_json(indent=2) + "\n", encoding="utf-8")
    sums = "".join(f"{file_sha256(folder / name)}  {name}\n" for name in _files(folder, card))
    (folder / SUMS).write_text(sums, encoding="utf-8")
    return Bundle(folder, card, open_bundle(folder).sha256)


def zip_bundle(bundle: Bundle[Card], target: Path) -> None:
    """Write the bundle as one zip. It is stored as it is, since weights hardly compress. Raises OutputError."""
    if not target.name or target.is_dir():
        raise OutputError(f"{target}: is a folder; name a .zip with -o")
    try:
        with (
            replacing(target) as part,
            zipfile.ZipFile(part, "w", zipfile.ZIP_STORED, strict_timestamps=False) as archive,
        ):
            for name in (*_files(bundle.folder, bundle.card), SUMS):
                archive.write(bundle.path(name), name)
    except OSError as error:
        raise OutputError(f"{target}: cannot be written ({error.strerror}); choose another -o") from None


def _files(folder: Path, card: Card) -> tuple[str, ...]:
    """All that the card's task asks for, and the optional files that are there."""
    task = TASKS[card.task]
    return (*task.required(card.networks), *(name for name in task.optional if (folder / name).exists()))


def _verify(folder: Path, path: Path) -> BundleTask:
    """Compare every file that the task asks for, and every optional one that is there; returns the task."""
    sums, card = _sums(folder, path), unverified_card(folder)
    name = card.get("task") or FIRST_TASK
    if not isinstance(name, str) or name not in TASKS:
        raise BundleError(f"{path}: its task '{name}' is not known; update Safelight or export the bundle again")
    task = TASKS[name]
    networks = (card.get(task.networks_key) or ()) if task.networks_key else ()
    if not isinstance(networks, list | tuple) or not all(_is_network_name(network) for network in networks):
        raise BundleError(
            f"{path}: the names of its {task.networks_key} are damaged; install or export the bundle again"
        )
    optional = (file for file in task.optional if file in sums or (folder / file).exists())
    for file in (*task.required(tuple(networks)), *optional):
        try:
            if not (folder / file).is_file():
                raise BundleError(f"{path}: {file} is missing; install or export the bundle again")
            sha256 = file_sha256(folder / file)
        except OSError as error:
            raise BundleError(f"{path}: {file} cannot be read ({error.strerror}); check its permissions") from None
        if sums.get(file) != sha256:
            raise BundleError(f"{path}: {file} does not match its checksum; install or export the bundle again")
    return task


def unverified_card(folder: Path) -> dict[str, Any]:
    """Empty for a card that cannot be read, which `_verify` refuses."""
    try:
        card = json.loads(read_small(folder / "card.json", MOST_SMALL_BYTES))
    except (OSError, ValueError, RecursionError):
        return {}
    return card if isinstance(card, dict) else {}


def _is_network_name(name: Any) -> bool:
    return isinstance(name, str) and re.fullmatch(NETWORK_NAME, name) is not None


def _check_schema(folder: Path, path: Path) -> None:
    """First of all, since other schemas have other files."""
    card = unverified_card(folder)
    version, task = card.get("schema_version"), card.get("task")
    known = TASKS[task].schema if isinstance(task, str) and task in TASKS else None
    if version is not None and known not in (None, version):
        raise BundleError(
            f"{path}: has card schema {version}, this program knows {known}; "
            "update Safelight or export the bundle again"
        )


def _sums(folder: Path, path: Path) -> dict[str, str]:
    try:
        lines = read_small(folder / SUMS, MOST_SMALL_BYTES).decode().splitlines()
        return {name: digest for digest, name in (line.split() for line in lines)}
    except (OSError, ValueError):
        raise BundleError(
            f"{path}: is not a bundle ({SUMS} is missing or damaged); name a bundle or see 'model list'"
        ) from None


def _belongs(name: str) -> bool:
    """Whether a zip's member may be part of a bundle of any task."""
    return name == SUMS or any(task.may_hold(name) for task in TASKS.values())


def _unpacked(path: Path) -> Path:
    """A zip's files in the user's cache, under the zip's own hash; only names that belong to a bundle are taken."""
    folder, fresh = None, None
    try:
        cache = user_cache() / "bundles"
        folder = cache / file_sha256(path)[:32]
        if folder.is_dir():
            return folder
        cache.mkdir(parents=True, exist_ok=True)
        fresh = Path(tempfile.mkdtemp(dir=cache))
        with zipfile.ZipFile(path) as archive:
            if unpacked_bytes(archive) > MOST_BYTES:
                raise BundleError(f"{path}: unpacks to more than {MOST_BYTES >> 30} GB, which no bundle does")
            for name in {SUMS, *filter(_belongs, archive.namelist())}:
                (fresh / name).parent.mkdir(exist_ok=True)
                with archive.open(name) as source, (fresh / name).open("wb") as target:
                    shutil.copyfileobj(source, target)
        fresh.rename(folder)
    except (*_DAMAGED, OSError) as error:
        if folder is None or not folder.is_dir():  # another process may have been faster
            raise BundleError(f"{path}: is not a usable bundle ({error}); name a bundle folder or its zip") from None
    finally:
        if fresh is not None:
            shutil.rmtree(fresh, ignore_errors=True)
    return folder
