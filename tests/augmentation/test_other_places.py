"""Sets whose texts are in UTF-16, whose names lead elsewhere, and whose labels are of other pixels than one sees."""

import codecs
import json
from pathlib import Path

import numpy as np
import pytest
import yaml
from PIL import Image

from safelight.augmentation.sets import open_augmentable
from safelight.augmentation.sets.coco_read import RunLengths
from safelight.dataset import open_set
from safelight.errors import UsageError
from safelight.picture import Picture, write
from safelight.settings import read_toml
from tests.augmentation.augment_support import augment, made
from tests.augmentation.odd_support import RECIPE, annotation, coco, objects_of, picture

WIDE = [("utf-16-le", codecs.BOM_UTF16_LE), ("utf-16-be", codecs.BOM_UTF16_BE)]
NAMES = ["names: [a, b]", "names: ['a', 'b']", "names:\n- a\n- b", "names:\n  0: a\n  1: b", "names: {0: a, 1: b}"]


def yolo(rng, folder: Path, rows: str, config: str = "") -> Path:
    picture(rng, folder / "images/a.png")
    (folder / "labels").mkdir()
    (folder / "labels/a.txt").write_text(rows)
    if config:
        (folder / "data.yaml").write_text(config)
    return folder


@pytest.mark.parametrize(("encoding", "mark"), WIDE)
def test_texts_in_utf_16(tmp_path, rng, encoding, mark):
    def widen(path: Path) -> None:
        path.write_bytes(mark + path.read_text().encode(encoding))

    folder = yolo(rng, tmp_path / "yolo", "1 0.5 0.5 0.2 0.2\r\n0 0.3 0.3 0.1 0.1\r\n", "path: /old\nnames: [a, b]\n")
    listed = coco(tmp_path / "yolo/images/list.json", [annotation(1)], names=("a.png",), ids=(1,))
    (tmp_path / "list.csv").write_text("image,label\nyolo/images/a.png,Größe\n")
    (tmp_path / "list.jsonl").write_text('{"image": "yolo/images/a.png", "label": "Größe"}\n')
    (tmp_path / "a.toml").write_text("a = 1\n")
    for name in ("yolo/labels/a.txt", "yolo/data.yaml", "list.csv", "list.jsonl", "a.toml"):
        widen(tmp_path / name)
    assert objects_of(folder) == [2]
    assert read_toml(tmp_path / "a.toml") == {"a": 1}
    for name in ("list.csv", "list.jsonl"):
        assert [item.label for item in open_set(tmp_path / name).items] == ["Größe"]
    widen(listed)
    assert objects_of(listed) == [1]


@pytest.mark.parametrize("names", NAMES)
def test_classes_without_a_name_are_dropped_and_counted(tmp_path, rng, names):
    folder = yolo(rng, tmp_path / "set", "0 0.5 0.5 0.2 0.2\n2 0.5 0.5 0.2 0.2\n1 0.5 0.5 0.1 0.1\n", names + "\n")
    (remark,) = open_augmentable(folder).remarks
    assert remark.startswith("1 objects were left out") and "class 2 has no name in data.yaml, which names 2" in remark
    assert objects_of(folder) == [2]
    with pytest.raises(UsageError, match="line 2: class 2 has no name"):
        open_augmentable(folder, strict=True)


@pytest.mark.parametrize("config", ["", "train: images\n", "names: [\n", "names: []\n", "- 3\n", "[" * 100_000])
def test_without_names_every_class_is_right(tmp_path, rng, config):
    assert objects_of(yolo(rng, tmp_path / "set", "7 0.5 0.5 0.2 0.2\n", config)) == [1]


