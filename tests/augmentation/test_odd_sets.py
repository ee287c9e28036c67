"""Data sets as their own tools write them: read, or told; never a label lost in silence."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from safelight.augmentation.sets import open_augmentable
from safelight.augmentation.sets.coco_read import RunLengths, unpacked
from safelight.errors import UsageError
from safelight.picture import Picture, read, write
from tests.augmentation.odd_support import RECIPE, annotation, coco, objects_of, picture
from tests.support import CASES, needs_cases, run_cli

cv2 = pytest.importorskip("cv2")


@pytest.mark.parametrize(
    ("odd", "reason"),
    [
        ({"bbox": [5, 6, 20, 0]}, "its box is empty"),
        ({"bbox": [5, 6, -3, 8]}, "its box is empty"),
        ({"bbox": [200, 6, 20, 12]}, "most of its box is outside"),
        ({"bbox": [5, "x", 20, 12]}, "bbox"),
        ({"bbox": None, "segmentation": []}, "bbox"),
        ({"segmentation": [[1, 2, 3, 4]]}, "fewer than three points"),
        ({"image_id": 77}, "of an image that is not listed"),
        ({"category_id": 9}, "of a category that is not listed"),
        ({"segmentation": {"size": [48, 64], "counts": [5]}}, "run lengths add up to 5"),
    ],
)
def test_odd_objects_are_dropped_counted_and_told(rng, tmp_path, odd, reason):
    for name in ("a.png", "b.png"):
        picture(rng, tmp_path / name)
    path = coco(tmp_path / "set.json", [annotation(1), annotation(918, **odd), annotation(3, 2)])
    assert objects_of(path) == [1, 1]
    (remark,) = open_augmentable(path).remarks
    assert "1 objects were left out (annotation 918 first)" in remark and reason in remark
    with pytest.raises(UsageError, match="annotation 918"):
        open_augmentable(path, strict=True)


def test_what_programs_leave_out_or_write_otherwise_is_read(rng, tmp_path):
    for name in ("a.png", "b.png"):
        picture(rng, tmp_path / name)
    without_box = {k: v for k, v in annotation(2).items() if k != "bbox"}
    path = coco(
        tmp_path / "set.json",
        [
            annotation(1, segmentation=None),
            without_box,
            annotation(3, segmentation=[[]]),
            annotation(4, bbox=[50, 6, 17.5, 12], segmentation=[]),
            annotation(5, 2, extra={"occluded": False}, segmentation={"size": [48, 64], "counts": [3000, 72]}),
        ],
    )
    opened = open_augmentable(path)
    assert not opened.remarks and objects_of(path) == [4, 1]
    boxes = [shape.box for shape in opened.load(0).sample.shapes]
    assert boxes[1] == (5, 6, 25, 18) and boxes[3] == (50, 6, 64, 18)


@pytest.mark.parametrize(
    ("json_at", "pictures_at", "names"),
    [
        ("annotations/instances_default.json", "images", None),
        ("annotations/instances_val2017.json", "val2017", None),
        ("annotations/instances_train.json", "images/train", None),
        ("_annotations.coco.json", ".", None),
        ("result.json", ".", ("images\\a.png", "images\\b.png")),
    ],
)
def test_pictures_are_found_where_programs_put_them(rng, tmp_path, json_at, pictures_at, names):
    for name in names or ("a.png", "b.png"):
        picture(rng, tmp_path / pictures_at / name.replace("\\", "/"))
    path = coco(tmp_path / json_at, [annotation(1)], names or ("a.png", "b.png"))
    assert objects_of(path) == [1, 0]


def test_ids_may_be_words_and_a_missing_picture_is_told(rng, tmp_path):
    picture(rng, tmp_path / "a.png")
    path = coco(tmp_path / "set.json", [annotation(1, "x1"), annotation(2, "x2")], ids=("x1", "x2"))
    path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes())
    assert objects_of(path) == [1]
    assert "1 pictures are listed and not there (b.png first)" in open_augmentable(path).remarks[0]
    with pytest.raises(UsageError, match="lists b"):
        open_augmentable(path, strict=True)
    (tmp_path / "a.png").unlink()
    with pytest.raises(UsageError, match="2 are missing"):
        open_augmentable(path)


def packed(counts: list[int]) -> str:
    """As `rleToString` of pycocotools writes them."""
    text = ""
    for k, count in enumerate(counts):
        value, more = count - (counts[k - 2] if k > 2 else 0), True
        while more:
            part = value & 31
            value >>= 5
            more = value != -1 if part & 16 else value != 0
            text += chr((part | 32 if more else part) + 48)
    return text


def test_compressed_run_lengths_are_unpacked(rng):
    assert unpacked("d0>h0O1O1O1O10")[:3] == [20, 14, 24]
    for _ in range(30):
        counts = rng.integers(0, 5000, rng.integers(1, 30)).tolist()
        assert unpacked(packed(counts)) == counts
    mask = np.zeros((48, 64), np.uint8)
    mask[10:20, 30:50] = 1
    flat = mask.T.ravel()
    runs = np.diff(np.flatnonzero(np.diff(np.r_[2, flat, 2]))).tolist()
    (outline,) = RunLengths.model_validate({"size": [48, 64], "counts": packed(runs)}).polygons()
    x, y = outline[::2], outline[1::2]
    assert (min(x), max(x), min(y), max(y)) == pytest.approx((30, 49.5, 10, 19.5), abs=1)
    with pytest.raises(ValueError, match="cut off"):
        unpacked("d0>h0o")


def yolo(rng: np.random.Generator, folder: Path, images="images/train", labels="labels/train", count=3) -> None:
    for k in range(count):
        picture(rng, folder / images / f"im_{k}.png")
        (folder / labels).mkdir(parents=True, exist_ok=True)
        (folder / labels / f"im_{k}.txt").write_text("0 0.5 0.5 0.4 0.3\n")


def test_pictures_without_a_label_file_have_no_objects(rng, tmp_path):
    yolo(rng, tmp_path)
    (tmp_path / "labels/train/im_1.txt").unlink()
    (tmp_path / "labels/train/gone.txt").write_text("0 0.5 0.5 0.4 0.3\n")
    assert objects_of(tmp_path) == [1, 0, 1]
    remarks = " | ".join(open_augmentable(tmp_path).remarks)
    assert "1 pictures have no label file" in remarks and "1 label files have no picture" in remarks


@pytest.mark.parametrize(("images", "labels"), [("Images", "Labels"), ("IMAGES/Train", "LABELS/Train")])
def test_capitals_change_nothing(rng, tmp_path, images, labels):
    yolo(rng, tmp_path, images, labels)
    assert objects_of(tmp_path) == [1, 1, 1]


def test_marks_and_odd_lines_of_label_files(rng, tmp_path):
    yolo(rng, tmp_path)
    first = tmp_path / "labels/train/im_0.txt"
    first.write_bytes(b"\xef\xbb\xbf0 0.5 0.5 0.4 0.3\r\n0 0.5 0.5 0.4\r\n0 2 2 0.1 0.1\r\n")
    assert objects_of(tmp_path) == [1, 1, 1]
    (remark,) = open_augmentable(tmp_path).remarks
    assert "2 objects were left out" in remark and "line 2" in remark
    with pytest.raises(UsageError, match="line 2"):
        open_augmentable(tmp_path, strict=True)


def test_other_parts_by_other_names_are_not_augmented(rng, tmp_path):
    yolo(rng, tmp_path, "train/images", "train/labels")
    yolo(rng, tmp_path, "Valid/images", "Valid/labels")
    yolo(rng, tmp_path, "testing/images", "testing/labels")
    assert len(open_augmentable(tmp_path).names) == 3


@pytest.mark.slow
def test_the_enlarged_set_points_to_itself(rng, tmp_path):
    yolo(rng, tmp_path / "set")
    config = "path: /data/old/set  # mine\ntrain: images/train\nval: images/train\nnames:\n  0: thing\n"
    (tmp_path / "set/data.yaml").write_text(config)
    (tmp_path / "r.toml").write_bytes(b"\xef\xbb\xbf" + RECIPE.encode())
    done = run_cli("augment", tmp_path / "set", "-o", tmp_path / "out", "--recipe", tmp_path / "r.toml", "--copies", 1)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "out/data.yaml").read_text().splitlines()[0] == "path: ."
    assert len(list((tmp_path / "out/labels/train").glob("*.txt"))) == 6


@needs_cases
@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "variants", "words"),
    [
        ("D01_brain", 12, ""),
        ("D03_coco_zero/instances.json", 4, "objects were left out (annotation 918 first)"),
        ("D04_cvat/annotations/instances_default.json", 4, ""),
        ("D04_official/annotations/instances_val2017.json", 4, ""),
        ("D06_win/result.json", 4, ""),
        ("D07_crle/result.json", 4, ""),
        ("D09_yolo_missing", 4, "1 pictures have no label file"),
        ("D10_yolo_bom", 4, ""),
        ("D13_yolo_abspath", 4, ""),
        ("D14_yolo_caps", 4, ""),
        ("D31_emptyseg/result.json", 4, ""),
        ("D31_nobbox/result.json", 4, ""),
        ("D31_nullseg/result.json", 4, ""),
        ("D31_overshoot/result.json", 4, ""),
        ("D31_strid/result.json", 4, ""),
    ],
)
def test_the_cases(tmp_path, name, variants, words):
    recipe = tmp_path / "r.toml"
    recipe.write_text(RECIPE)
    out = tmp_path / "out"
    done = run_cli("augment", CASES / "sets" / name, "-o", out, "--recipe", recipe, "--copies", 1)
    assert done.returncode == 0, done.stderr
    lines = [json.loads(line) for line in (out / "manifest.jsonl").read_text().splitlines()]
    assert sum("copy" in line for line in lines) == variants
    assert words in done.stderr
    for path in out.rglob("*.png"):
        read(path)
    shutil.rmtree(out)


def test_sets_that_use_few_of_their_bits_are_refused_in_words(rng, tmp_path):
    for k in range(4):
        (tmp_path / "set" / "ab"[k % 2]).mkdir(parents=True, exist_ok=True)
        values = rng.integers(0, 3600 if k else 4095, (16, 16, 1), dtype=np.uint16)
        write(Picture(values), tmp_path / "set" / "ab"[k % 2] / f"{k}.tif")
    for verb in (["data"], ["augment", "-o", tmp_path / "out", "--recipe", tmp_path / "r.toml"]):
        (tmp_path / "r.toml").write_text(RECIPE)
        done = run_cli(verb[0], tmp_path / "set", *verb[1:])
        assert done.returncode == 2 and "(12 of 16 bits)" in done.stderr and "by 16 first" in done.stderr
    write(Picture(np.full((16, 16, 1), 60000, np.uint16)), tmp_path / "set/a/bright.tif")
    assert run_cli("data", tmp_path / "set").returncode == 0


def test_files_of_other_kinds_are_counted(rng, tmp_path):
    picture(rng, tmp_path / "a" / "1.png")
    picture(rng, tmp_path / "b" / "2.png")
    for name in ("a/3.bmp", "a/4.BMP", "b/5.jxl", "b/notes"):
        (tmp_path / name).write_bytes(b"x")
    told = run_cli("data", tmp_path).stdout
    assert "other files, which are not looked at: 4: .bmp (2), .jxl (1), without a suffix (1)" in told


@pytest.mark.slow
def test_what_variants_do_not_keep_is_told(rng, tmp_path):
    for label in "ab":
        (tmp_path / "set" / label).mkdir(parents=True)
        pixels = rng.integers(0, 256, (16, 16, 3), dtype=np.uint8)
        write(Picture(pixels, alpha=np.full((16, 16, 1), 128, np.uint8)), tmp_path / "set" / label / "1.png")
    (tmp_path / "r.toml").write_text(RECIPE)
    done = run_cli("augment", tmp_path / "set", "-o", tmp_path / "out", "--recipe", tmp_path / "r.toml", "--copies", 1)
    assert done.returncode == 0 and "transparency was laid on white in variants" in done.stderr
