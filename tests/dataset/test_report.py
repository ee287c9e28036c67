"""What is told of a set, and which pictures are nearly the same."""

import json
import os
from pathlib import Path

import numpy as np
import pytest

from safelight.dataset import ImageSet, Item, Loaded, inspect_set
from safelight.dataset.alike import ALIKE, BLOCK, groups, sketch
from safelight.degrade import DegradeStep, draw, replay
from safelight.errors import PictureError
from safelight.picture import Picture, read, write
from safelight.work import Progress
from tests.support import ROOT, run_cli


def scenes(rng: np.random.Generator, count: int, size: int = 32) -> list[np.ndarray]:
    blur = draw([DegradeStep.fixed("gaussian_blur", sigma_px=3)], 0)
    smooth = [replay(rng.random((size, size, 3)).astype(np.float32), blur) for _ in range(count)]
    return [np.rint(255 * np.clip(4 * (s - 0.5) + 0.5, 0, 1)).astype(np.uint8) for s in smooth]


def image_set(
    pixels: list[np.ndarray | None],
    labels: list[str],
    parts: list[str | None] | None = None,
    in_doubt: int | None = None,
) -> ImageSet:
    def load(index: int) -> Loaded:
        if pixels[index] is None:
            raise PictureError(f"{index}: broken")
        return Loaded(pixels[index], ("has 5 pages",) if index == in_doubt else ())

    parts = parts or [None] * len(pixels)
    return ImageSet(tuple(Item(str(k), labels[k], parts[k]) for k in range(len(pixels))), load, str)


@pytest.mark.parametrize("workers", [1, 3])
def test_everything_that_is_wrong_is_named(rng, workers):
    a, b, c, d = scenes(rng, 4)
    brighter = np.rint(30 + 0.8 * a.astype(float)).astype(np.uint8)
    flat = np.full((32, 32, 3), 7, np.uint8)
    images = image_set(
        [a, b, b.copy(), None, c[:20, :, :1], brighter, flat, flat + 1, d],
        ["x", "x", "x", "x", "y", "y", "y", "y", "z"],
        ["train", "train", "test", "train", "train", "train", "train", "train", "test"],
        in_doubt=1,
    )
    seen = []
    report = inspect_set(images, workers, seen.append)
    assert report.pictures == 8 and report.grey == 1 and seen[-1] == Progress(9, 9, "8")
    assert report.classes == {"x": 3, "y": 4, "z": 1}
    assert report.parts == {"train": 6, "test": 2}
    assert report.sizes == {"32x32": 7, "32x20": 1} and report.side_px == 32
    assert report.unreadable == ["3: broken"] and report.doubtful == ["1: has 5 pages"]
    assert report.duplicates == [["1", "2"]]
    assert report.alike == [["0", "5"]], "of another exposure; flat pictures are alike to nothing"
    assert report.contradictions == [["0", "5"]]
    assert report.leaks == [["1", "2"]]
    told = "\n".join(report.warnings)
    assert all(word in told for word in ("single picture", "several labels", "several parts", "cannot be read"))


def test_one_class_is_said_and_a_sound_set_is_not_warned_of(rng):
    assert "one class" in inspect_set(image_set(scenes(rng, 3), ["a"] * 3)).warnings[0]
    assert inspect_set(image_set(scenes(rng, 4), ["a", "b", "a", "b"])).warnings == []
    assert inspect_set(image_set([None], ["a"])).pictures == 0


def test_what_is_not_told_contradicts_nothing(rng):
    (a,) = scenes(rng, 1)
    report = inspect_set(image_set([a, a], ["x", None], ["train", None]))
    assert report.duplicates and not report.contradictions and not report.leaks


def test_a_surprise_is_one_pictures_own(rng):
    def load(index: int) -> Loaded:
        if index == 1:
            raise MemoryError("too much")
        return Loaded(scenes(rng, 1)[0])

    report = inspect_set(ImageSet((Item("a"), Item("b"), Item("c")), load, str))
    assert report.pictures == 2 and report.unreadable == ["b: cannot be read (MemoryError: too much)"]