@pytest.mark.parametrize("is_here", [True, False])
@pytest.mark.parametrize("style", ["posix", "windows", "above"])
def test_names_that_lead_elsewhere(tmp_path, rng, style, is_here):
    folder = tmp_path / "set/pictures"
    for name in ("one/a.png", "two/a.png"):
        picture(rng, folder / name)
    home = {"posix": str(folder) if is_here else "/data/old", "windows": "C:\\data\\old", "above": "../pictures"}[style]
    separator = "\\" if style == "windows" else "/"
    names = tuple(separator.join([home, part, "a.png"]) for part in ("one", "two"))
    path = coco(tmp_path / "set" / ("lists/list.json" if is_here or style == "above" else "pictures/list.json"),
                [annotation(1), annotation(2, 2)], names)  # fmt: skip
    if style == "windows" and is_here:
        path = path.rename(folder / "list.json")
    assert objects_of(path) == [1, 1]
    (tmp_path / "r.toml").write_text(RECIPE)
    before = {p: p.read_bytes() for p in folder.rglob("*.png")}
    made(augment(path, "-o", "out", "--recipe", "r.toml", "--copies", 1, home=tmp_path))
    out = {str(p.relative_to(tmp_path / "out")) for p in (tmp_path / "out").rglob("*.png")}
    assert out == {f"images/{part}/a{kind}.png" for part in ("one", "two") for kind in ("", ".v1")}
    assert {p: p.read_bytes() for p in folder.rglob("*.png")} == before
    listed = [image["file_name"] for image in json.loads((tmp_path / "out/annotations.json").read_text())["images"]]
    assert sorted(listed) == sorted(f"{part}/a{kind}.png" for part in ("one", "two") for kind in ("", ".v1"))


@pytest.mark.parametrize(("orientation", "words"), [(6, "before its EXIF turns it"), (1, "mend the annotations")])
def test_annotations_of_pixels_before_exif_turns_them(tmp_path, rng, orientation, words):
    exif = Image.Exif()
    exif[0x0112] = orientation
    size = (64, 48) if orientation == 6 else (48, 64)
    Image.new("RGB", size).save(tmp_path / "a.jpg", exif=exif)
    path = coco(tmp_path / "list.json", [annotation(1)], names=("a.jpg",), ids=(1,))
    with pytest.raises(UsageError, match=words):
        open_augmentable(path).check()


def test_names_on_several_drives(tmp_path):
    path = coco(tmp_path / "list.json", [], names=("C:/a.png", "/b.png"))
    with pytest.raises(UsageError, match="several drives"):
        open_augmentable(path)


@pytest.mark.parametrize("name", ["labels.csv", "metadata.jsonl", "notes.json", "one/x.xml"])
def test_labels_that_a_folder_would_lose(tmp_path, rng, name):
    for picture_name in ("one/x.png", "one/y.png", "one/z.png"):
        picture(rng, tmp_path / "set" / picture_name)
    (tmp_path / "set" / name).write_text("{}")
    with pytest.raises(UsageError, match="labels in it would be lost"):
        open_augmentable(tmp_path / "set")


@pytest.mark.parametrize("place", ["a.json", "annotations/a.json", "one/two/a.json"])
def test_coco_is_found_where_it_lies(tmp_path, rng, place):
    picture(rng, tmp_path / "set/images/a.png")
    path = coco(tmp_path / "set" / place, [annotation(1)], names=("a.png",), ids=(1,))
    known = json.loads(path.read_text())
    known = {"images": known["images"], "filler": "x" * 3_000_000, **known}
    path.write_text(json.dumps(known), encoding="utf-16")
    if place == "one/two/a.json":
        with pytest.raises(UsageError, match=r"not in|missing"):
            open_augmentable(tmp_path / "set")
    else:
        assert len(open_augmentable(tmp_path / "set").names) == 1


def test_coco_without_categories_says_so(tmp_path, rng):
    picture(rng, tmp_path / "set/images/a.png")
    path = coco(tmp_path / "set/a.json", [annotation(1)], names=("a.png",), ids=(1,))
    path.write_text(json.dumps({"images": json.loads(path.read_text())["images"]}))
    with pytest.raises(UsageError, match="is no COCO file"):
        open_augmentable(tmp_path / "set")


def test_what_stays_out_of_a_class_set_is_told(tmp_path, rng):
    for name in ("a/1.png", "b/1.png"):
        picture(rng, tmp_path / "set" / name)
    (tmp_path / "set/a/2.bmp").write_bytes(b"BM")
    assert open_augmentable(tmp_path / "set").remarks[0].endswith("1 .bmp: files that are not read stay out")


