"""Sets from folders, arrays and lists, and what is no set."""

import json
import zipfile
from pathlib import Path

import numpy as np
import pytest

from safelight.dataset import ImageSet, open_set
from safelight.errors import PictureError, UsageError
from safelight.picture import Picture, write


def picture(rng: np.random.Generator, path: Path, size: tuple[int, ...] = (20, 24, 3)) -> np.ndarray:
    pixels = rng.integers(0, 256, size, dtype=np.uint8)
    path.parent.mkdir(parents=True, exist_ok=True)
    write(Picture(pixels), path)
    return pixels


def test_sub_folders_are_classes(rng, tmp_path):
    first = picture(rng, tmp_path / "b" / "deep" / "1.png")
    grey = picture(rng, tmp_path / "a" / "2.png", (16, 16, 1))
    picture(rng, tmp_path / "a" / ".thumbs" / "3.png")
    picture(rng, tmp_path / "aaa" / "4.png")
    (tmp_path / "b" / "notes.txt").write_text("no picture")
    picture(rng, tmp_path.parent / f"{tmp_path.name}-elsewhere" / "5.png")
    (tmp_path / "linked").symlink_to(tmp_path.parent / f"{tmp_path.name}-elsewhere")
    (tmp_path / "a" / "loop").symlink_to(tmp_path)
    images = open_set(tmp_path)
    assert images.other_files == {".txt": 1} and images.items[-1].name == "linked/5.png"
    images = ImageSet(images.items[:-1], images.load, images.identify)
    assert [(item.name, item.label) for item in images.items] == [
        ("a/2.png", "a"),
        ("aaa/4.png", "aaa"),
        ("b/deep/1.png", "b"),
    ]
    assert images.classes == ("a", "aaa", "b") and len(images) == 3
    np.testing.assert_array_equal(images.load(0).pixels, grey)
    np.testing.assert_array_equal(images.load(2).pixels, first)


def test_folders_that_are_called_train_and_test_are_parts(rng, tmp_path):
    for name in ("train/cat/1.png", "train/dog/2.png", "Test/cat/3.png", "val/4.png"):
        picture(rng, tmp_path / name)
    told = [(item.part, item.label) for item in open_set(tmp_path).items]
    assert told == [("test", "cat"), ("train", "cat"), ("train", "dog"), ("validation", None)]
    picture(rng, tmp_path / "cow" / "5.png")
    with pytest.raises(UsageError, match="Test, train, val, which sound like parts of a set, beside cow; put all"):
        open_set(tmp_path)


@pytest.mark.parametrize(
    ("names", "told"),
    [
        (("Training/cat/1.png", "Testing/cat/1.png"), [("test", "cat"), ("train", "cat")]),
        (("archive/train2017/cat/1.png", "archive/VAL/dog/1.png"), [("validation", "dog"), ("train", "cat")]),
        (
            ("cat/train/1.png", "cat/test_set/1.png", "dog/Train/1.png"),
            [("test", "cat"), ("train", "cat"), ("train", "dog")],
        ),
        (("train_data/1.png", "holdout/1.png"), [("test", None), ("train", None)]),
        (
            ("trainer/1.png", "contest/1.png", "evaluator/1.png"),
            [(None, "contest"), (None, "evaluator"), (None, "trainer")],
        ),
    ],
)
def test_parts_go_by_all_their_usual_names(rng, tmp_path, names, told):
    for name in names:
        picture(rng, tmp_path / name)
    assert [(item.part, item.label) for item in open_set(tmp_path).items] == told


def test_a_flat_folder_has_no_labels(rng, tmp_path):
    picture(rng, tmp_path / "1.png")
    assert open_set(tmp_path).items[0].label is None
    picture(rng, tmp_path / "a" / "2.png")
    with pytest.raises(UsageError, match="beside class folders"):
        open_set(tmp_path)


