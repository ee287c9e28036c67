"""Changes that make good files bad."""

import json
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from safelight.work import file_sha256

Rng = np.random.Generator
VALUES: list[Any] = [
    *(0, -1, 1, 2**31, 2**63, 10**12, 10**40, -(10**12), 0.5, 1e300, float("inf"), float("nan")),
    *("", "x", "../../etc/passwd", "a\x00b", "\ud800", "x" * 100_000, None, True, [], {}, [[]], [None], {"a": {}}),
]
"""What a number, a word or a list is replaced by."""
BYTES = (b"\0", b"\xff", b"\xff\xff\xff\xff", b"\x7f\xff\xff\xff", b"\0\0\0\0", b"II*\0", b"[" * 3000, b'"', b"\n")


def bytes_of(content: bytes, rng: Rng) -> bytes:
    """Some bytes overwritten, inserted, removed, repeated, or the end cut off."""
    data = bytearray(content)
    for _ in range(int(rng.integers(1, 8))):
        reach = len(data) if rng.random() < 0.5 else min(len(data), 300)  # most of what decides stands first
        at = int(rng.integers(0, reach + 1))
        piece = BYTES[rng.integers(len(BYTES))] if rng.random() < 0.5 else rng.bytes(int(rng.integers(1, 5)))
        match int(rng.integers(5)):
            case 0:
                data[at : at + len(piece)] = piece
            case 1:
                data[at:at] = piece
            case 2:
                del data[at : at + int(rng.integers(1, 50))]
            case 3:
                data[at:at] = data[max(0, at - 200) : at] * int(rng.integers(1, 20))
            case 4 if rng.random() < 0.3:
                del data[at:]
    return bytes(data)


def json_of(value: Any, rng: Rng) -> Any:
    """One place somewhere inside replaced, removed or nested."""
    places: list[tuple[Any, Any]] = []

    def walk(node: Any) -> None:
        for key in list(node) if isinstance(node, dict) else range(len(node)) if isinstance(node, list) else ():
            places.append((node, key))
            walk(node[key])

    value = json.loads(json.dumps(value))
    walk(value)
    if not places:
        return VALUES[rng.integers(len(VALUES))]
    node, key = places[rng.integers(len(places))]
    match int(rng.integers(4)):
        case 0 if isinstance(node, dict):
            del node[key]
        case 1 if isinstance(node, dict):
            node[str(rng.integers(99))] = VALUES[rng.integers(len(VALUES))]
        case 2:
            deep: Any = node[key]
            for _ in range(int(rng.choice([1, 50, 900]))):
                deep = [deep]
            node[key] = deep
        case _:
            node[key] = VALUES[rng.integers(len(VALUES))]
    return value


def text_of(text: str, rng: Rng) -> str:
    """Tokens replaced in a text of a line-wise format."""
    lines = text.splitlines()
    for _ in range(int(rng.integers(1, 4))):
        k = int(rng.integers(len(lines))) if lines else 0
        value = VALUES[rng.integers(len(VALUES))]
        written = json.dumps(value) if not isinstance(value, str) else value.encode("utf-8", "replace").decode()
        head, equals, _ = lines[k].partition("=") if lines else ("", "", "")
        match int(rng.integers(4)):
            case 0 if equals:
                lines[k] = f"{head}= {written}"
            case 1 if lines:
                lines[k] = lines[k] * int(rng.choice([0, 2, 50]))
            case 2:
                lines.insert(k, f"x{rng.integers(9)} = {written}")
            case _ if lines:
                cut = int(rng.integers(len(lines[k]) + 1))
                lines[k] = lines[k][:cut] + written[:2000] + lines[k][cut:]
    return "\n".join(lines) + "\n"


def array_file(path: Path, rng: Rng) -> None:
    """An .npz or .npy with one array of another shape, type or content."""
    loaded = np.load(path, allow_pickle=False)
    arrays = {"": loaded} if isinstance(loaded, np.ndarray) else {name: loaded[name] for name in loaded.files}
    name = list(arrays)[rng.integers(len(arrays))]
    changes: list[Callable[[np.ndarray], np.ndarray]] = [
        lambda a: a.ravel()[: a.size // 2],
        lambda a: a.astype(np.float64) * np.nan if a.dtype.kind in "fiu" else a,
        lambda a: a.astype("S3"),
        lambda a: np.zeros((0, *a.shape), a.dtype),
        lambda a: a[..., None],
        lambda a: a.astype(np.int64) - 2**40 if a.dtype.kind in "fiu" else a,
        lambda a: np.zeros(()),
    ]
    arrays[name] = changes[rng.integers(len(changes))](arrays[name])
    with path.open("wb") as file:
        np.save(file, arrays[""]) if "" in arrays else np.savez(file, **arrays)


def safetensors_file(path: Path, rng: Rng) -> None:
    """Another header over the same tensors."""
    content = path.read_bytes()
    (length,) = struct.unpack("<Q", content[:8])
    header = json.dumps(json_of(json.loads(content[8 : 8 + length]), rng)).encode()
    path.write_bytes(struct.pack("<Q", len(header)) + header + content[8 + length :])


def reseal(folder: Path) -> None:
    """Right checksums again, so that what was changed is looked at."""
    names = [line.split()[1] for line in (folder / "SHA256SUMS").read_text().splitlines()]
    sums = (f"{file_sha256(folder / name)}  {name}\n" for name in names if (folder / name).is_file())
    (folder / "SHA256SUMS").write_text("".join(sums))
