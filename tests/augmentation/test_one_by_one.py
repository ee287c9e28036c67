"""One variant is one result: its failure stops no other, what is finished is recorded, and what is lost is said."""

import json

import numpy as np
import pytest

from safelight.jobs.augment import augment as job
from safelight.jobs.augment import workers
from safelight.jobs.augment.settings import AugmentSettings
from safelight.picture import Picture, read, write
from safelight.work import Cancelled
from tests.augmentation.augment_support import CLASSIC, augment, made, tree
from tests.blobs import write_blobs

JPEG_STEP = '[[steps]]\nop = "contrast"\n[[steps]]\nop = "jpeg"\n'


def lines(folder):
    return [json.loads(text) for text in (folder / "manifest.jsonl").read_text().splitlines()[1:]]


def variants_of(folder):
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*.v[0-9]*.*"))


@pytest.fixture
def with_a_wide_one(tmp_path):
    """Two small pictures and one that is too wide for JPEG."""
    for name, width in (("a", 16), ("b", 66000), ("c", 16)):
        (tmp_path / "set/one").mkdir(parents=True, exist_ok=True)
        write(Picture(np.full((4, width, 1), 90, np.uint8)), tmp_path / f"set/one/{name}.png")
    return tmp_path / "set"


@pytest.mark.parametrize(
    ("steps", "options", "words"),
    [
        (JPEG_STEP, (), "one/b.png: JPEG holds 65500 px a side"),
        (CLASSIC, ("--format", "jpeg"), "one/b.v1.jpg: cannot be written"),
    ],
)
def test_a_picture_too_wide_for_jpeg_fails_alone(with_a_wide_one, tmp_path, steps, options, words):
    (tmp_path / "aug.toml").write_text(steps)
    suffix = "jpg" if options else "png"
    done = augment("set", "-o", "out", "--recipe", "aug.toml", "--copies", 2, *options, home=tmp_path)
    assert done.returncode == 1 and f"failed: {'out/' if options else ''}{words}" in done.stderr
    assert variants_of(tmp_path / "out") == [f"one/{name}.v{copy}.{suffix}" for name in "ac" for copy in (1, 2)]
    failed = [line for line in lines(tmp_path / "out") if "failed" in line]
    assert [(line["source"], line["copy"], line["outputs"]) for line in failed] == [
        ("one/b.png", k, {}) for k in (1, 2)
    ]
    (with_a_wide_one / "one/b.png").unlink()  # the others are what they would be without it
    made(augment("set", "-o", "alone", "--recipe", "aug.toml", "--copies", 2, *options, home=tmp_path))
    whole, alone = tree(tmp_path / "out"), tree(tmp_path / "alone")
    assert all(whole[name] == content for name, content in alone.items() if name != "manifest.jsonl")


def test_a_variant_that_cannot_be_written_leaves_no_mask_behind(drawn, tmp_path, recipe):
    for folder in ("images", "masks"):
        write(Picture(np.ones((4, 66000, 1), np.uint8)), drawn.masks / folder / "wide.png")
    options = ("--recipe", recipe, "--copies", 1, "--format", "jpeg")
    done = augment(drawn.masks, "-o", "out", *options, home=tmp_path)
    assert done.returncode == 1 and "wide.v1.jpg" in done.stderr
    assert len(variants_of(tmp_path / "out")) == 6 and not list((tmp_path / "out").rglob("wide.v1*"))


def test_a_sheet_says_which_variant_failed(with_a_wide_one, tmp_path):
    (tmp_path / "aug.toml").write_text(JPEG_STEP)
    done = made(augment("set", "--preview", "sheet.png", "--recipe", "aug.toml", "--json", home=tmp_path))
    assert json.loads(done.stdout) == {"variants": 12, "preview": "sheet.png"}
    assert done.stderr.endswith("12 variants in sheet.png\n") and read(tmp_path / "sheet.png").size[0] > 800


