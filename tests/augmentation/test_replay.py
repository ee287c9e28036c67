"""A replay is of the same set and the same model, or it is refused. A folder of another job is told apart."""

import json
import shutil

import numpy as np
import pytest

from safelight.picture import Picture, read, write
from tests.augmentation.augment_support import LATENT, augment, made, tree
from tests.blobs import write_blobs


@pytest.fixture
def listed(tmp_path, recipe):
    """A .csv of two pictures, and its augmentation in out/."""
    for name in "ab":
        write(Picture(np.full((12, 12, 1), ord(name), np.uint8)), tmp_path / f"{name}.png")
    path = tmp_path / "set.csv"
    path.write_text("image,label\na.png,cat\nb.png,dog\n")
    made(augment(path, "-o", "out", "--recipe", recipe, "--copies", 1, home=tmp_path))
    return path


def header(folder):
    return json.loads((folder / "manifest.jsonl").read_text().splitlines()[0])


def test_a_replay_of_a_set_with_one_other_label_is_refused(listed, tmp_path):
    made(augment(listed, "-o", "same", "--replay", "out/manifest.jsonl", home=tmp_path))
    assert tree(tmp_path / "same") == tree(tmp_path / "out")
    listed.write_text(listed.read_text().replace("dog", "cat"))
    done = augment(listed, "-o", "again", "--replay", "out/manifest.jsonl", home=tmp_path)
    assert done.returncode == 2 and not (tmp_path / "again").exists()
    assert done.stderr == (
        f"safelight: {listed}: is not the set of out/manifest.jsonl: a picture or a label differs; give its own set\n"
    )


def test_a_replay_finds_the_model_that_the_manifest_names(small_vae, tmp_path):
    (tmp_path / "aug.toml").write_text(LATENT)
    shutil.copytree(small_vae.bundle, tmp_path / "vae")
    (tmp_path / "elsewhere").mkdir()
    options = ("--recipe", "aug.toml", "--model", "vae", "--copies", 1)
    made(augment(small_vae.set, "-o", "out", *options, home=tmp_path))
    assert header(tmp_path / "out")["model"] == "../vae"
    manifest = tmp_path / "out" / "manifest.jsonl"
    made(augment(small_vae.set, "-o", "../again", "--replay", manifest, home=tmp_path / "elsewhere"))
    assert tree(tmp_path / "again") == tree(tmp_path / "out")
    (tmp_path / "vae").rename(tmp_path / "moved")
    lost = augment(small_vae.set, "-o", "lost", "--replay", manifest, home=tmp_path)
    words = "latent_noise needs a model, and the manifest names none that is there; give --model"
    assert lost.returncode == 2 and words in lost.stderr
    made(
        augment(small_vae.set, "-o", "out", *options[:3], "moved", *options[4:], home=tmp_path)
    )  # the place may change


def test_a_replay_with_another_model_is_refused(small_vae, tmp_path):
    (tmp_path / "aug.toml").write_text(LATENT)
    options = ("--recipe", "aug.toml", "--model", small_vae.bundle, "--copies", 1)
    made(augment(small_vae.set, "-o", "out", *options, home=tmp_path))
    path = tmp_path / "out" / "manifest.jsonl"
    path.write_text(path.read_text().replace(header(tmp_path / "out")["model_sha256"], "0" * 64))
    done = augment(small_vae.set, "-o", "again", "--replay", path, home=tmp_path)
    assert done.returncode == 2 and "is not the model of" in done.stderr and not (tmp_path / "again").exists()


def test_an_old_manifest_without_a_hash_of_the_set_is_replayed(listed, tmp_path):
    path = tmp_path / "out" / "manifest.jsonl"
    first, rest = path.read_text().split("\n", 1)
    known = json.loads(first)
    known.pop("set_sha256")
    (tmp_path / "old.jsonl").write_text(json.dumps(known) + "\n" + rest)
    made(augment(listed, "-o", "again", "--replay", "old.jsonl", home=tmp_path))
    assert tree(tmp_path / "again") == tree(tmp_path / "out")


@pytest.mark.parametrize("layout", ["classes", "yolo", "masks"])
def test_a_picture_that_was_added_makes_another_set(drawn, recipe, tmp_path, layout):
    folder = write_blobs(tmp_path / "classes", 4) if layout == "classes" else getattr(drawn, layout)
    options = ("-o", "out", "--recipe", recipe, "--copies", 1)
    made(augment(folder, *options, home=tmp_path))
    before = tree(tmp_path / "out")
    for path in sorted(path for path in folder.rglob("0.*") if path.is_file()):
        shutil.copy(path, path.with_stem("more"))  # the picture, and its label or mask
    done = augment(folder, *options, home=tmp_path)
    assert done.returncode == 1 and tree(tmp_path / "out") == before
    assert "was made of another set, or pictures or labels were added, changed or removed since" in done.stderr


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        (("--copies", 5), "was made with --copies 4, now 5"),
        (("--seed", 3), "was made with --seed 0, now 3"),
        (("--balance",), "was made without, now with --balance"),
        (("--no-originals",), "was made with originals, now without"),
        (("--format", "jpeg"), "was made with --format png, now jpeg"),
    ],
)
def test_a_folder_of_other_options_says_which(small_vae, recipe, tmp_path, changed, words):
    folder = write_blobs(tmp_path / "set", 4)
    made(augment(folder, "-o", "out", "--recipe", recipe, home=tmp_path))
    done = augment(folder, "-o", "out", "--recipe", recipe, *changed, home=tmp_path)
    assert done.returncode == 1 and words in done.stderr


def test_two_sources_of_one_result_are_both_named(recipe, tmp_path):
    (tmp_path / "set/a").mkdir(parents=True)
    for name in ("x.png", "x.v1.png", "x.jpg"):
        write(Picture(np.zeros((9, 9, 1), np.uint8)), tmp_path / "set/a" / name)
    done = augment("set", "-o", "out", "--recipe", recipe, "--copies", 1, home=tmp_path)
    assert done.returncode == 2 and read(tmp_path / "set/a/x.png").size == (9, 9)
    words = "set/a/x.v1.png and variant 1 of a/x.jpg would both be a/x.v1.png; rename or remove one of them"
    assert words in done.stderr
