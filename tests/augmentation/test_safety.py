"""Nothing of the user's is overwritten, nothing leaves the output folder, and what is damaged is refused."""

import json
import shutil

import numpy as np
import pytest
from PIL import Image

import safelight
from safelight.augmentation.sets.coco import CocoSet
from safelight.errors import UsageError
from safelight.picture import Picture, read, write
from tests.augmentation.augment_support import CLASSIC, LATENT, augment, made, refused, tree

GREY = np.full((12, 16, 1), 90, np.uint8)


def edit_coco(path, change):
    known = json.loads(path.read_text())
    change(known)
    path.write_text(json.dumps(known))
    return path


@pytest.mark.parametrize("name", ["/tmp/x.png", "../pics/a.png"])
def test_names_that_lead_out_lead_nowhere(drawn, recipe, tmp_path, name):
    place = tmp_path / "pics" / "a.png" if name.startswith("..") else tmp_path / "x.png"
    name = "../../pics/a.png" if name.startswith("..") else str(place)
    place.parent.mkdir(exist_ok=True)
    shutil.copy(drawn.coco.parent / "images" / "0.png", place)
    known = place.read_bytes()
    edit_coco(drawn.coco, lambda k: k.update(images=[{**k["images"][0], "file_name": name}], annotations=[]))
    made(augment(drawn.coco, "-o", "out", "--recipe", recipe, home=tmp_path))
    assert place.read_bytes() == known and len(list(place.parent.glob("*.v1.png"))) == 0
    assert (tmp_path / "out" / "images" / place.name).is_file()


def test_lists_may_point_anywhere(recipe, tmp_path):
    for name in ("a/one.png", "b/c/two.png"):
        (tmp_path / name).parent.mkdir(parents=True)
        write(Picture(GREY), tmp_path / name)
    (tmp_path / "lists").mkdir()
    (tmp_path / "lists" / "l.csv").write_text(f"image,label\n../a/one.png,x\n{tmp_path}/b/c/two.png,y\n")
    before = tree(tmp_path / "a") | tree(tmp_path / "b")
    made(augment("lists/l.csv", "-o", "out", "--recipe", recipe, "--copies", 1, home=tmp_path))
    assert {name for name in tree(tmp_path / "out") if name.endswith(".png")} == {
        *("images/a/one.png", "images/a/one.v1.png", "images/b/c/two.png", "images/b/c/two.v1.png")
    }
    assert tree(tmp_path / "a") | tree(tmp_path / "b") == before


def test_a_list_of_what_is_not_there(recipe, tmp_path):
    (tmp_path / "l.csv").write_text("image,label\nnone.png,x\nno.png,y\n")
    refused(augment("l.csv", "-o", "out", "--recipe", recipe, home=tmp_path), "is listed and not there", tmp_path)


@pytest.mark.parametrize("label", ["..", "a/b", ".hidden", "a\\b"])
def test_labels_that_cannot_be_folders(recipe, tmp_path, label):
    np.savez(tmp_path / "s.npz", images=np.zeros((2, 8, 8), np.uint8), labels=np.array([label, "fine"]))
    refused(augment("s.npz", "-o", "out", "--recipe", recipe, home=tmp_path), "cannot be a folder", tmp_path)


@pytest.mark.parametrize("output", ["set", "set/more", "set/disc/more"])
def test_the_set_is_no_place_for_its_variants(small_vae, recipe, tmp_path, output):
    shutil.copytree(small_vae.set, tmp_path / "set")
    before = tree(tmp_path / "set")
    done = augment("set", "-o", output, "--recipe", recipe, home=tmp_path)
    assert done.returncode == 2 and "is inside the set" in done.stderr and tree(tmp_path / "set") == before


def test_changed_labels_are_another_set(drawn, recipe, tmp_path):
    made(augment(drawn.coco, "-o", "out", "--recipe", recipe, "--copies", 1, home=tmp_path))
    edit_coco(drawn.coco, lambda k: k["annotations"].reverse())
    done = augment(drawn.coco, "-o", "out", "--recipe", recipe, "--copies", 1, home=tmp_path)
    assert done.returncode == 1 and "another set, or pictures or labels were added, changed or removed" in done.stderr


def test_a_picture_is_no_contact_sheet(small_vae, recipe, tmp_path):
    write(Picture(GREY), tmp_path / "mine.png")
    before = (tmp_path / "mine.png").read_bytes()
    done = augment(small_vae.set, "--recipe", recipe, "--preview", "mine.png", home=tmp_path)
    assert done.returncode == 1 and "no contact sheet" in done.stderr
    assert (tmp_path / "mine.png").read_bytes() == before
    for _ in range(2):  # but a sheet may be made again
        made(augment(small_vae.set, "--recipe", recipe, "--preview", "sheet.png", home=tmp_path))


