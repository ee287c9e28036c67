"""Sets that cannot be trained on say so in a line, before anything is written."""

import shutil

import numpy as np
import pytest

from safelight.errors import PictureError, UsageError
from tests.learn.training import metrics
from tests.learn.training import train as run


def conditional(recipe):
    recipe.write_text(recipe.read_text().replace("[model]", "[model]\nconditional = true"))


def save(path, count, **more):
    rng = np.random.default_rng(0)
    np.savez(path, images=rng.integers(0, 256, (count, 16, 16), dtype=np.uint8), **more)
    return path


def refused(recipe, data, tmp_path, reason):
    with pytest.raises((UsageError, PictureError), match=reason) as caught:
        run(recipe, data, tmp_path / "run")
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "run").exists()


def test_an_empty_folder(recipe, tmp_path):
    (tmp_path / "empty").mkdir()
    refused(recipe, tmp_path / "empty", tmp_path, "holds no pictures")


def test_one_picture_only(recipe, tmp_path):
    refused(recipe, save(tmp_path / "a.npz", 1), tmp_path, "1 pictures .1 without copies. give .*each needs one")


def test_one_class_only(recipe, tmp_path):
    conditional(recipe)
    refused(recipe, save(tmp_path / "a.npz", 50, labels=np.zeros(50, int)), tmp_path, "of one class, '0'")


def test_a_class_of_one_picture(recipe, tmp_path):
    conditional(recipe)
    labels = np.arange(50) % 2
    labels[7] = 2
    refused(
        recipe, save(tmp_path / "a.npz", 50, labels=labels), tmp_path, "of a single picture, or of none to train on: 2"
    )


def test_no_labels_for_a_conditional_model(recipe, tmp_path):
    conditional(recipe)
    refused(recipe, save(tmp_path / "a.npz", 50), tmp_path, "50 pictures have no label")


def test_labels_of_another_length(recipe, tmp_path):
    refused(recipe, save(tmp_path / "a.npz", 50, labels=np.zeros(49, int)), tmp_path, "49 for 50 pictures")


def test_floats_outside_the_unit_interval(recipe, tmp_path):
    np.savez(tmp_path / "a.npz", images=np.full((50, 16, 16), 255.0, np.float32))
    refused(recipe, tmp_path / "a.npz", tmp_path, r"scale them to \[0, 1\]")


def test_pictures_that_are_too_small(recipe, tmp_path):
    np.savez(tmp_path / "a.npz", images=np.zeros((50, 9, 9), np.uint8))
    refused(recipe, tmp_path / "a.npz", tmp_path, "under 16 px")


def test_pictures_that_break_in_the_middle_are_skipped_and_counted(recipe, folder, tmp_path):
    """Their hashes were taken; then something happens to the files."""
    data = tmp_path / "data"
    shutil.copytree(folder, data)
    for path in sorted((data / "disc").iterdir())[:5]:
        path.write_bytes(path.read_bytes()[:60])
    told: list[str] = []
    assert not run(recipe, data, tmp_path / "run", stop_at=30, tell=told.append)
    (line,) = [line for line in told if line.startswith("skipped")]
    assert line.count("disc/") == 5
    assert len([entry for entry in metrics(tmp_path / "run") if "loss" in entry]) == 6


def test_files_that_cannot_be_opened_are_left_out_and_named(recipe, folder, tmp_path):
    data = tmp_path / "data"
    shutil.copytree(folder, data)
    (data / "disc" / "gone.png").symlink_to("nowhere")
    told: list[str] = []
    assert not run(recipe, data, tmp_path / "run", stop_at=1, tell=told.append)
    assert "left out, since they cannot be read: disc/gone.png" in told


def test_a_set_without_a_readable_picture(recipe, folder, tmp_path):
    data = tmp_path / "data"
    shutil.copytree(folder, data)
    for path in data.rglob("*.png"):
        path.write_bytes(path.read_bytes()[:60])
    refused(recipe, data, tmp_path, "none of 64 pictures can be read")
