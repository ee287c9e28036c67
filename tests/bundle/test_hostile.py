"""Bundles from strangers: one line and no harm, whatever their numbers say."""

import json
import os
import shutil
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from safelight.bundle import find_bundle
from safelight.bundle.card import Card
from safelight.errors import BundleError
from safelight.picture import Picture
from safelight.runtime.codec import Codec
from safelight.runtime.images import Vae
from safelight.runtime.restore import Restorer
from safelight.work import file_sha256
from tests.support import BUNDLES

PICTURE = Picture(np.arange(64 * 48 * 3, dtype=np.uint32).reshape(48, 64, 3).astype(np.uint8))


def used(folder: Path) -> None:
    """Everything that a person would do with it."""
    task = json.loads((folder / "card.json").read_text()).get("task")
    if task == "restore":
        restored = Restorer.load(folder, threads=1).enhance(PICTURE, samples=1)
        restored.interval(0.5)
    elif task == "images":
        vae = Vae.load(folder, threads=1)
        for sampler in vae.samplers:
            vae.sample(2, [0, 0] if vae.card.conditional else None, sampler=sampler)
        assert vae.training_identities is not None
    else:
        codec = Codec.load(folder, threads=1)
        codec.decompress(codec.compress(PICTURE, 40))


def resealed(kind: str, folder: Path, change: Callable[[Path], None]) -> Path:
    """A bundle with something changed and right checksums."""
    shutil.copytree(BUNDLES / kind, folder)
    change(folder)
    names = [line.split()[1] for line in (folder / "SHA256SUMS").read_text().splitlines()]
    sums = (f"{file_sha256(folder / name)}  {name}\n" for name in names if (folder / name).is_file())
    (folder / "SHA256SUMS").write_text("".join(sums))
    return folder


def card_with(*path: object, value: object) -> Callable[[Path], None]:
    def change(folder: Path) -> None:
        card = json.loads((folder / "card.json").read_text())
        place = card
        for key in path[:-1]:
            place = place[key]
        place[path[-1]] = value
        (folder / "card.json").write_text(json.dumps(card))

    return change


def json_with(file: str, key: str, value: object) -> Callable[[Path], None]:
    def change(folder: Path) -> None:
        known = json.loads((folder / file).read_text())
        (folder / file).write_text(json.dumps(known | {key: value}))

    return change


def array_with(file: str, name: str, change_of: Callable[[np.ndarray], np.ndarray]) -> Callable[[Path], None]:
    def change(folder: Path) -> None:
        with np.load(folder / file) as arrays:
            known = {key: arrays[key] for key in arrays}
        np.savez(folder / file, **(known | {name: change_of(known[name])}))

    return change


def graph_with(file: str, other: str) -> Callable[[Path], None]:
    def change(folder: Path) -> None:
        shutil.copy(folder / other, folder / file)

    return change


MAY_BE_0 = ("mean_halo_px", "synthesis_halo")
HUGE = [1e12, 10**12, -1, 0, 10**40, "x", None, [], float("nan"), float("inf")]
CARDS = [
    ("restore", "size_multiple"),
    ("restore", "mean_halo_px"),
    ("restore", "noise_inputs", 0, "channels"),
    ("restore", "noise_inputs", 1, "stride_px"),
    ("images", "height"),
    ("images", "width"),
    ("images", "latents", 0, 0),
    ("codec", "groups", 0, "channels"),
    ("codec", "synthesis_halo"),
]


@pytest.mark.parametrize(
    ("place", "value"),
    [
        pytest.param(place, value, id=f"{'-'.join(map(str, place))}-{value}")
        for place in CARDS
        for value in HUGE
        if value != 0 or isinstance(value, str | list) or place[-1] not in MAY_BE_0
    ],
)
def test_numbers_of_cards(tmp_path, place, value):
    kind, *path = place
    folder = resealed(kind, tmp_path / "bundle", card_with(*path, value=value))
    with pytest.raises(BundleError) as caught:
        used(folder)
    assert "\n" not in str(caught.value) and len(str(caught.value)) < 500


