"""Whole sets: every layout in and out; equal files whatever the workers; resuming, replaying, guarding; bad input."""

import csv
import json
import shutil

import numpy as np
import pytest
from PIL import ImageCms

from safelight.augmentation.sets import open_augmentable
from safelight.picture import Picture, read, write
from safelight.picture.picture import Metadata
from tests.augmentation.augment_support import LATENT, augment, made, tree


def lines(folder):
    return [json.loads(text) for text in (folder / "manifest.jsonl").read_text().splitlines()]


def test_class_folders(small_vae, recipe, tmp_path):
    made(augment(small_vae.set, "-o", "out", "--recipe", recipe, "--copies", 2, home=tmp_path))
    files = tree(tmp_path / "out")
    assert sum(name.endswith(".v1.png") for name in files) == 60 == sum(name.endswith(".v2.png") for name in files)
    for name, content in tree(small_vae.set).items():
        assert files[name] == content  # the originals, byte for byte
    facts = lines(tmp_path / "out")[1:]
    assert len(facts) == 180 and {fact["label"] for fact in facts} == {"disc", "square"}
    assert all(next(iter(fact["outputs"])).startswith(fact["label"]) for fact in facts)


@pytest.mark.slow
def test_workers_and_order_do_not_matter(small_vae, tmp_path):
    (tmp_path / "aug.toml").write_text(LATENT)
    options = ("--recipe", "aug.toml", "--model", small_vae.bundle, "--copies", 3)
    for workers in (1, 2, 4):
        made(augment(small_vae.set, "-o", f"out{workers}", *options, "--workers", workers, home=tmp_path))
    assert tree(tmp_path / "out1") == tree(tmp_path / "out2") == tree(tmp_path / "out4")


def test_a_replay_is_equal_bit_for_bit(small_vae, tmp_path):
    (tmp_path / "aug.toml").write_text(LATENT)
    model = ("--model", small_vae.bundle)
    made(augment(small_vae.set, "-o", "out", "--recipe", "aug.toml", *model, "--copies", 2, "--seed", 9, home=tmp_path))
    made(augment(small_vae.set, "-o", "again", "--replay", "out/manifest.jsonl", *model, home=tmp_path))
    assert tree(tmp_path / "out") == tree(tmp_path / "again")


def test_a_replay_that_differs_is_reported(small_vae, recipe, tmp_path):
    shutil.copytree(small_vae.set, tmp_path / "set")
    made(augment("set", "-o", "out", "--recipe", recipe, "--copies", 1, home=tmp_path))
    changed = next((tmp_path / "set" / "disc").iterdir())
    write(Picture(255 - read(changed).pixels), changed)
    header, *rest = lines(tmp_path / "out")
    header.pop("set_sha256")  # as in old manifests
    (tmp_path / "old.jsonl").write_text("".join(json.dumps(line) + "\n" for line in (header, *rest)))
    done = augment("set", "-o", "again", "--replay", "old.jsonl", home=tmp_path)
    assert done.returncode == 1 and f"disc/{changed.stem}.v1.png" in done.stderr


