"""Without -o the results lie beside the inputs; a single file leaves nothing but its result; a page to compare them."""

import base64
import json
import re
from pathlib import Path

import numpy as np
import pytest

from safelight.errors import OutputError, UsageError
from safelight.jobs.batch.outcome import in_words
from safelight.jobs.compress.compress import plan_compress
from safelight.jobs.compress.decompress import plan_decompress
from safelight.jobs.compress.settings import CompressSettings, DecompressSettings
from safelight.jobs.enhance.enhance import enhance
from safelight.jobs.enhance.plan import plan_enhance
from safelight.jobs.enhance.settings import EnhanceSettings
from safelight.picture import Picture, read, write
from safelight.work import MANIFEST, Manifest
from tests.support import run_cli


@pytest.fixture
def photo(tmp_path, rng):
    write(Picture(rng.integers(0, 256, (48, 40, 3), dtype=np.uint8)), tmp_path / "photo.png")
    return tmp_path / "photo.png"


@pytest.fixture
def asked(tiny, photo):
    def settings(**changes):
        return EnhanceSettings(**({"inputs": [photo], "model": str(tiny.folder), "precision": "fp32"} | changes))

    return settings


def target(plan):
    (task,) = plan.tasks
    return task.target


def restored(path, **changes):
    return target(plan_enhance(EnhanceSettings(inputs=[path], **changes)))


def test_a_folder_gets_a_folder_beside_it(photo, tmp_path, monkeypatch):
    beside = tmp_path.parent / f"{tmp_path.name}_restored" / "photo.png"
    assert restored(tmp_path) == restored(f"{tmp_path}/") == beside
    monkeypatch.chdir(tmp_path)
    assert restored(".") == beside
    assert target(plan_compress(CompressSettings(inputs=["."]))).parent.name == f"{tmp_path.name}_compressed"


def test_a_file_gets_a_file_beside_it(tmp_path):
    assert restored("a/photo.JPG") == Path("a/photo_restored.JPG")
    assert restored("photo.heic") == Path("photo_restored.avif")  # photo.avif may be another original
    assert restored("photo.jpg", format="png") == Path("photo_restored.png")
    assert restored("photo.jpg", pattern="{stem}-new.{ext}") == Path("photo-new.jpg")
    assert target(plan_compress(CompressSettings(inputs=["a/photo.tif"]))) == Path("a/photo.latent")
    assert target(plan_decompress(DecompressSettings(inputs=["a/photo.latent"]))) == Path("a/photo_decompressed.png")


@pytest.mark.parametrize("inputs", [["a.png", "b.png"], ["/"]])
def test_several_inputs_need_a_folder(inputs):
    with pytest.raises(UsageError, match="name one with -o, such as -o results"):
        plan_enhance(EnhanceSettings(inputs=inputs))


def test_standard_input_needs_an_output(photo):
    done = run_cli("enhance", "-", input=photo.read_text(encoding="latin-1"))
    assert done.returncode == 2 and "standard input has no name" in done.stderr


def test_a_single_file_leaves_nothing_but_its_result(asked, photo, tmp_path):
    (outcome,) = enhance(asked()).outcomes
    assert outcome.status == "done"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["photo.png", "photo_restored.png"]
    (again,) = enhance(asked()).outcomes
    assert again.status == "skipped"
    advice = "name another file with -o, or use --if-exists overwrite or rename"
    assert again.warnings == [f"{tmp_path}/photo_restored.png is there already; {advice}"]


def test_a_name_that_says_another_format_is_refused(photo, tmp_path):
    with pytest.raises(UsageError, match=r"--format tiff and -o .*x\.png disagree"):
        plan_enhance(EnhanceSettings(inputs=[photo], output=tmp_path / "x.png", format="tif"))
    with pytest.raises(UsageError, match=r"x\.jpgg: a result can end in \.jpg, .*make it first"):
        plan_enhance(EnhanceSettings(inputs=[photo], output=tmp_path / "x.jpgg"))
    (tmp_path / "x.png").mkdir()
    assert restored(photo, output=tmp_path / "x.png", format="jpg") == tmp_path / "x.png" / "photo.jpg"
    assert restored(photo, output=tmp_path / "2026.11") == tmp_path / "2026.11" / "photo.png"


