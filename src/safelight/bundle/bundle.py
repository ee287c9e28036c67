"""A bundle on disk: a folder, or the same as one zip, verified before use. No pickle anywhere.

    always      card.json  SHA256SUMS
    restores    calibration.json  familiar.npz, and in a folder for each of the card's experts
                mean.onnx  mean_int8.onnx  scale.onnx  draw.onnx  weights.safetensors
    images      encode.onnx  decode.onnx  score.onnx  latents.npz  seen.npy  weights.safetensors,
                features.onnx if there are classes

The graphs, but for features.onnx, hold no kernels: their initialisers point into weights.safetensors (ONNX external
data), so every kernel is stored once and the file that one trains on is the file that one runs. mean_int8.onnx
rounds them when it is loaded.
"""

import hashlib
import json
import os
import re
import shutil
import tempfile
import zipfile
import zlib
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, TypeGuard, TypeVar

from pydantic import BaseModel, ValidationError

from safelight.bundle.card import EXPERT, SCHEMAS, Calibration, Card, ImageCard
from safelight.bundle.familiar import Familiar
from safelight.errors import BundleError, OutputError

SUMS = "SHA256SUMS"
FILES = {
    "restore": ("card.json", "calibration.json", "familiar.npz"),
    "images": (
        *("card.json", "latents.npz", "seen.npy"),
        *("encode.onnx", "decode.onnx", "score.onnx", "weights.safetensors"),
    ),
}
"""By task, what a bundle must hold."""
OF_EXPERT = ("mean.onnx", "mean_int8.onnx", "scale.onnx", "draw.onnx", "weights.safetensors")
"""What it must hold for each expert."""
OPTIONAL = ("features.onnx",)
KNOWN = {SUMS, *OPTIONAL, *(name for names in FILES.values() for name in names)}
_DAMAGED = (zipfile.BadZipFile, zlib.error, EOFError, KeyError, RuntimeError)
"""What zipfile raises for archives that are broken, encrypted or compressed in ways that it does not know."""
_Model = TypeVar("_Model", bound=BaseModel)
CardT = TypeVar("CardT", Card, ImageCard)


@dataclass(frozen=True)
class Bundle(Generic[CardT]):
    """A verified bundle."""

    folder: Path
    card: CardT
    sha256: str
    """Of the list of checksums: the identity of the model in manifests."""

    def path(self, file: str) -> Path:
        """Where one of its files lies."""
        return self.folder / file

    def has(self, file: str) -> bool:
        """Whether it holds an optional file."""
        return self.path(file).is_file()


AnyBundle = Bundle[Card] | Bundle[ImageCard]


def restores(bundle: AnyBundle) -> TypeGuard[Bundle[Card]]:
    """Whether it is of a model that restores."""
    return isinstance(bundle.card, Card)


def is_of_images(bundle: AnyBundle) -> TypeGuard[Bundle[ImageCard]]:
    """Whether it is of a VAE of a set of pictures."""
    return isinstance(bundle.card, ImageCard)


def open_bundle(path: Path) -> AnyBundle:
    """Verify every checksum, then read the card.

    Raises BundleError for a damaged, incomplete or newer bundle.
    """
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
    sha256 = _sha256(folder / SUMS)
    if task == "restore":
        return Bundle(folder, _model(Card, folder / "card.json"), sha256)
    return Bundle(folder, _model(ImageCard, folder / "card.json"), sha256)


def read_calibration(bundle: Bundle[Card]) -> Calibration:
    """Raises BundleError if it is not as promised."""
    return _model(Calibration, bundle.path("calibration.json"))


def seal(folder: Path, card: CardT) -> Bundle[CardT]:
    """Complete a folder that holds everything else: write card and checksums, and read them once."""
    (folder / "card.json").write_text(card.model_dump_json(indent=2) + "\n", encoding="utf-8")
    experts: tuple[str, ...] = card.experts if isinstance(card, Card) else ()
    names = _present(folder, files(card.task, experts))
    sums = "".join(f"{_sha256(folder / name)}  {name}\n" for name in names)
    (folder / SUMS).write_text(sums, encoding="utf-8")
    bundle: Bundle[CardT] = open_bundle(folder)  # type: ignore[assignment]
    return bundle


def files(task: str, experts: Iterable[str] = ()) -> tuple[str, ...]:
    """What a bundle must hold, the optional files left out."""
    return (*FILES[task], *(f"{expert}/{name}" for expert in experts for name in OF_EXPERT))


def _present(folder: Path, needed: Iterable[str]) -> tuple[str, ...]:
    """These, and the optional files that are there."""
    return (*needed, *(name for name in OPTIONAL if (folder / name).exists()))