def test_files_of_every_kind_become_8_bits(rng, tmp_path):
    values = rng.integers(0, 65536, (16, 16, 3), dtype=np.uint16)
    write(Picture(values), tmp_path / "a16.tif")
    write(Picture((values / np.float32(65535)).astype(np.float32)), tmp_path / "b_float.tif")
    write(Picture((values / np.float32(6553)).astype(np.float32)), tmp_path / "c_far.tif")
    half = Picture(np.zeros((16, 16, 3), np.uint8), alpha=np.full((16, 16, 1), 51, np.uint8))
    write(half, tmp_path / "d_alpha.png")
    images = open_set(tmp_path)
    for index in (0, 1):
        assert images.load(index).pixels.dtype == np.uint8
        np.testing.assert_allclose(images.load(index).pixels, values / 257, atol=0.51)
    with pytest.raises(PictureError, match=r"float values .* scale them to \[0, 1\]"):
        images.load(2)
    assert np.unique(images.load(3).pixels) == [204], "alpha over white"


def test_arrays(rng, tmp_path):
    pixels = rng.integers(0, 256, (6, 16, 16), dtype=np.uint8)
    np.savez(tmp_path / "a.npz", images=pixels, labels=np.array([10, 9, 9, 10, 2, 2]), names=np.array(list("uvwxyz")))
    images = open_set(tmp_path / "a.npz")
    assert images.classes == ("2", "9", "10"), "numbers in their own order"
    assert images.items[1].name == "v" and images.items[1].label == "9"
    np.testing.assert_array_equal(images.load(3).pixels, pixels[3][..., None])
    np.savez(tmp_path / "n.npz", images=pixels, labels=np.array([1, 0, 0, 1, 1, 1]), names=np.array(["cat", "dog"]))
    images = open_set(tmp_path / "n.npz")
    assert images.classes == ("cat", "dog"), "names of classes"
    assert images.items[0].label == "dog" and images.items[0].name == "0"
    np.savez(
        tmp_path / "m.npz",
        train_images=pixels[..., None].repeat(3, -1) / 255,
        train_labels=np.arange(6)[:, None],
        val_images=pixels[:2].astype(np.uint16) * 257,
        test_images=pixels[:1],
    )
    images = open_set(tmp_path / "m.npz")
    assert [item.part for item in images.items] == ["train"] * 6 + ["validation"] * 2 + ["test"]
    assert images.items[6].name == "val/0" and images.items[6].label is None
    for index, pixel in ((5, pixels[5]), (6, pixels[0]), (8, pixels[0])):
        np.testing.assert_array_equal(images.load(index).pixels[..., 0], pixel)


@pytest.mark.parametrize(
    ("arrays", "reason"),
    [
        ({"images": np.zeros((3, 8, 8), np.uint8), "labels": np.zeros(2)}, "labels: 2 for 3 pictures"),
        ({"images": np.zeros((3, 8, 8), np.uint8), "names": np.array("one")}, "give one word or number"),
        ({"images": np.zeros((3, 8, 8), np.uint8), "names": np.array(["a", "b"])}, "names: 2 for 3 pictures"),
        (
            {"images": np.zeros((3, 8, 8), np.uint8), "labels": np.array([0, 1, 2]), "names": np.array(["a", "b"])},
            "names: 2 for 3 pictures",
        ),
        ({"images": np.zeros((30, 40, 3), np.uint8)}, "has shape"),
        ({"images": np.zeros((2, 0, 8), np.uint8)}, "has shape"),
        ({"images": np.zeros((2, 8, 8), np.uint32)}, "convert it to uint8"),
        ({"images": np.full((2, 8, 8), 255.0)}, r"scale them to \[0, 1\]"),
        ({"images": np.full((2, 8, 8), np.nan)}, r"scale them to \[0, 1\]"),
        ({"images": np.zeros((2, 8, 8), np.int64)}, "convert it to uint8"),
        ({"images": np.zeros((2, 8, 8, 4), np.uint8)}, "has shape"),
        ({"images": np.zeros((2, 8, 8), np.uint8), "labels": np.zeros((2, 3))}, "give one word or number"),
        ({"pictures": np.zeros((2, 8, 8), np.uint8)}, "name them 'images'"),
        ({"images": np.zeros((0, 8, 8), np.uint8)}, "holds no pictures"),
        ({"images": np.array([object()], dtype=object)}, "plain arrays"),
    ],
)
def test_wrong_arrays(tmp_path, arrays, reason):
    np.savez(tmp_path / "a.npz", **arrays)
    with pytest.raises(UsageError, match=reason) as caught:
        open_set(tmp_path / "a.npz")
    assert "\n" not in str(caught.value) and "a.npz" in str(caught.value)