def test_what_was_cut_off_goes_on(small_vae, recipe, tmp_path):
    options = ("--recipe", recipe, "--copies", 2)
    made(augment(small_vae.set, "-o", "whole", *options, home=tmp_path))
    shutil.copytree(tmp_path / "whole", tmp_path / "cut")
    text = (tmp_path / "cut" / "manifest.jsonl").read_text()
    (tmp_path / "cut" / "manifest.jsonl").write_text(text[: len(text) * 2 // 3])  # in the middle of a line
    next((tmp_path / "cut" / "disc").glob("*.v1.png")).unlink()
    done = made(augment(small_vae.set, "-o", "cut", *options, home=tmp_path))
    assert "variants (" in done.stderr and "from an earlier run)" in done.stderr
    assert tree(tmp_path / "cut") == tree(tmp_path / "whole")
    other = augment(small_vae.set, "-o", "cut", "--recipe", recipe, "--copies", 3, home=tmp_path)
    assert other.returncode == 1 and "with --copies 2, now 3" in other.stderr
    assert tree(tmp_path / "cut") == tree(tmp_path / "whole")


def test_classes_are_evened_out(small_vae, recipe, tmp_path):
    shutil.copytree(small_vae.set, tmp_path / "set")
    for path in sorted((tmp_path / "set" / "disc").iterdir())[7:]:
        path.unlink()
    made(augment("set", "-o", "out", "--recipe", recipe, "--copies", 1, "--balance", home=tmp_path))
    assert len(list((tmp_path / "out" / "disc").iterdir())) == 60 == len(list((tmp_path / "out" / "square").iterdir()))


def test_lists_and_arrays(small_vae, recipe, tmp_path):
    files = sorted(small_vae.set.rglob("*.png"))[:6]
    rows = [
        f"{path},{path.parent.name},{part}" for path, part in zip(files, ["train"] * 4 + ["val", "test"], strict=True)
    ]
    (tmp_path / "set.csv").write_text("image,label,split\n" + "\n".join(rows) + "\n")
    made(augment("set.csv", "-o", "out", "--recipe", recipe, "--copies", 2, home=tmp_path))
    with (tmp_path / "out" / "labels.csv").open() as file:
        listed = list(csv.DictReader(file))
    assert [row["split"] for row in listed].count("train") == 12 and len(listed) == 14
    assert all((tmp_path / "out" / row["image"]).is_file() for row in listed)
    assert len(open_augmentable(tmp_path / "out" / "labels.csv").names) == 12  # it is a set again
    np.savez(tmp_path / "set.npz", images=np.stack([read(p).pixels for p in files]), labels=np.arange(6) % 2)
    made(augment("set.npz", "-o", "arrays", "--recipe", recipe, "--copies", 1, home=tmp_path))
    assert sorted(p.name for p in (tmp_path / "arrays" / "0").iterdir()) == [
        *("0.png", "0.v1.png", "2.png", "2.v1.png", "4.png", "4.v1.png")
    ]


def test_other_parts_go_along_unchanged(small_vae, recipe, tmp_path):
    for part in ("train", "test"):
        shutil.copytree(small_vae.set, tmp_path / "set" / part)
    made(augment("set", "-o", "out", "--recipe", recipe, "--copies", 1, home=tmp_path))
    assert len(list((tmp_path / "out" / "train").rglob("*.png"))) == 120
    assert tree(tmp_path / "out" / "test") == tree(small_vae.set)


def test_blends_are_listed_with_soft_labels(small_vae, tmp_path):
    (tmp_path / "aug.toml").write_text('[[steps]]\nop = "latent_blend"\nshare = [0.2, 0.4]\n')
    made(
        augment(
            small_vae.set,
            "-o",
            "out",
            "--recipe",
            "aug.toml",
            "--model",
            small_vae.bundle,
            "--copies",
            1,
            home=tmp_path,
        )
    )
    rows = [json.loads(text) for text in (tmp_path / "out" / "labels.jsonl").read_text().splitlines()]
    assert len(rows) == 120 and all(abs(sum(row["soft_label"].values()) - 1) < 1e-9 for row in rows)
    assert sum(len(row["soft_label"]) == 2 for row in rows) == 60


def test_coco(drawn, recipe, tmp_path):
    made(augment(drawn.coco, "-o", "out", "--recipe", recipe, "--copies", 3, home=tmp_path))
    known = json.loads((tmp_path / "out" / "annotations.json").read_text())
    before = json.loads(drawn.coco.read_text())
    assert len(known["images"]) == 12 and known["categories"] == before["categories"]
    ids = [image["id"] for image in known["images"]]
    assert len(set(ids)) == 12 and len({a["id"] for a in known["annotations"]}) == len(known["annotations"])
    sizes = {image["id"]: image for image in known["images"]}
    mirrored = {
        next(iter(f["outputs"])).removeprefix("images/")
        for f in lines(tmp_path / "out")[1:]
        if "flip_horizontal" in json.dumps(f.get("record", ""))
    }
    for annotation in known["annotations"]:
        image = sizes[annotation["image_id"]]
        pixels = read(tmp_path / "out" / "images" / image["file_name"]).pixels
        assert pixels.shape[:2] == (image["height"], image["width"])
        x, y, w, h = annotation["bbox"]
        outline = np.array(annotation["segmentation"][0]).reshape(-1, 2)
        assert np.allclose([x, y, x + w, y + h], [*outline.min(axis=0), *outline.max(axis=0)], atol=2e-3)
        colour = pixels[int(outline[:, 1].mean()), int(outline[:, 0].mean())].astype(int)
        assert colour[0] > colour[2] + 30  # the triangles are orange, and the polygon lies on one
        points = np.array(annotation["keypoints"]).reshape(-1, 3)
        if (points[:, 2] > 0).all() and len(
            outline
        ) == 3:  # the first corner was the left ear: in a mirror it is the right one
            ear = points[1 if image["file_name"] in mirrored else 0, :2]
            assert np.linalg.norm(outline - ear, axis=1).min() < 1e-2
        assert annotation["num_keypoints"] == (points[:, 2] > 0).sum()


def test_yolo(drawn, recipe, tmp_path):
    made(augment(drawn.yolo, "-o", "out", "--recipe", recipe, "--copies", 2, home=tmp_path))
    out = tmp_path / "out"
    assert (out / "data.yaml").read_text() == (drawn.yolo / "data.yaml").read_text()
    assert len(list((out / "labels/train").glob("*.txt"))) == 9 == len(list((out / "images/train").glob("*.png")))
    for path in (out / "labels/train").glob("*.v*.txt"):
        for row in path.read_text().splitlines():
            name, x, y, w, h = row.split()
            assert name in "01" and float(x) - float(w) / 2 + 1e-5 >= 0 and float(y) + float(h) / 2 <= 1 + 1e-5
    assert open_augmentable(out).names  # it is a set again


def test_yolo_polygons(drawn, recipe, tmp_path):
    (drawn.yolo / "labels/train/0.txt").write_text("1 0.2 0.2 0.6 0.25 0.4 0.7\n")
    made(augment(drawn.yolo, "-o", "out", "--recipe", recipe, "--copies", 1, home=tmp_path))
    name, *numbers = (tmp_path / "out/labels/train/0.v1.txt").read_text().split()
    assert name == "1" and len(numbers) >= 6 and all(0 <= float(number) <= 1 for number in numbers)


def test_masks(drawn, recipe, tmp_path):
    made(augment(drawn.masks, "-o", "out", "--recipe", recipe, "--copies", 2, home=tmp_path))
    for path in (tmp_path / "out/images").glob("*.v*.png"):
        mask, pixels = read(tmp_path / "out/masks" / path.name).pixels[..., 0], read(path).pixels.astype(int)
        assert set(np.unique(mask)) <= {0, 1, 2}
        orange = pixels[..., 0] > pixels[..., 2] + 40
        assert (orange == (mask > 0)).mean() > 0.97


def test_a_sheet_is_one_picture(drawn, recipe, small_vae, tmp_path):
    for source in (drawn.coco, small_vae.set):
        made(augment(source, "--recipe", recipe, "--preview", "sheet.png", home=tmp_path))
        pixels = read(tmp_path / "sheet.png").pixels
        assert pixels.shape[1] > 800 and pixels.std() > 10
    assert sorted(path.name for path in tmp_path.iterdir()) == ["aug.toml", "drawn", "sheet.png"]


def test_the_guard_refuses_and_reports(small_vae, tmp_path):
    (tmp_path / "wild.toml").write_text(
        '[[steps]]\nop = "latent_noise"\nspread = 3.0\ntemperature = 8\n[guard]\nradius = 0.5\nattempts = 2\n'
    )
    options = ("--recipe", "wild.toml", "--model", small_vae.bundle, "--copies", 1, "--json")
    done = made(augment(small_vae.set, "-o", "out", *options, home=tmp_path))
    report = json.loads(done.stdout)
    assert set(report["refused"]) == {"disc", "square"}
    assert sum(refused for refused, _ in report["refused"].values()) > 10 and report["left_out"] > 0
    assert report["variants"] == 60 - report["left_out"]
    assert "guard, class disc" in done.stderr
    again = made(augment(small_vae.set, "-o", "out", *options, home=tmp_path))
    assert json.loads(again.stdout)["before"] == 60


def test_sixteen_bits_and_profiles_are_kept(recipe, tmp_path):
    values = np.random.default_rng(0).integers(0, 65535, (20, 24, 3), dtype=np.uint16)
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    for k, label in enumerate("ab"):
        (tmp_path / "set" / label).mkdir(parents=True)
        write(Picture(values, metadata=Metadata(icc=profile)), tmp_path / "set" / label / f"{k}.tif")
    made(augment("set", "-o", "out", "--recipe", recipe, "--copies", 1, home=tmp_path))
    picture = read(tmp_path / "out/a/0.v1.png")
    assert picture.pixels.dtype == np.uint16 and picture.metadata.icc == profile


def test_operations_are_listed(tmp_path):
    done = made(augment("--operations", "--json", home=tmp_path))
    names = [json.loads(line)["op"] for line in done.stdout.splitlines()]
    assert {"rotate", "clahe", "latent_noise", "geometric"} <= set(names)
    assert "degrees: -360 to 360" in made(augment("--operations", home=tmp_path)).stdout