def test_saved_again_is_alike_and_another_photograph_is_not():
    photos = [read(path) for path in sorted((ROOT / "examples" / "samples").glob("*.webp"))]
    vectors = [sketch(photo.with_depth(8).pixels) for photo in photos]
    for photo, vector in zip(photos, vectors, strict=True):
        again = replay(photo.as_float(), draw([DegradeStep.fixed("jpeg", quality=50)], 0))
        smaller = photo.with_depth(8).pixels[::2, ::2]
        for other in (np.rint(255 * again).astype(np.uint8), smaller):
            assert vector @ sketch(other) >= ALIKE
    cosines = np.stack(vectors) @ np.stack(vectors).T
    assert (cosines - np.eye(len(photos))).max() < 0.9


@pytest.mark.parametrize("shape", [(1, 1, 1), (5, 40, 3), (16, 16, 1), (17, 300, 3)])
def test_any_size_has_a_sketch(rng, shape):
    vector = sketch(rng.integers(0, 256, shape, dtype=np.uint8))
    assert vector.shape == (256,) and np.linalg.norm(vector) == pytest.approx(1 if shape != (1, 1, 1) else 0, abs=1e-5)


def test_groups_are_those_of_all_pairs(rng):
    """Against the plain comparison, with more vectors than one block and pairs across its border."""
    centres = rng.standard_normal((BLOCK, 256)).astype(np.float32)
    vectors = np.concatenate([centres, centres[:300] + 0.03 * rng.standard_normal((300, 256)).astype(np.float32)])
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    cosines = np.triu(vectors @ vectors.T, 1)
    pairs = [[int(i), int(j)] for i, j in np.argwhere(cosines >= ALIKE)]
    assert len(pairs) > 100
    assert groups(vectors) == sorted(pairs)
    middle = vectors[:1] + 0
    a, b = (middle + 0.055 * (v - (v @ middle.T) * middle) for v in (centres[1:2] / 16, -centres[1:2] / 16))
    chain = np.concatenate([v / np.linalg.norm(v) for v in (a, middle, b)])
    assert chain[0] @ chain[2] < ALIKE < min(chain[0] @ chain[1], chain[1] @ chain[2])
    for order in ([0, 1, 2], [2, 0, 1], [1, 2, 0]):
        assert groups(chain[order]) == [[0, 1, 2]], "one that is alike to both joins them, whatever the order"
    assert groups(np.zeros((5, 256), np.float32)) == [] == groups(np.zeros((0, 256), np.float32))


def test_the_verb(rng, tmp_path):
    for k, pixels in enumerate(scenes(rng, 4)):
        (tmp_path / "set" / "ab"[k % 2]).mkdir(parents=True, exist_ok=True)
        write(Picture(pixels), tmp_path / "set" / "ab"[k % 2] / f"{k}.png")
    sound = run_cli("data", tmp_path / "set")
    assert sound.returncode == 0 and "4 pictures: 4 in colour" in sound.stdout and "2 classes" in sound.stdout
    assert "detail: pictures of 16 px, not 32, would hold nearly all of it; size_px = 16" in sound.stdout
    (tmp_path / "set" / "a" / "bad.png").write_bytes(b"no")
    (tmp_path / "set" / "a" / "notes.txt").write_text("no picture")
    for odd in (b"\xff1.png", b"\xff\n2.png"):  # names that are no UTF-8, of one picture
        Path(os.fsdecode(os.fsencode(tmp_path / "set" / "a") + b"/" + odd)).write_bytes(
            (tmp_path / "set" / "a" / "0.png").read_bytes()
        )
    strict = os.environ | {"PYTHONIOENCODING": "utf-8:strict"}
    broken = run_cli("data", tmp_path / "set", "--json", env=strict)
    assert broken.returncode == 1 and len(json.loads(broken.stdout)["unreadable"]) == 1
    told = run_cli("data", tmp_path / "set", env=strict)
    assert told.returncode == 1 and "Traceback" not in told.stderr
    assert "groups of pictures with the same pixels: 1" in told.stdout and "not looked at: 1" in told.stdout
    for path in (tmp_path / "set").glob("*/[0-9].png"):
        write(Picture(rng.integers(0, 256, (32, 32, 3), dtype=np.uint8)), path)
    assert "detail: " not in run_cli("data", tmp_path / "set").stdout
    nothing = run_cli("data", tmp_path / "nowhere")
    assert nothing.returncode == 2 and nothing.stderr.count("\n") == 1