def test_lists(rng, tmp_path):
    pixels = picture(rng, tmp_path / "files" / "1.png")
    picture(rng, tmp_path / "files" / "2.png")
    (tmp_path / "list.csv").write_text("image, label, split, more\nfiles/1.png,cat,train,x\nfiles/2.png,dog,val,y\n")
    rows = [{"image": "files/1.png", "label": "cat", "split": "train"}, {"image": "files/2.png", "label": "dog"}]
    (tmp_path / "list.jsonl").write_text("\n".join(map(json.dumps, rows)) + "\n\n")
    for name, part in (("list.csv", "validation"), ("list.jsonl", None)):
        images = open_set(tmp_path / name)
        assert [(item.label, item.part) for item in images.items] == [("cat", "train"), ("dog", part)]
        np.testing.assert_array_equal(images.load(0).pixels, pixels)


@pytest.mark.parametrize(
    ("name", "content", "reason"),
    [
        ("a.csv", "file,label\n1.png,a\n", "needs a column 'image'"),
        ("a.csv", "", "lists no pictures"),
        ("a.csv", "image,split\n1.png,later\n", "split 'later' is not known"),
        ("a.csv", "image,label\n1.png,a\n2.png,\n", "1 of 2 pictures have no label"),
        ("a.csv", b"image\n\xff\xfe\n", "save it as UTF-8"),
        ("a.jsonl", '{"image": "1.png"}\nnonsense\n', "line 2 is no JSON"),
        ("a.jsonl", "[1]\n", "line 1 is no object"),
        ("a.csv", 'image,label\n"1.png,a\n' + "x" * 140_000, "cannot be read"),
        ("a.csv", "image\na\x00b.png\n", "characters that no file has|cannot be read"),
        ("a.jsonl", '{"image": "a\\ud83d.png"}', "characters that no file has"),
        ("a.jsonl", "[" * 100_000, "line 1 is no JSON"),
        ("a.npz", b"PK\x03\x04 broken", "no .npz of plain arrays|cannot be read"),
        ("a.npz", b"", "no .npz of plain arrays|cannot be read"),
        ("a.txt", "x", "is no set of pictures"),
    ],
)
def test_wrong_files(tmp_path, name, content, reason):
    (tmp_path / name).write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(UsageError, match=reason) as caught:
        open_set(tmp_path / name)
    assert "\n" not in str(caught.value)


def test_what_is_not_there(tmp_path):
    with pytest.raises(UsageError, match="does not exist"):
        open_set(tmp_path / "nowhere")
    with pytest.raises(UsageError, match="holds no pictures"):
        open_set(tmp_path)


def damage(path: Path, start: int, count: int) -> None:
    content = bytearray(path.read_bytes())
    content[start : start + count] = b"\xff\xd3" * (count // 2)
    path.write_bytes(content)


def test_damaged_and_deceptive_archives_are_one_line(rng, tmp_path):
    path = tmp_path / "a.npz"
    np.savez_compressed(path, images=rng.integers(0, 9, (50, 20, 20), dtype=np.uint8))
    damage(path, 1000, 300)
    with pytest.raises(UsageError, match="of plain arrays") as caught:
        open_set(path)
    assert "\n" not in str(caught.value)
    header = "{'descr': '|u1', 'fortran_order': False, 'shape': (1000000000000, 50, 50), }".ljust(117) + "\n"
    for content in (b"no array", b"\x93NUMPY\x01\x00\x76\x00" + header.encode()):
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("images.npy", content)
        with pytest.raises(UsageError, match=r"no \.npz of plain arrays|holds no pictures"):
            open_set(path)


def test_a_damaged_jpeg_is_read_with_a_warning(rng, tmp_path):
    path = tmp_path / "a.jpg"
    write(Picture(rng.integers(0, 256, (64, 64, 3), dtype=np.uint8)), path)
    damage(path, path.stat().st_size // 2, 30)
    assert "damaged" in open_set(tmp_path).load(0).warnings[0]


def test_the_projects_own_sets_open(data):
    for name, count, classes in (
        ("mnist_train", 60_000, 10),
        ("neu_defects_64", 1800, 6),
        ("pneumonia_mnist", 5030, 2),
    ):
        images = open_set(data / "labelled" / f"{name}.npz")
        assert len(images) == count and len(images.classes) == classes
    assert "scratches" in open_set(data / "labelled" / "neu_defects_64.npz").classes
