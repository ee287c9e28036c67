"""Lists as spreadsheets and Windows write them."""

import numpy as np
import pytest

from safelight.dataset import open_set
from safelight.dataset.parts import part_of
from safelight.errors import UsageError
from safelight.picture import Picture, write

ROWS = (("im/0.png", "cat"), ("im/1.png", "dog"))


@pytest.fixture
def folder(tmp_path, rng):
    (tmp_path / "im").mkdir()
    for name, _ in ROWS:
        write(Picture(rng.integers(0, 256, (16, 16, 3), dtype=np.uint8)), tmp_path / name)
    return tmp_path


@pytest.mark.parametrize(
    ("separator", "header"),
    [(",", "image,label"), (";", "image;label"), ("\t", "Image\tLabel"), (",", "\ufeffIMAGE, LABEL")],
)
@pytest.mark.parametrize("slash", ["/", "\\"])
def test_separators_capitals_marks_and_backslashes(folder, separator, header, slash):
    lines = [header, *(separator.join((name.replace("/", slash), label)) for name, label in ROWS)]
    (folder / "l.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    images = open_set(folder / "l.csv")
    assert [(item.name, item.label) for item in images.items] == list(ROWS)
    assert images.load(1).pixels.shape == (16, 16, 3)


def test_other_encodings_are_named(folder):
    (folder / "l.csv").write_text("image,label\nim/0.png,größe\n", encoding="latin-1")
    with pytest.raises(UsageError, match="save it as UTF-8"):
        open_set(folder / "l.csv")


@pytest.mark.parametrize("separator", [";", ",", "\t"])
def test_lists_as_spreadsheets_write_them(folder, separator):
    lines = ["sep=" + separator, separator.join(["image", "label"]), separator.join(["im/0.png", "cat"])]
    (folder / "l.csv").write_text("\r\n".join(lines), encoding="utf-32")
    assert [item.label for item in open_set(folder / "l.csv").items] == ["cat"]


def test_folders_without_readable_pictures_say_what_they_hold(tmp_path):
    for k in range(3):
        (tmp_path / f"{k}.bmp").write_bytes(b"BM")
    with pytest.raises(UsageError, match=r"holds no pictures that are read, but 3 \.bmp; convert them to PNG first"):
        open_set(tmp_path)


@pytest.mark.parametrize(
    ("name", "part"), [("seg_train", "train"), ("trn", "train"), ("tst", "test"), ("seg_test", "test")]
)
def test_other_names_of_parts(name, part):
    assert part_of(name) == part