@pytest.mark.parametrize("x", [0, 5, 21])
def test_masks_by_run_lengths_have_sides_of_whole_pixels(x):
    mask = np.zeros((48, 64), int)
    mask[7:19, x : x + 20] = 1
    flat = mask.T.ravel()
    edges = np.flatnonzero(np.diff(np.concatenate([[0], flat, [0]])))
    counts = np.diff([0, *edges, len(flat)]).tolist()
    (outline,) = RunLengths(
        size=(48, 64), counts=[count for count in counts if count] if x else [7, *counts[1:]]
    ).polygons()
    corners = np.array(outline).reshape(-1, 2)
    assert corners.min(axis=0).tolist() == [x, 7] and corners.max(axis=0).tolist() == [x + 20, 19]


def test_run_lengths_of_another_size_are_dropped(tmp_path, rng):
    picture(rng, tmp_path / "a.png")
    outline = {"size": [64, 48], "counts": [0, 3072]}
    path = coco(tmp_path / "l.json", [annotation(1, segmentation=outline)], names=("a.png",), ids=(1,))
    assert "its run lengths are of a picture of 48x64" in open_augmentable(path).remarks[0]


@pytest.mark.parametrize(
    "config",
    ['"path": /old\ntrain: images\n', "{path: /old, train: images}", "  path: /old\n  train: images\n",
     "train: /old/set/images\n", "path: C:\\old\ntrain: C:\\old\\images\n"],
)  # fmt: skip
def test_a_new_set_leads_nowhere_else(tmp_path, rng, config):
    folder = yolo(rng, tmp_path / "set", "0 0.5 0.5 0.2 0.2\n", config)
    (tmp_path / "r.toml").write_text(RECIPE)
    made(augment(folder, "-o", "out", "--recipe", "r.toml", "--copies", 1, home=tmp_path))
    found = yaml.safe_load((tmp_path / "out/data.yaml").read_text())
    assert found.get("path", ".") == "." and found["train"] == "images"


def test_two_pictures_of_one_label_file(tmp_path, rng):
    folder = yolo(rng, tmp_path / "set", "0 0.5 0.5 0.2 0.2\n")
    picture(rng, folder / "images/a.tif")
    with pytest.raises(UsageError, match="have one label file"):
        open_augmentable(folder)


def test_parts_with_numbers_before_them(tmp_path, rng):
    for part in ("01_train", "02-val", "3 test"):
        picture(rng, tmp_path / "set" / part / "cat" / "1.png")
    images = open_set(tmp_path / "set")
    assert [item.part for item in images.items] == ["train", "validation", "test"] and images.classes == ("cat",)


@pytest.mark.parametrize("is_alone", [True, False])
def test_yolo_pictures_that_are_not_read_take_their_labels_along(tmp_path, rng, is_alone):
    folder = yolo(rng, tmp_path / "set", "0 0.5 0.5 0.2 0.2\n")
    (folder / "images/z.bmp").write_bytes(b"BM")
    (folder / "labels/z.txt").write_text("0 0.5 0.5 0.2 0.2\n")
    if is_alone:
        (folder / "images/a.png").unlink()
        with pytest.raises(UsageError, match=r"but 1 \.bmp; convert them to PNG"):
            open_augmentable(folder)
        return
    assert "1 pictures of kinds that are not read (images/z.bmp first) stay out" in open_augmentable(folder).remarks
    (tmp_path / "r.toml").write_text(RECIPE)
    made(augment(folder, "-o", "out", "--recipe", "r.toml", "--copies", 1, home=tmp_path))
    assert not list((tmp_path / "out").rglob("z.*"))


def test_masks_that_are_not_read_are_named(tmp_path, rng):
    picture(rng, tmp_path / "set/images/a.png")
    (tmp_path / "set/masks").mkdir()
    (tmp_path / "set/masks/a.bmp").write_bytes(b"BM")
    with pytest.raises(UsageError, match="its mask is of a kind that is not read; convert it to PNG"):
        open_augmentable(tmp_path / "set")


