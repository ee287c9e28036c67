"""What does not fit together is refused in one line, and nothing is half written."""

import json
import shutil

import numpy as np
import pytest

from safelight.picture import Picture, read, write
from tests.augmentation.augment_support import CLASSIC, LATENT, augment, made, refused


def broken(drawn, change):
    known = json.loads(drawn.coco.read_text())
    change(known)
    drawn.coco.write_text(json.dumps(known))
    return drawn.coco


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda k: k["annotations"][0].update(bbox=[60, 40, 30, 30]), "most of its box is outside the picture"),
        (lambda k: k["annotations"][0].update(bbox=[1, 1, 0, 3]), "empty"),
        (lambda k: k["annotations"][0].update(image_id=99), "of an image that is not listed"),
        (lambda k: k["annotations"][0].update(category_id=99), "of a category that is not listed"),
        (
            lambda k: k["annotations"][0].update(segmentation={"counts": "x", "size": [1, 1]}),
            "its run lengths are of a picture of 1x1",
        ),
        (lambda k: k["annotations"][0].update(segmentation=[[1, 2, 3]]), "three points"),
        (lambda k: k["images"][0].update(file_name="none.png"), "none.png, not in"),
        (lambda k: k["images"][0].update(width=70), "its annotations say 70x48"),
        (lambda k: k.pop("categories"), "is no COCO file"),
        (lambda k: k.update(images=[], annotations=[]), "at least 1 item"),
    ],
)
def test_bad_coco(drawn, recipe, tmp_path, change, words):
    refused(augment(broken(drawn, change), "-o", "out", "--recipe", recipe, "--strict", home=tmp_path), words, tmp_path)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("0 0.5 0.5 1.5 0.5\n", "outside the picture"),
        ("0 0.5 0.5 0 0.5\n", "empty"),
        ("0 0.5 0.5 a 0.5\n", "is no object"),
        ("0 0.5 0.5\n", "is no object"),
        ("cat 0.5 0.5 0.1 0.1\n", "is no object"),
    ],
)
def test_bad_yolo(drawn, recipe, tmp_path, text, words):
    path = drawn.yolo / "labels/train/0.txt"
    path.write_text(text)
    refused(augment(drawn.yolo, "-o", "out", "--recipe", recipe, "--strict", home=tmp_path), words, tmp_path)


def test_labels_without_a_picture(drawn, recipe, tmp_path):
    (drawn.yolo / "images/train/1.png").unlink()
    refused(
        augment(drawn.yolo, "-o", "out", "--recipe", recipe, "--strict", home=tmp_path),
        "1 label files have no picture",
        tmp_path,
    )
    (drawn.masks / "images/1.png").unlink()
    refused(
        augment(drawn.masks, "-o", "out", "--recipe", recipe, "--strict", home=tmp_path),
        "1.png: has no picture",
        tmp_path,
    )


def test_bad_masks(drawn, recipe, tmp_path):
    write(Picture(np.zeros((10, 10, 1), np.uint8)), drawn.masks / "masks/0.png")
    refused(augment(drawn.masks, "-o", "out", "--recipe", recipe, home=tmp_path), "make them equally large", tmp_path)
    (drawn.masks / "masks/0.png").unlink()
    refused(augment(drawn.masks, "-o", "out", "--recipe", recipe, home=tmp_path), "0.png: has no mask", tmp_path)


def test_bad_requests(small_vae, drawn, recipe, tmp_path):
    (tmp_path / "latent.toml").write_text(LATENT)
    (tmp_path / "guarded.toml").write_text(CLASSIC + "[guard]\n")
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "mine.txt").write_text("mine")
    latent, own = ("--recipe", "latent.toml"), ("--recipe", recipe)
    model = ("--model", small_vae.bundle)
    for arguments, words in [
        ((small_vae.set, "-o", "out"), "give --recipe or --replay; see --help"),
        ((small_vae.set, *own), "give -o or --preview; see --help"),
        ((small_vae.set, "-o", "out", *latent), "needs a model"),
        ((small_vae.set, "-o", "out", "--recipe", "guarded.toml"), "the guard needs a model"),
        ((small_vae.set, "-o", "out", *latent, "--model", "photo"), "is a restorer of photographs"),
        ((small_vae.set, "-o", "out", *latent, "--model", "nowhere"), "nowhere"),
        ((drawn.coco, "-o", "out", *latent, *model), "is for sets with one label"),
        ((drawn.coco, "-o", "out", *own, "--balance"), "is for sets with one label"),
        ((small_vae.set, "-o", "full", *own), "is there and not empty"),
        ((small_vae.set, "-o", "out", *own, "--format", "bmp"), "must be 'png' or 'jpeg'"),
        ((small_vae.set, "-o", "out", "--replay", recipe), "is no manifest"),
        ((small_vae.set, *own, "--preview", "a.txt"), "ends in .png"),
        (("nowhere", "-o", "out", *own), "does not exist"),
        ((recipe, "-o", "out", *own), "ends in .npz, .csv, .jsonl or .json (COCO)"),
    ]:
        refused(augment(*arguments, home=tmp_path), words, tmp_path)
    assert [p.name for p in (tmp_path / "full").iterdir()] == ["mine.txt"]


def test_a_model_of_another_form(small_vae, tmp_path):
    (tmp_path / "latent.toml").write_text(LATENT)
    for k, label in enumerate("ab"):
        (tmp_path / "set" / label).mkdir(parents=True)
        write(Picture(np.full((40, 40, 3), 90 * k, np.uint8)), tmp_path / "set" / label / "0.png")
    options = ("--recipe", "latent.toml", "--model", small_vae.bundle)
    refused(augment("set", "-o", "out", *options, home=tmp_path), "set size_px = 16", tmp_path)
    (tmp_path / "latent.toml").write_text("size_px = 16\n" + LATENT)
    made(augment("set", "-o", "out", *options, "--copies", 1, home=tmp_path))
    assert read(tmp_path / "out/a/0.v1.png").pixels.shape == (16, 16, 1)


def test_pictures_without_labels(small_vae, recipe, tmp_path):
    (tmp_path / "flat").mkdir()
    shutil.copy(next(small_vae.set.rglob("*.png")), tmp_path / "flat" / "a.png")
    refused(augment("flat", "-o", "out", "--recipe", recipe, home=tmp_path), "a.png has no label", tmp_path)


def test_a_broken_picture_is_named_and_the_rest_kept(small_vae, recipe, tmp_path):
    shutil.copytree(small_vae.set, tmp_path / "set")
    (tmp_path / "set" / "disc" / "bad.png").write_bytes(b"no picture")
    done = augment("set", "-o", "out", "--recipe", recipe, "--copies", 1, home=tmp_path)
    assert done.returncode == 1 and "bad.png" in done.stderr and "Traceback" not in done.stderr
    assert len(list((tmp_path / "out").rglob("*.v1.png"))) == 60
