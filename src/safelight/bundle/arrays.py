"""Arrays of a bundle, as .npz without pickle."""

import io
import zipfile
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import numpy as np

from safelight.errors import BundleError

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

_Kind = TypeVar("_Kind", bound="DataclassInstance")


def save_arrays(arrays: "DataclassInstance", path: Path) -> None:
    """Every field of a dataclass of arrays."""
    np.savez(path, **asdict(arrays))


def load_arrays(kind: type[_Kind], path: Path) -> _Kind:
    """The inverse, in float32. Raises BundleError for anything but what `save_arrays` writes."""
    try:
        with np.load(io.BytesIO(path.read_bytes()), allow_pickle=False) as arrays:
            return kind(**{name: arrays[name].astype(np.float32) for name in arrays})
    except (OSError, EOFError, ValueError, TypeError, zipfile.BadZipFile) as error:
        raise BundleError(f"{path}: cannot be read ({error}); export the bundle again") from None
