"""Labels that would be lost are found or refused; what is no picture stays out of a new set."""

import numpy as np
import pytest

from safelight.augmentation.sets import open_augmentable
from safelight.errors import UsageError
from safelight.picture import Picture, write
from tests.augmentation.odd_support import RECIPE, annotation, coco, objects_of, picture
from tests.support import run_cli


def test_a_folder_with_annotations_of_coco(rng, tmp_path):
    picture(rng, tmp_path / "s" / "a.png")
    picture(rng, tmp_path / "s" / "b.png")
    coco(tmp_path / "s" / "annotations" / "instances.json", [annotation(1), annotation(2, 2)])
    assert objects_of(tmp_path / "s") == [1, 1]
    coco(tmp_path / "s" / "annotations" / "other.json", [annotation(1)])
    with pytest.raises(UsageError, match=r"several files of COCO annotations; name one of them: annotations/instances"):
        open_augmentable(tmp_path / "s")


@pytest.mark.parametrize("suffix", [".xml", ".txt"])
def test_labels_beside_pictures_are_not_lost(rng, tmp_path, suffix):
    for k in range(4):
        picture(rng, tmp_path / "s" / "obj" / f"{k}.png")
        (tmp_path / "s" / "obj" / f"{k}{suffix}").write_text("0 0.5 0.5 0.1 0.1")
    with pytest.raises(UsageError, match=rf"has obj/0{suffix}, and labels in it would be lost \(4 such files\)"):
        open_augmentable(tmp_path / "s")


def test_lists_of_pictures_and_capitals_of_yolo_are_refused(rng, tmp_path):
    picture(rng, tmp_path / "s" / "images" / "train" / "1.png")
    labels = tmp_path / "s" / "labels" / "train"
    labels.mkdir(parents=True)
    (labels / "1.TXT").write_text("0 0.5 0.5 0.1 0.1")
    with pytest.raises(UsageError, match=r"end in \.txt; rename 1 of them"):
        open_augmentable(tmp_path / "s")
    (labels / "1.TXT").rename(labels / "1.txt")
    (tmp_path / "s" / "data.yaml").write_text("path: .\ntrain: ./train.txt\nval: images/val\n")
    with pytest.raises(UsageError, match=r"its part 'train\.txt' is a list of pictures"):
        open_augmentable(tmp_path / "s")


def test_dark_arrays_and_dark_pictures_among_others_are_refused(rng, tmp_path):
    dark = rng.integers(0, 4096, (6, 16, 16, 3), dtype=np.uint16)
    np.savez(tmp_path / "a.npz", images=dark, labels=np.arange(6) % 2)
    with pytest.raises(UsageError, match="12 of 16 bits"):
        open_augmentable(tmp_path / "a.npz")
    picture(rng, tmp_path / "s" / "a" / "0.png")
    (tmp_path / "s" / "b").mkdir()
    write(Picture(dark[0]), tmp_path / "s" / "b" / "1.png")
    with pytest.raises(UsageError, match="12 of 16 bits"):
        open_augmentable(tmp_path / "s")


def test_what_is_no_picture_stays_out_of_the_new_set(rng, tmp_path):
    for name in ("train/a/1.png", "train/b/2.png", "val/a/3.png"):
        picture(rng, tmp_path / "s" / name)
    for name in ("train/a/page.jpg", "val/b/zeros.png"):
        (tmp_path / "s" / name).parent.mkdir(exist_ok=True)
        (tmp_path / "s" / name).write_bytes(b"<html>" if name.endswith("jpg") else bytes(200))
    (tmp_path / "r.toml").write_text(RECIPE)
    done = run_cli("augment", "s", "-o", "out", "--recipe", "r.toml", "--copies", "1", cwd=tmp_path)
    assert done.returncode == 1 and "is a web page" in done.stderr and "nothing but zeros" in done.stderr
    assert sorted(p.name for p in (tmp_path / "out").rglob("*.jpg")) == []
    assert not (tmp_path / "out/val/b/zeros.png").exists() and (tmp_path / "out/val/a/3.png").exists()