def test_what_a_format_cannot_hold_is_said_once(tmp_path, recipe):
    deep, floats = np.full((12, 16, 1), 30000, np.uint16), np.full((12, 16, 1), 0.5, np.float32)
    for name, values in (("a", deep), ("b", deep), ("c", floats)):
        (tmp_path / "set/one").mkdir(parents=True, exist_ok=True)
        write(Picture(values), tmp_path / f"set/one/{name}.tif")
    reduced = {
        "png": ["32 bits were reduced to 16, the most that png holds here"],
        "jpeg": [f"{bits} bits were reduced to 8, the most that jpeg holds here" for bits in (16, 32)],
    }
    for kind, warnings in reduced.items():
        options = ("-o", kind, "--recipe", recipe, "--copies", 2, "--format", kind)
        done = made(augment("set", *options, "--json", home=tmp_path))
        assert json.loads(done.stdout)["warnings"] == warnings
        assert [line for line in done.stderr.splitlines() if "warning" in line] == [f"warning: {w}" for w in warnings]
        again = made(augment("set", *options, "--json", home=tmp_path))  # an earlier run's are said, too
        assert json.loads(again.stdout)["warnings"] == warnings and "6 variants (6 from an earlier run)" in again.stderr
    assert read(tmp_path / "png/one/a.v1.png").bits == 16 == read(tmp_path / "png/one/c.v1.png").bits


def test_ctrl_c_keeps_every_variant_on_disk(tmp_path, recipe, monkeypatch):
    write_blobs(tmp_path / "set", 8)
    options = ("--recipe", recipe, "--copies", 2)
    made(augment("set", "-o", "whole", *options, home=tmp_path))
    left = iter([True] * 5)

    def interrupted(prepared, variant, folder):
        if not next(left, False):
            raise KeyboardInterrupt
        return write_variant(prepared, variant, folder)

    write_variant = workers.write_variant
    monkeypatch.setattr(workers, "write_variant", interrupted)
    done = augment("set", "-o", "out", *options, home=tmp_path)
    assert done.returncode == 130 and "what is finished is kept" in done.stderr
    recorded = [name for line in lines(tmp_path / "out") if "copy" in line for name in line["outputs"]]
    assert len(recorded) == 5 and sorted(recorded) == variants_of(tmp_path / "out")
    monkeypatch.undo()
    done = made(augment("set", "-o", "out", *options, home=tmp_path))
    assert "16 variants (5 from an earlier run)" in done.stderr
    assert tree(tmp_path / "out") == tree(tmp_path / "whole")


@pytest.mark.slow
def test_workers_that_are_stopped_leave_nothing_wrong(tmp_path, recipe):
    asked = {"dataset": write_blobs(tmp_path / "set", 60), "recipe": recipe, "copies": 2}

    def stop(progress):
        if progress.what == "variants" and progress.done:
            raise Cancelled

    with pytest.raises(Cancelled):
        job.augment(AugmentSettings(output=tmp_path / "cut", workers=2, **asked), stop)
    on_disk = len(variants_of(tmp_path / "cut"))
    report = job.augment(AugmentSettings(output=tmp_path / "cut", **asked))
    assert 0 < report.before <= on_disk and on_disk - report.before <= 5 * job.AT_ONCE_BY_WORKER
    job.augment(AugmentSettings(output=tmp_path / "whole", **asked))
    assert tree(tmp_path / "cut") == tree(tmp_path / "whole")


def test_ctrl_c_during_a_sheet_says_that_there_is_none(tmp_path, recipe, monkeypatch):
    write_blobs(tmp_path / "set", 4)

    def interrupted(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr("safelight.jobs.augment.preview.make_variants", interrupted)
    done = augment("set", "--preview", "sheet.png", "--recipe", recipe, home=tmp_path)
    assert done.returncode == 130 and done.stderr == "interrupted; no contact sheet was written\n"
    assert not (tmp_path / "sheet.png").exists()
