"""The verb from Python: its settings, its progress, its manifest, and manifests of an earlier version."""

import json
import subprocess
import sys

import pytest

from safelight.errors import OutputError, UsageError
from safelight.jobs.augment.augment import augment
from safelight.jobs.augment.preview import preview
from safelight.jobs.augment.settings import AugmentSettings
from safelight.picture import read
from safelight.work import Cancelled
from tests.augmentation.augment_support import tree


@pytest.fixture
def settings(drawn, recipe, tmp_path):
    """Of small sets: by layout, with further options."""

    def of(layout, name="out", **options):
        asked = {"dataset": getattr(drawn, layout), "output": tmp_path / name, "recipe": recipe, "copies": 2}
        return AugmentSettings(**{name: value for name, value in (asked | options).items() if value is not None})

    return of


def lines_of(folder):
    return [json.loads(text) for text in (folder / "manifest.jsonl").read_text().splitlines()]


def test_a_report_and_progress(settings):
    seen = []
    report = augment(settings("yolo"), seen.append)
    assert (report.originals, report.variants, report.before, report.failed) == (6, 6, 0, [])
    assert seen[0].total == 0 and (seen[-1].done, seen[-1].total, seen[-1].what) == (6, 6, "variants")
    assert augment(settings("yolo")).before == 6


def test_the_settings_need_no_opencv():
    code = "import sys, safelight.jobs.augment.settings; sys.exit('cv2' in sys.modules)"
    assert not subprocess.run([sys.executable, "-c", code]).returncode


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"recipe": None}, "give --recipe or --replay; see --help"),
        ({"recipe": None, "output": None}, "give --recipe or --replay, and -o or --preview; see"),
        ({"replay": "m.jsonl"}, "--recipe and --replay cannot be given together"),
        ({"preview": "a.png"}, "-o and --preview cannot be given together"),
        ({"output": None, "preview": "a.txt"}, "ends in .png"),
        ({"recipe": None, "replay": "m.jsonl", "seed": 0}, "leave --copies out"),
        ({"recipe": None, "replay": "m.jsonl", "copies": None, "originals": False}, "leave --originals out"),
        ({"copies": 1001}, "--copies '1001'"),
        ({"workers": 0}, "--workers '0'"),
    ],
)
def test_options_that_make_no_sense(tmp_path, options, words):
    asked = {"dataset": tmp_path, "output": tmp_path, "recipe": tmp_path, "copies": 1} | options
    with pytest.raises(UsageError) as refused:
        AugmentSettings.of(**{name: value for name, value in asked.items() if value is not None})
    assert words in str(refused.value)


def test_a_sheet_is_not_a_set(settings, tmp_path):
    sheet = settings("coco", output=None, preview=tmp_path / "sheet.png")
    assert preview(sheet) == 6 and read(tmp_path / "sheet.png").pixels.shape[2] == 3
    with pytest.raises(UsageError, match="a set needs a folder"):
        augment(sheet)
    with pytest.raises(UsageError, match="a contact sheet needs a file"):
        preview(settings("coco"))


def test_every_file_stands_in_the_manifest(settings, tmp_path):
    for layout, beside in (("yolo", "labels/train/0.v1.txt"), ("masks", "masks/0.v1.png")):
        augment(settings(layout, layout))
        folder = tmp_path / layout
        header, *lines = lines_of(folder)
        assert (header["manifest"], header["verb"], header["copies"]) == (1, "augment", 2)
        sizes = {name: size for line in lines for name, size in line["outputs"].items()}
        whole = {"manifest.jsonl", "data.yaml"}  # of the whole set, written at the end
        assert sizes == {name: len(content) for name, content in tree(folder).items() if name not in whole}
        before = tree(folder)
        (folder / beside).unlink()  # a variant without its labels is made again
        assert augment(settings(layout, layout)).before == 5
        assert tree(folder) == before


def test_cancelled_and_gone_on_with(settings, tmp_path):
    def cancel(progress):
        if progress.what == "variants":
            raise Cancelled

    with pytest.raises(Cancelled):
        augment(settings("masks", "cut"), cancel)
    assert len(lines_of(tmp_path / "cut")) == 7
    augment(settings("masks", "cut"))
    augment(settings("masks", "whole"))
    assert tree(tmp_path / "cut") == tree(tmp_path / "whole")


def as_before_the_common_grammar(folder):
    """The manifest in the words of the version that had one of its own."""
    header, *lines = lines_of(folder)
    old = [{name: value for name, value in header.items() if name not in ("manifest", "verb")}]
    for number, line in enumerate(lines):
        outputs, facts = list(line.pop("outputs").items()), {"number": number, "copy": 0} | line
        old.append(facts | ({"output": outputs[0][0], "bytes": outputs[0][1]} if outputs else {}))
    return "".join(json.dumps(line) + "\n" for line in old)


@pytest.mark.parametrize("layout", ["coco", "yolo", "masks"])
def test_manifests_of_the_earlier_version_are_replayed(settings, tmp_path, layout):
    augment(settings(layout))
    (tmp_path / "old.jsonl").write_text(as_before_the_common_grammar(tmp_path / "out"))
    report = augment(settings(layout, "again", recipe=None, copies=None, replay=tmp_path / "old.jsonl"))
    assert report.variants == 6 and not report.different
    assert tree(tmp_path / "again") == tree(tmp_path / "out")


def test_folders_of_the_earlier_version_are_left_alone(settings, tmp_path):
    augment(settings("coco"))
    (tmp_path / "out" / "manifest.jsonl").write_text(as_before_the_common_grammar(tmp_path / "out"))
    before = tree(tmp_path / "out")
    with pytest.raises(OutputError, match="was not written by Safelight"):
        augment(settings("coco"))
    assert tree(tmp_path / "out") == before
