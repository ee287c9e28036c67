"""Cases of each kind, each from a generator of its own: the same seed and number give the same case."""

import json
import shutil
import struct
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np

from safelight import randomness
from safelight.picture import Picture, write
from tests.hostile.mutate import Rng, array_file, bytes_of, json_of, reseal, safetensors_file, text_of
from tests.support import BUNDLES, ROOT, run_cli

AUGMENT = """[[steps]]
op = "flip_horizontal"

[[steps]]
op = "brightness"
shift = [-0.1, 0.1]
"""
COUNTS = {"bundles": 300, "manifests": 150, "recipes": 150, "sets": 300, "pictures": 2000}


class Case(NamedTuple):
    """One command in one folder."""

    kind: str
    number: int
    arguments: list[str]


def make(kind: str, number: int, seed: int, folder: Path) -> Case:
    """Write the files of a case; its command line is relative to the folder."""
    makers: dict[str, Callable[[Path, Rng], list[str]]] = {
        "bundles": _bundle,
        "manifests": _manifest,
        "recipes": _recipe,
        "sets": _set,
        "pictures": _picture,
    }
    return Case(kind, number, makers[kind](folder, randomness.generator(seed, "hostile", kind, number)))


def _some_pictures(folder: Path, rng: Rng, names: tuple[str, ...]) -> None:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        write(Picture(rng.integers(0, 256, (24, 32, 3), dtype=np.uint8)), folder / name)


def _bundle(folder: Path, rng: Rng) -> list[str]:
    kind = ("restore", "images", "codec")[rng.integers(3)]
    bundle = folder / "b"
    shutil.copytree(BUNDLES / kind, bundle)
    for _ in range(int(rng.integers(1, 3))):
        files = sorted(path for path in bundle.rglob("*") if path.is_file() and path.name != "SHA256SUMS")
        _damage(bundle / "card.json" if rng.random() < 0.4 else files[rng.integers(len(files))], files, rng)
    if rng.random() < 0.85:
        reseal(bundle)
    write(Picture(rng.integers(0, 256, (40, 56, 3), dtype=np.uint8)), folder / "a.png")
    use = {
        "restore": ["enhance", "a.png", "-o", "out.png", "--model", "b", "--uncertainty"],
        "images": ["generate", "--model", "b", "-n", "4", "-o", "new"],
        "codec": ["compress", "a.png", "-o", "a.latent", "--model", "b"],
    }
    return use[kind] if rng.random() < 0.7 else ["model", ("verify", "info")[rng.integers(2)], "b"]


def _damage(path: Path, files: list[Path], rng: Rng) -> None:
    if rng.random() < 0.2:
        path.write_bytes(bytes_of(path.read_bytes(), rng))
    elif rng.random() < 0.1:
        path.write_bytes(files[rng.integers(len(files))].read_bytes())
    else:
        try:
            _change(path, rng)
        except (ValueError, OSError, struct.error, zipfile.BadZipFile):  # it is damaged already
            path.write_bytes(bytes_of(path.read_bytes(), rng))


def _change(path: Path, rng: Rng) -> None:
    """Something in what the file says. Raises what its reader raises."""
    if path.suffix == ".json":
        path.write_text(json.dumps(json_of(json.loads(path.read_text()), rng)))
    elif path.suffix in (".npz", ".npy"):
        array_file(path, rng)
    elif path.suffix == ".safetensors":
        safetensors_file(path, rng)
    else:
        path.write_bytes(bytes_of(path.read_bytes(), rng))


def _manifest(folder: Path, rng: Rng) -> list[str]:
    _some_pictures(folder, rng, ("in/a/1.png", "in/b/2.png"))
    (folder / "aug.toml").write_text(AUGMENT)
    enhance = ["enhance", "in", "-r", "-o", "out", "--model", str(BUNDLES / "restore")]
    is_enhanced = rng.random() < 0.5
    run_cli(
        *(enhance if is_enhanced else ["augment", "in", "-o", "out", "--recipe", "aug.toml", "--copies", "1"]),
        cwd=folder,
    )
    path = folder / "out" / "manifest.jsonl"
    lines = [json.loads(text) for text in path.read_text().splitlines()]
    lines = [json_of(line, rng) if rng.random() < 0.4 else line for line in lines]
    text = "".join(json.dumps(line) + "\n" for line in lines).encode()
    path.write_bytes(bytes_of(text, rng) if rng.random() < 0.4 else text)
    return enhance if is_enhanced else ["augment", "in", "-o", "again", "--replay", "out/manifest.jsonl"]


def _recipe(folder: Path, rng: Rng) -> list[str]:
    _some_pictures(folder, rng, ("in/a/1.png", "in/a/2.png", "in/b/3.png", "in/b/4.png"))
    recipes = sorted((ROOT / "recipes").glob("*.toml"))
    source = recipes[rng.integers(len(recipes))]
    (folder / "r.toml").write_text(text_of(source.read_text(), rng), encoding="utf-8")
    if "augment" in source.name:
        return ["augment", "in", "-o", "out", "--recipe", "r.toml"]
    return ["train", "r.toml", "--data", "in", "--run", "run", "--stop-at", "1", "--workers", "0"]