def save_restorer(folder: Path, card: Card, calibration: Calibration, familiar: Familiar) -> Bundle[Card]:
    """Complete a folder that holds the graphs and weights of a model that restores."""
    familiar.save(folder / "familiar.npz")
    (folder / "calibration.json").write_text(calibration.model_dump_json(indent=2) + "\n", encoding="utf-8")
    return seal(folder, card)


def zip_bundle(bundle: AnyBundle, target: Path) -> None:
    """Write the bundle as one zip; the weights hardly compress, so it is stored as it is. Raises OutputError."""
    if not target.name or target.is_dir():
        raise OutputError(f"{target}: is a folder; name a .zip with -o")
    part = target.with_name(f".{target.name}.{os.getpid()}.part")
    try:
        with zipfile.ZipFile(part, "w", zipfile.ZIP_STORED, strict_timestamps=False) as archive:
            experts = bundle.card.experts if restores(bundle) else ()
            for name in (*_present(bundle.folder, files(bundle.card.task, experts)), SUMS):
                archive.write(bundle.path(name), name)
        part.replace(target)
    except OSError as error:
        raise OutputError(f"{target}: cannot be written ({error.strerror}); choose another -o") from None
    finally:
        part.unlink(missing_ok=True)


def _verify(folder: Path, path: Path) -> str:
    """Every file that the task asks for, and every optional one that is there; returns the task."""
    sums = _sums(folder, path)
    task = _told(folder, "task") or "restore"
    if not isinstance(task, str) or task not in FILES:
        raise BundleError(f"{path}: its task '{task}' is not known; update Safelight or export the bundle again")
    experts = (_told(folder, "experts") or ()) if task == "restore" else ()
    if not isinstance(experts, list | tuple) or not all(_names_expert(name) for name in experts):
        raise BundleError(f"{path}: the names of its experts are damaged; install or export the bundle again")
    for name in (*files(task, experts), *(name for name in OPTIONAL if name in sums or (folder / name).exists())):
        try:
            if not (folder / name).is_file():
                raise BundleError(f"{path}: {name} is missing; install or export the bundle again")
            sha256 = _sha256(folder / name)
        except OSError as error:
            raise BundleError(f"{path}: {name} cannot be read ({error.strerror}); check its permissions") from None
        if sums.get(name) != sha256:
            raise BundleError(f"{path}: {name} does not match its checksum; install or export the bundle again")
    return task


def _told(folder: Path, key: str) -> Any:
    """What an unverified card says; None if it cannot be read, which is `_verify`'s to refuse."""
    try:
        return json.loads((folder / "card.json").read_bytes())[key]
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _names_expert(name: Any) -> bool:
    return isinstance(name, str) and re.fullmatch(EXPERT, name) is not None


def _check_schema(folder: Path, path: Path) -> None:
    """First of all, since other schemas have other files."""
    version, task = _told(folder, "schema_version"), _told(folder, "task")
    known = SCHEMAS.get(task) if isinstance(task, str) else None
    if version is not None and known not in (None, version):
        raise BundleError(
            f"{path}: has card schema {version}, this program knows {known}; "
            "update Safelight or export the bundle again"
        )


def _model(kind: type[_Model], path: Path) -> _Model:
    try:
        return kind.model_validate_json(path.read_bytes())
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        raise BundleError(f"{path}: {where}: {first['msg']}; export the bundle again") from None


def _sums(folder: Path, path: Path) -> dict[str, str]:
    try:
        lines = (folder / SUMS).read_text(encoding="utf-8").splitlines()
        return {name: digest for digest, name in (line.split() for line in lines)}
    except (OSError, ValueError):
        raise BundleError(
            f"{path}: is not a bundle ({SUMS} is missing or damaged); name a bundle or see 'model list'"
        ) from None


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _known(name: str) -> bool:
    """Whether a zip's member may be part of a bundle."""
    expert, _, file = name.rpartition("/")
    return (_names_expert(expert) and file in OF_EXPERT) if expert else file in KNOWN


def _unpacked(path: Path) -> Path:
    """A zip's files in the user's cache, under the zip's own hash; only the known names are taken."""
    cache = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "safelight" / "bundles"
    folder, fresh = None, None
    try:
        folder = cache / _sha256(path)[:32]
        if folder.is_dir():
            return folder
        cache.mkdir(parents=True, exist_ok=True)
        fresh = Path(tempfile.mkdtemp(dir=cache))
        with zipfile.ZipFile(path) as archive:
            for name in {SUMS, *filter(_known, archive.namelist())}:
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