@pytest.mark.parametrize("mode", ["P", "1", "F"])
def test_masks_whose_numbers_would_change(drawn, recipe, tmp_path, mode):
    path = drawn.masks / "masks" / ("0.tif" if mode == "F" else "0.png")
    (drawn.masks / "masks" / "0.png").unlink()
    numbers = Image.fromarray(np.zeros((48, 64), np.float32 if mode == "F" else np.uint8))
    (numbers if mode == "F" else numbers.convert(mode)).save(path)
    refused(augment(drawn.masks, "-o", "out", "--recipe", recipe, home=tmp_path), "save class numbers", tmp_path)


def test_masks_below_parts(drawn, recipe, tmp_path):
    for part in ("train", "val"):
        shutil.copytree(drawn.masks, tmp_path / "set" / part)
    made(augment("set", "-o", "out", "--recipe", recipe, "--copies", 1, home=tmp_path))
    assert tree(tmp_path / "out/val") == tree(drawn.masks)
    assert {p.name for p in (tmp_path / "out/train/masks").glob("*.v1.png")} == {"0.v1.png", "1.v1.png", "2.v1.png"}


def test_two_pictures_of_one_mask(drawn, recipe, tmp_path):
    shutil.copy(drawn.masks / "images/0.png", drawn.masks / "images/0.bmp.png")
    Image.open(drawn.masks / "images/0.png").save(drawn.masks / "images/0.jpg")
    (drawn.masks / "images/0.bmp.png").unlink()
    refused(augment(drawn.masks, "-o", "out", "--recipe", recipe, home=tmp_path), "has a namesake", tmp_path)


def test_crowds_become_polygons(drawn, recipe, tmp_path):
    counts = [48 * 10 + 5, *([12, 36] * 20)]  # columns 10 to 29, rows 5 to 16
    counts[-1] += 48 * 64 - sum(counts)
    edit_coco(
        drawn.coco,
        lambda k: k["annotations"][0].update(bbox=[10, 5, 20, 12], segmentation={"size": [48, 64], "counts": counts}),
    )
    shape = CocoSet.of(drawn.coco).load(0)[0].shapes[0]
    assert np.allclose([*shape.polygons[0].min(axis=0), *shape.polygons[0].max(axis=0)], [10, 5, 30, 17], atol=0.3)
    made(augment(drawn.coco, "-o", "out", "--recipe", recipe, "--copies", 1, home=tmp_path))


def test_mirrors_know_sides_in_any_case(drawn, tmp_path):
    (tmp_path / "flip.toml").write_text('[[steps]]\nop = "flip_horizontal"\n')
    names = ["Left_ear", "Right_ear"]
    edit_coco(drawn.coco, lambda k: [category.update(keypoints=names) for category in k["categories"]])
    made(augment(drawn.coco, "-o", "out", "--recipe", "flip.toml", "--copies", 1, home=tmp_path))
    known = json.loads((tmp_path / "out/annotations.json").read_text())
    before, after = known["annotations"][0]["keypoints"], known["annotations"][2]["keypoints"]
    assert after[:3] == [64 - before[3], before[4], before[5]] and after[3:] == [64 - before[0], before[1], before[2]]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda k: k.update(annotations=None), "annotations"),
        (lambda k: k["images"][0].update(width="wide"), "images.0.width"),
        (lambda k: k["annotations"][0].update(segmentation=[2, 2, 8]), "segmentation"),
        (lambda k: k["annotations"][0].update(keypoints=[1, 2]), "keypoints"),
        (lambda k: k["annotations"][0].update(bbox=["a", 1, 2, 3]), "bbox"),
        (lambda k: k["images"].append(k["images"][0]), "twice"),
        (
            lambda k: k["annotations"][0].update(segmentation={"size": [48, 64], "counts": [3]}),
            "run lengths add up to 3",
        ),
    ],
)
def test_damaged_coco(drawn, recipe, tmp_path, change, words):
    edit_coco(drawn.coco, change)
    refused(augment(drawn.coco, "-o", "out", "--recipe", recipe, "--strict", home=tmp_path), words, tmp_path)


def test_no_number_in_a_polygon(drawn, recipe, tmp_path):
    text = drawn.coco.read_text().replace('"bbox": [', '"bbox": [NaN, ', 1)
    drawn.coco.write_text(text)
    refused(augment(drawn.coco, "-o", "out", "--recipe", recipe, "--strict", home=tmp_path), "bbox: ", tmp_path)


def test_even_classes_without_originals(small_vae, recipe, tmp_path):
    shutil.copytree(small_vae.set, tmp_path / "set")
    for path in sorted((tmp_path / "set" / "disc").iterdir())[4:]:
        path.unlink()
    made(augment("set", "-o", "out", "--recipe", recipe, "--copies", 1, "--balance", "--no-originals", home=tmp_path))
    assert len(list((tmp_path / "out/disc").iterdir())) == len(list((tmp_path / "out/square").iterdir()))