def test_results_beside_their_inputs_are_no_inputs(asked, photo, tmp_path):
    photo = photo.rename(photo.with_suffix(".PNG"))
    enhance(asked(inputs=[photo], samples=1, uncertainty=True))
    photo.with_name("an_old_restored.png").write_bytes(photo.read_bytes())  # of somebody else: there is no an_old.*
    plan = plan_enhance(asked(inputs=[tmp_path]))
    assert [task.source.name for task in plan.tasks] == ["an_old_restored.png", "photo.PNG"]
    assert in_words(plan.passed_over) == "4 passed over: 4 with the names of results (give their names to include them)"
    named = plan_enhance(asked(inputs=[tmp_path / "photo_restored.PNG"]))
    assert [task.source.name for task in named.tasks] == ["photo_restored.PNG"]
    for name in ("photo_restored_1_sample2.png", "photo_restored_1.png", "photo_restored_2_std.tif"):
        (tmp_path / name).touch()
    for name in ("photo_restored.heic", "photo_restored_x.png"):  # which Safelight does not write
        (tmp_path / name).touch()
    plan = plan_enhance(asked(inputs=[tmp_path]))
    assert [task.source.name for task in plan.tasks] == [
        "an_old_restored.png",
        "photo.PNG",
        "photo_restored.heic",
        "photo_restored_x.png",
    ]
    compressed = plan_compress(CompressSettings(inputs=[tmp_path], output=tmp_path / "small"))
    assert [task.source for task in compressed.tasks] == [task.source for task in plan.tasks]
    packed = tmp_path / "packed"
    packed.mkdir()
    for name in ("x.latent", "x_decompressed.latent"):
        (packed / name).touch()
    assert len(plan_decompress(DecompressSettings(inputs=[packed])).tasks) == 2


def test_folders_that_are_left_out_are_counted(asked, tmp_path):
    (tmp_path / "more").mkdir()
    (tmp_path / ".hidden").mkdir()
    assert in_words(plan_enhance(asked(inputs=[tmp_path])).passed_over) == "1 passed over: 1 folder (add -r)"
    assert in_words(plan_enhance(asked(inputs=[tmp_path], recursive=True)).passed_over) is None


def test_a_result_that_was_deleted_is_made_again(asked, tmp_path):
    again = asked(output=tmp_path / "out", samples=2)
    enhance(again)
    before = {path.name: path.read_bytes() for path in (tmp_path / "out").glob("*.png")}
    (tmp_path / "out" / "photo_sample1.png").unlink()
    assert [outcome.status for outcome in enhance(again).outcomes] == ["done"]
    assert before == {path.name: path.read_bytes() for path in (tmp_path / "out").glob("*.png")}
    (tmp_path / "out" / "photo_sample2.png").write_bytes(b"mine")
    (tmp_path / "out" / "photo_sample1.png").unlink()
    (outcome,) = enhance(again).outcomes  # what somebody has changed stays
    assert outcome.status == "skipped" and "photo_sample2.png is there already" in outcome.warnings[0]


def test_the_manifest_of_others_stays(asked, tmp_path):
    (tmp_path / MANIFEST).write_text("mine\n")
    enhance(asked())
    with pytest.raises(OutputError, match="was not written by Safelight"):
        enhance(asked(output=tmp_path))
    assert (tmp_path / MANIFEST).read_text() == "mine\n"