def _set(folder: Path, rng: Rng) -> list[str]:
    (folder / "aug.toml").write_text(AUGMENT)
    names = ("images/train/1.png", "images/train/2.png", "images/val/3.png")
    _some_pictures(folder / "s", rng, names)
    makers = (_csv, _jsonl, _npz, _coco, _yolo)
    target = makers[rng.integers(len(makers))](folder / "s", names, rng)
    if target.endswith(".json") or target == "s" or rng.random() < 0.5:
        return ["augment", target, "-o", "out", "--recipe", "aug.toml", "--copies", "1"]
    return ["data", target]


def _csv(folder: Path, names: tuple[str, ...], rng: Rng) -> str:
    text = "image,label,split\n" + "".join(f"{name},{k % 2},train\n" for k, name in enumerate(names))
    (folder / "l.csv").write_bytes(bytes_of(text.encode(), rng))
    return "s/l.csv"


def _jsonl(folder: Path, names: tuple[str, ...], rng: Rng) -> str:
    rows = [json_of({"image": name, "label": k, "split": "val"}, rng) for k, name in enumerate(names)]
    (folder / "l.jsonl").write_bytes(bytes_of("\n".join(map(json.dumps, rows)).encode(), rng))
    return "s/l.jsonl"


def _npz(folder: Path, names: tuple[str, ...], rng: Rng) -> str:
    pictures = rng.integers(0, 256, (6, 16, 16, 3), dtype=np.uint8)
    np.savez(folder / "l.npz", images=pictures, labels=np.arange(6), names=np.array(["a", "b"]))
    array_file(folder / "l.npz", rng)
    if rng.random() < 0.3:
        (folder / "l.npz").write_bytes(bytes_of((folder / "l.npz").read_bytes(), rng))
    return "s/l.npz"


def _coco(folder: Path, names: tuple[str, ...], rng: Rng) -> str:
    images = [{"id": k, "file_name": name, "width": 32, "height": 24} for k, name in enumerate(names)]
    rle = {"size": [24, 32], "counts": [100, 200, 468]}
    shapes = [[[1, 1, 20, 1, 20, 15]], rle, {"size": [24, 32], "counts": "0Ph0"}]
    objects = [
        {"id": k, "image_id": k, "category_id": 1, "bbox": [1, 2, 10, 12], "segmentation": shape, "iscrowd": k % 2}
        for k, shape in enumerate(shapes)
    ]
    found = {"images": images, "annotations": objects, "categories": [{"id": 1, "name": "cat"}]}
    for _ in range(int(rng.integers(1, 3))):
        found = json_of(found, rng)
    (folder / "l.json").write_text(json.dumps(found))
    return "s/l.json"


def _yolo(folder: Path, names: tuple[str, ...], rng: Rng) -> str:
    data = "path: .\ntrain: images/train\nval: images/val\nnames:\n  0: cat\n  1: dog\n"
    (folder / "data.yaml").write_bytes(bytes_of(data.encode(), rng) if rng.random() < 0.5 else data.encode())
    for name in names:
        label = (folder / name.replace("images", "labels")).with_suffix(".txt")
        label.parent.mkdir(parents=True, exist_ok=True)
        label.write_bytes(bytes_of(b"0 0.5 0.5 0.2 0.4\n1 0.1 0.1 0.9 0.1 0.5 0.8\n", rng))
    return "s"


def _picture(folder: Path, rng: Rng) -> list[str]:
    suffix = ("jpg", "png", "tif", "webp", "avif", "gif", "latent")[rng.integers(7)]
    if suffix == "latent":
        (folder / "a.latent").write_bytes(bytes_of(_latent(), rng))
        return ["decompress", "a.latent", "-o", "b.png", "--model", str(BUNDLES / "codec")] + (
            ["--salvage"] if rng.random() < 0.5 else []
        )
    deep = suffix in ("png", "tif") and rng.random() < 0.5
    pixels = rng.integers(0, 65536 if deep else 256, (40, 56, 3), dtype=np.uint16 if deep else np.uint8)
    good = folder / f"good.{'png' if suffix == 'gif' else suffix}"
    alpha = pixels[..., :1].copy() if suffix != "jpg" and rng.random() < 0.3 else None
    write(Picture(pixels, alpha=alpha), good)
    content = good.read_bytes()
    good.unlink()
    (folder / f"a.{suffix}").write_bytes(bytes_of(content, rng))
    return ["enhance", f"a.{suffix}", "-o", "out", "--strength", "0", "--model", str(BUNDLES / "restore")]


def _latent() -> bytes:
    from safelight.runtime.codec import Codec

    codec = Codec.load(BUNDLES / "codec", threads=1)
    values = np.arange(64 * 48 * 3, dtype=np.uint32).reshape(48, 64, 3)
    return codec.compress(Picture(values.astype(np.uint8)), 40)