NAMED = '{"number": 0, "copy": 1, "source": "disc/1.png", "pixels_sha256": "", "record": %s}'
UNKNOWN = '{"seed": 0, "identity": [], "steps": [{"op": "nix", "position": 0}]}'


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("5", "is no line of a manifest"),
        ('{"number": 0}', "is no line of a manifest"),
        ('{"number": 0, "copy": 1, "record": {}}', "lacks its source"),
        (NAMED % '{"steps": 3}', "is no record"),
        (NAMED % UNKNOWN, "is no record"),
    ],
)
def test_damaged_manifests(small_vae, recipe, tmp_path, line, words):
    made(augment(small_vae.set, "-o", "good", "--recipe", recipe, "--copies", 1, home=tmp_path))
    header = (tmp_path / "good" / "manifest.jsonl").read_text().splitlines()[0]
    (tmp_path / "bad.jsonl").write_text(f"{header}\n{line}\n")
    done = augment(small_vae.set, "-o", "out", "--replay", "bad.jsonl", "--no-originals", home=tmp_path)
    assert done.returncode == 2 and "--originals out" in done.stderr
    done = augment(small_vae.set, "-o", "out", "--replay", "bad.jsonl", home=tmp_path)
    assert done.returncode == 2 and words in done.stderr and "Traceback" not in done.stderr


def test_a_replay_onto_itself(small_vae, recipe, tmp_path):
    made(augment(small_vae.set, "-o", "out", "--recipe", recipe, "--copies", 1, home=tmp_path))
    before = tree(tmp_path / "out")
    done = augment(small_vae.set, "-o", "out", "--replay", "out/manifest.jsonl", home=tmp_path)
    assert done.returncode == 2 and "is what is replayed" in done.stderr and tree(tmp_path / "out") == before


def test_what_the_guard_let_through_is_replayed(small_vae, tmp_path):
    (tmp_path / "aug.toml").write_text(LATENT + "[guard]\n")
    model = ("--model", small_vae.bundle)
    made(augment(small_vae.set, "-o", "out", "--recipe", "aug.toml", *model, "--copies", 1, home=tmp_path))
    made(augment(small_vae.set, "-o", "again", "--replay", "out/manifest.jsonl", *model, home=tmp_path))
    pictures = [{n: c for n, c in tree(tmp_path / name).items() if n.endswith(".png")} for name in ("out", "again")]
    assert pictures[0] == pictures[1]


def test_float_pictures(tmp_path):
    (tmp_path / "aug.toml").write_text(
        '[[steps]]\nop = "contrast"\nfactor = 3\n[[steps]]\nop = "brightness"\nshift = 0.5\n'
    )
    for label, top in (("a", 1.0), ("b", 200.0)):
        (tmp_path / "set" / label).mkdir(parents=True)
        values = np.linspace(0, top, 12 * 16, dtype=np.float32).reshape(12, 16, 1)
        write(Picture(values), tmp_path / "set" / label / "0.tif")
    done = augment("set", "-o", "out", "--recipe", "aug.toml", "--copies", 1, home=tmp_path)
    assert done.returncode == 1 and "b/0.tif" in done.stderr and "scale them to [0, 1]" in done.stderr
    expected = (3 * (np.linspace(0, 1, 12 * 16) - 0.5) + 1.0).clip(0, 1)
    assert np.abs(read(tmp_path / "out/a/0.v1.png").as_float().ravel() - expected).max() < 1e-3


def test_python_refuses_what_it_would_leave_out():
    step = {"op": "rotate"}
    with pytest.raises(UsageError, match="guard"):
        safelight.Augment.of([step], guard={})
    with pytest.raises(UsageError, match="size_px"):
        safelight.Augment.of([step], size_px=28)
    aug = safelight.Augment.of([step])
    assert np.array_equal(aug(image=GREY, seed=np.int64(3)).image, aug(image=GREY, seed=3).image)
    for values in (np.full((4, 4), np.nan, np.float32), np.full((4, 4), 200, np.float32)):
        with pytest.raises(UsageError, match="scale them"):
            aug(image=values, seed=0)


def test_classes_txt_of_labelling_tools(drawn, recipe, tmp_path):
    (drawn.yolo / "labels" / "classes.txt").write_text("a\nb\n")
    made(augment(drawn.yolo, "-o", "out", "--recipe", recipe, "--copies", 1, home=tmp_path))
    assert (tmp_path / "out/labels/classes.txt").read_text() == "a\nb\n"


def test_a_manifest_in_the_set(drawn, recipe, tmp_path):
    (drawn.yolo / "manifest.jsonl").write_text("mine\n")
    refused(augment(drawn.yolo, "-o", "out", "--recipe", recipe, home=tmp_path), "manifest.jsonl", tmp_path)


def test_unfinished_files_are_swept(small_vae, recipe, tmp_path):
    assert CLASSIC
    options = ("--recipe", recipe, "--copies", 1)
    made(augment(small_vae.set, "-o", "out", *options, home=tmp_path))
    (tmp_path / "out/disc/.safelight-4194305-0123abcd.part").write_bytes(b"half")
    made(augment(small_vae.set, "-o", "out", *options, home=tmp_path))
    assert not list((tmp_path / "out").rglob("*.part"))