@pytest.mark.parametrize(
    ("kind", "change"),
    [
        ("restore", json_with("calibration.json", "std_factor", float("inf"))),
        ("restore", json_with("calibration.json", "draw_factor", 1e300)),
        ("restore", json_with("calibration.json", "quantiles", [float("nan"), 2.0])),
        ("restore", json_with("calibration.json", "levels", [0.5, 7.0])),
        ("restore", array_with("familiar.npz", "limit", lambda a: a * 0)),
        ("restore", array_with("familiar.npz", "reference", lambda a: a[:, :1])),
        ("restore", array_with("familiar.npz", "error", lambda a: a[:0])),
        ("restore", array_with("familiar.npz", "centre", lambda a: np.full_like(a, np.nan))),
        *(
            ("images", json_with("card.json", "detail", {"steps": steps, "scale": scale, "is_drawn": True}))
            for steps, scale in (
                (2, [0.1]),  # there is no graph
                (2, [0.1, 0.1]),
                (2, []),
                (2, [float("nan")]),
                (2, [1e9]),
                (0, [0.1]),
                (10**9, [0.1]),
            )
        ),
        ("images", array_with("latents.npz", "weights", lambda a: a * 0)),
        ("images", array_with("latents.npz", "means", lambda a: a[:, :3])),
        ("images", array_with("latents.npz", "factors", lambda a: np.full_like(a, np.inf))),
        ("images", array_with("latents.npz", "activity", lambda a: a[:2])),
        ("images", graph_with("decode.onnx", "encode.onnx")),
        ("images", lambda folder: (folder / "latents.npz").write_bytes(b"PK\3\4 broken")),
        ("images", lambda folder: (folder / "seen.npy").write_bytes(b"\x93NUMPY broken")),
        ("codec", graph_with("synthesis.onnx", "analysis.onnx")),
        ("codec", json_with("programs.json", "analysis", {"inputs": {}, "operations": [], "outputs": ["none"]})),
        ("codec", json_with("programs.json", "analysis", "x")),
    ],
)
def test_parts_that_do_not_fit(tmp_path, kind, change):
    folder = resealed(kind, tmp_path / "bundle", change)
    with pytest.raises(BundleError) as caught:
        used(folder)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("file", ["card.json", "SHA256SUMS", "weights.safetensors"])
def test_pipes_and_devices_in_place_of_files(tmp_path, file):
    folder = shutil.copytree(BUNDLES / "images", tmp_path / "bundle")
    (folder / file).unlink()
    os.mkfifo(folder / file)
    with pytest.raises(BundleError):
        find_bundle(folder, Card)
    (folder / file).unlink()
    (folder / file).symlink_to("/dev/zero")
    with pytest.raises(BundleError):
        find_bundle(folder, Card)


def test_json_that_is_deep_or_long(tmp_path):
    for content in ("[" * 100_000, '{"a":' * 50_000, " " * (2 << 20) + "{}", "{" + '"a":1,' * 10 + '"a":1}'):
        folder = resealed("images", tmp_path / "bundle", lambda f, c=content: (f / "card.json").write_text(c))
        with pytest.raises(BundleError):
            find_bundle(folder, Card)
        shutil.rmtree(folder)


def test_zips_that_unpack_to_more_than_there_is_room(tmp_path, monkeypatch):
    monkeypatch.setattr("safelight.bundle.bundle.MOST_BYTES", 1000)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    with zipfile.ZipFile(tmp_path / "bomb.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("card.json", b"0" * 5000)
    with pytest.raises(BundleError, match="unpacks to more than"):
        find_bundle(tmp_path / "bomb.zip", Card)
    assert not [*(tmp_path / "cache").rglob("card.json")]
