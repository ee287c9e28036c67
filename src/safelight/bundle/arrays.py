"""Arrays of a bundle, without pickle: as .npz, and as .safetensors."""

import io
import json
import struct
import zipfile
import zlib
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import numpy as np
from numpy.typing import NDArray

from safelight.errors import BundleError
from safelight.work import read_small, unpacked_bytes

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

_DAMAGED = (zipfile.BadZipFile, zlib.error, KeyError, NotImplementedError, RuntimeError)
"""What zipfile raises for archives that are broken, encrypted or compressed in ways that it does not know."""
MOST_BYTES = 1 << 30
_INTEGERS = {"I8": "<i1", "I16": "<i2", "I32": "<i4", "I64": "<i8", "U32": "<u4"}
_Kind = TypeVar("_Kind", bound="DataclassInstance")


def save_arrays(arrays: "DataclassInstance", path: Path) -> None:
    """Every field of a dataclass of arrays."""
    np.savez(path, **asdict(arrays))


def load_arrays(kind: type[_Kind], path: Path) -> _Kind:
    """The inverse, in float32. Raises BundleError for anything but what `save_arrays` writes."""
    try:
        data = io.BytesIO(read_small(path, MOST_BYTES))
        with zipfile.ZipFile(data) as archive:
            if unpacked_bytes(archive) > MOST_BYTES:
                raise ValueError("its arrays are too large")
        with np.load(data, allow_pickle=False) as arrays:
            values = {name: arrays[name].astype(np.float32) for name in arrays}
        if not all(np.isfinite(array).all() for array in values.values()):
            raise ValueError("it has numbers that are not finite")
        return kind(**values)
    except (*_DAMAGED, OSError, EOFError, ValueError, TypeError, MemoryError) as error:
        raise BundleError(f"{path}: cannot be read ({error}); export the bundle again") from None


def load_array(path: Path) -> NDArray[np.generic]:
    """The one array of an .npy. Raises BundleError for anything else."""
    try:
        array: NDArray[np.generic] = np.lib.format.read_array(io.BytesIO(read_small(path, MOST_BYTES)))
    except (OSError, EOFError, ValueError, MemoryError) as error:
        raise BundleError(f"{path}: cannot be read ({error}); export the bundle again") from None
    return array


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