@pytest.mark.parametrize("suffix", [".png", ".jpg", ".webp", ".tif"])
def test_damaged_pictures_stay_out_of_the_new_set(tmp_path, rng, suffix):
    for name in ("a/whole", "a/cut", "b/whole"):
        picture(rng, tmp_path / "set" / f"{name}{suffix}")
    cut = tmp_path / "set/a" / f"cut{suffix}"
    cut.write_bytes(cut.read_bytes()[: cut.stat().st_size * 2 // 3])
    (tmp_path / "r.toml").write_text(RECIPE)
    done = augment(tmp_path / "set", "-o", "out", "--recipe", "r.toml", "--copies", 1, home=tmp_path)
    assert done.returncode == 1 and f"cut{suffix}" in done.stderr
    assert not (tmp_path / "out/a" / f"cut{suffix}").exists() and (tmp_path / "out/a" / f"whole{suffix}").exists()


@pytest.mark.parametrize(
    "name", ["LABELS.CSV", "labels.tsv", "meta/labels.csv", "JPEGImages/_annotations.csv", "Annotations/1.xml", "1.XML"]
)
def test_labels_in_other_places_would_be_lost(tmp_path, rng, name):
    for number in range(3):
        picture(rng, tmp_path / "set/JPEGImages" / f"{number}.png")
    (tmp_path / "set" / name).parent.mkdir(exist_ok=True)
    (tmp_path / "set" / name).write_text("<annotation/>")
    with pytest.raises(UsageError, match="labels in it would be lost"):
        open_augmentable(tmp_path / "set")


def test_labelme_beside_pictures_of_classes(tmp_path, rng):
    for name in ("a/1", "a/2", "b/3"):
        picture(rng, tmp_path / "set" / f"{name}.png")
    (tmp_path / "set/a/1.json").write_text("{}")
    with pytest.raises(UsageError, match="labels in it would be lost"):
        open_augmentable(tmp_path / "set")


def test_coco_among_many_other_files(tmp_path, rng):
    picture(rng, tmp_path / "set/images/a.png")
    for number in range(80):
        (tmp_path / "set" / f"{number}.json").write_text("{}")
    coco(tmp_path / "set/z/l.json", [annotation(1)], names=("../images/a.png",), ids=(1,))
    assert len(open_augmentable(tmp_path / "set").names) == 1


@pytest.mark.parametrize("damaged", ["images/1.png", "masks/1.png"])
def test_a_damaged_picture_stays_out_with_its_mask(tmp_path, rng, damaged):
    for number in range(3):
        picture(rng, tmp_path / "set/images" / f"{number}.png")
        mask = rng.integers(0, 3, (48, 64, 1), dtype=np.uint8)
        (tmp_path / "set/masks").mkdir(exist_ok=True)
        write(Picture(mask), tmp_path / "set/masks" / f"{number}.png")
    cut = tmp_path / "set" / damaged
    cut.write_bytes(cut.read_bytes()[: cut.stat().st_size // 2])
    (tmp_path / "r.toml").write_text(RECIPE)
    augment(tmp_path / "set", "-o", "out", "--recipe", "r.toml", "--copies", 1, home=tmp_path)
    found = {str(path.relative_to(tmp_path / "out")) for path in (tmp_path / "out").rglob("*.png")}
    assert found == {f"{kind}/{k}{v}.png" for kind in ("images", "masks") for k in (0, 2) for v in ("", ".v1")}
    assert len(open_augmentable(tmp_path / "out").names) == 4


def test_masks_of_pictures_that_are_not_read(tmp_path, rng):
    picture(rng, tmp_path / "set/images/a.png")
    for name in ("a", "b"):
        (tmp_path / "set/masks").mkdir(exist_ok=True)
        write(Picture(rng.integers(0, 3, (48, 64, 1), dtype=np.uint8)), tmp_path / f"set/masks/{name}.png")
    (tmp_path / "set/images/b.bmp").write_bytes(b"BM")
    with pytest.raises(UsageError, match=r"b\.png: its picture is of a kind that is not read"):
        open_augmentable(tmp_path / "set")