def test_what_a_killed_run_left_is_made_again(asked, tmp_path):
    plain = enhance(asked()).outcomes[0].outputs[0]
    whole = Path(plain).read_bytes()
    (tmp_path / "other").mkdir()
    enhance(asked(output=tmp_path / "other"))  # a folder as output: its manifest stays
    line = json.loads((tmp_path / "other" / MANIFEST).read_text().splitlines()[-1])
    manifest = Manifest(tmp_path, plan_enhance(asked()).manifest)
    manifest.begin("enhance")
    manifest.append({"begun": line["key"], "outputs": {"photo_restored.png": 0}})
    Path(plain).write_bytes(b"half")
    (outcome,) = enhance(asked()).outcomes
    assert outcome.status == "done" and Path(plain).read_bytes() == whole
    assert not manifest.path.exists()


def test_a_page_shows_results_beside_their_inputs(asked, photo, tmp_path, rng):
    low, width = 300, 500  # of 65,535
    counts = (low + width * rng.random((48, 40, 1))).astype(np.uint16)
    write(Picture(counts), tmp_path / "a <b> & c.tif")
    (tmp_path / "broken.png").write_bytes(b"nothing")
    page = tmp_path / "pages" / "look.html"
    settings = asked(inputs=[tmp_path], output=tmp_path / "out", samples=1, uncertainty=True, compare=page)
    for _ in range(2):  # the second time all is there already
        report = enhance(settings)
        content = page.read_text(encoding="utf-8")
        data = json.loads(re.search(r"const data = (.*);", content)[1])
        assert [one["name"] for one in data["pictures"]] == ["a <b> & c.tif", "photo.png"]
        for one in data["pictures"]:
            assert list(one["layers"]) == ["restored", "sample 1", "uncertainty"]
            assert all(uri.startswith("data:image/webp;base64,") for uri in (one["before"], *one["layers"].values()))
    assert (report.skipped, report.failed) == (2, 1)
    assert read(tmp_path / "out" / "photo.png").pixels.shape == (48, 40, 3)


def test_what_alpha_hides_is_grey_on_the_page(asked, tmp_path, rng):
    hidden = Picture(rng.integers(0, 256, (48, 40, 3), dtype=np.uint8), np.zeros((48, 40, 1), np.uint8))
    write(hidden, tmp_path / "clear.png")
    enhance(asked(inputs=[tmp_path / "clear.png"], compare=tmp_path / "look.html"))
    data = json.loads(re.search(r"const data = (.*);", (tmp_path / "look.html").read_text(encoding="utf-8"))[1])
    (one,) = data["pictures"]
    for uri in (one["before"], *one["layers"].values()):
        (tmp_path / "seen.webp").write_bytes(base64.b64decode(uri.partition(",")[2]))
        assert np.ptp(read(tmp_path / "seen.webp").pixels) <= 2


def test_a_page_of_nothing_is_not_written(tmp_path):
    done = run_cli("enhance", tmp_path / "none.png", "-o", tmp_path / "out", "--compare", tmp_path / "look.html")
    assert done.returncode == 1 and "none.png: is not there; name a picture" in done.stderr
    assert "no page: nothing to show" in done.stderr and not (tmp_path / "look.html").exists()


def test_a_page_never_takes_the_place_of_a_picture(photo):
    with pytest.raises(UsageError, match=r"name a file that ends in \.html"):
        EnhanceSettings(inputs=[photo], compare=photo)


def test_a_page_that_cannot_be_written_is_an_error_after_the_results(asked, photo, tmp_path):
    with pytest.raises(OutputError, match=r"photo\.png/look\.html: cannot be written"):
        enhance(asked(compare=photo / "look.html"))
    assert (tmp_path / "photo_restored.png").exists()


def test_names_cannot_move_the_text_of_a_terminal(asked, photo, tmp_path, tiny):
    for name in ("new\nline.png", "red\x1b[31m.png"):
        photo.with_name(name).write_bytes(photo.read_bytes())
    (tmp_path / "no\rpicture.png").write_bytes(b"x")
    done = run_cli("enhance", tmp_path, "-o", tmp_path / "out", "--model", tiny.folder)
    assert done.returncode == 1 and (tmp_path / "out" / "new\nline.png").exists()
    told = done.stdout + done.stderr
    assert r"new\nline.png" in told and r"red\x1b[31m.png" in told
    assert "\x1b" not in told and "\r" not in told
