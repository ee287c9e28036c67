"""Arrays of a bundle, without pickle: as .npz, and as .safetensors."""

import io
import json
import struct
import zipfile
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import numpy as np
from numpy.typing import NDArray

from safelight.errors import BundleError

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

_INTEGERS = {"I8": "<i1", "I16": "<i2", "I32": "<i4", "I64": "<i8", "U32": "<u4"}
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


def load_integers(path: Path) -> dict[str, NDArray[np.integer]]:
    """All arrays of integers of a .safetensors file. Raises BundleError for anything else."""
    data = path.read_bytes()
    try:
        (size,) = struct.unpack_from("<Q", data)
        entries = json.loads(data[8 : 8 + size])
        arrays = {}
        for name, entry in entries.items():
            if name != "__metadata__":
                start, stop = entry["data_offsets"]
                flat = np.frombuffer(data[8 + size + start : 8 + size + stop], _INTEGERS[entry["dtype"]])
                arrays[name] = flat.reshape(entry["shape"])
    except (struct.error, ValueError, KeyError, TypeError, AttributeError) as error:
        raise BundleError(f"{path}: cannot be read ({error}); export the bundle again") from None
    return arrays
