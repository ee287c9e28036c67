import json
import os
from pathlib import Path

import pytest

from safelight.errors import OutputError, UsageError
from safelight.jobs.batch.outcome import in_words
from safelight.jobs.batch.plan import Plan
from safelight.jobs.batch.results import Results, task_key
from safelight.jobs.compress.compress import plan_compress
from safelight.jobs.compress.settings import CompressSettings
from safelight.jobs.enhance.plan import plan_enhance
from safelight.jobs.enhance.settings import EnhanceSettings
from tests.support import run_cli


def touch(folder: Path, *names: str) -> None:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(b"x")


def planned(*inputs: Path, output: Path, **settings: object) -> Plan:
    return plan_enhance(EnhanceSettings(inputs=inputs, output=output, **settings))


def targets(plan: Plan, root: Path) -> list[str]:
    return [os.path.relpath(task.target, root) for task in plan.tasks]


def test_a_tree_is_mirrored_and_only_pictures_are_taken(tmp_path):
    touch(
        tmp_path / "in",
        "b.jpg",
        "a.PNG",
        "sub/c.tif",
        "Thumbs.db",
        "._b.jpg",
        "notes.txt",
        ".hidden/d.png",
        "sub/e.gif",
    )
    os.mkfifo(tmp_path / "in" / "pipe.jpg")
    (tmp_path / "in" / "loop").symlink_to(tmp_path / "in")
    deep = planned(tmp_path / "in", output=tmp_path / "out", recursive=True)
    assert targets(deep, tmp_path / "out") == ["a.PNG", "b.jpg", "sub/c.tif", "sub/e.png"]
    flat = planned(tmp_path / "in", output=tmp_path / "out")
    assert targets(flat, tmp_path / "out") == ["a.PNG", "b.jpg"]


def test_what_is_passed_over_is_counted(tmp_path):
    touch(tmp_path / "in", "a.png", "b.bmp", "c.BMP", "d.jxl", "e.NEF", "sub/f.cr2", "README", "manifest.jsonl")
    touch(tmp_path / "in", "@eaDir/a.png", "__MACOSX/a.png", "#recycle/a.png", "Thumbs.db", ".thumbnails/a.png")
    plan = planned(tmp_path / "in", output=tmp_path / "out", recursive=True)
    assert targets(plan, tmp_path / "out") == ["a.png"]
    words = in_words(plan.passed_over)
    assert words == (
        "6 passed over: 2 .bmp, 1 without a suffix, 1 .jxl, 1 .cr2, 1 .nef (raw camera files: develop them first)"
    )
    assert in_words({}) is None and not planned(tmp_path / "in" / "a.png", output=tmp_path / "out").passed_over
    told = run_cli("enhance", tmp_path / "in", "-o", tmp_path / "out", "-r", "--dry-run")
    assert words in told.stderr and told.returncode == 0


def test_a_file_that_is_given_twice_is_done_once(tmp_path):
    touch(tmp_path, "in/a.png", "in/b.gif", "in/b.png")
    a = tmp_path / "in" / "a.png"
    twice = planned(a, a, tmp_path / "in" / ".." / "in" / "a.png", output=tmp_path / "out")
    assert targets(twice, tmp_path / "out") == ["a.png"]
    both = planned(tmp_path / "in", output=tmp_path / "out")
    assert targets(both, tmp_path / "out") == ["a.png", "b_gif.png", "b_png.png"]


def test_two_originals_of_one_stem_are_told_apart(tmp_path):
    touch(tmp_path, "in/a.jpg", "in/b.JPG", "in/b.tif", "in/sub/b.png")

    def sources(plan):
        assert not any(task.problem for task in plan.tasks)
        return {str(task.target.relative_to(tmp_path / "out")): task.source.name for task in plan.tasks}

    asked = {"inputs": [tmp_path / "in"], "output": tmp_path / "out", "recursive": True}
    assert sources(plan_compress(CompressSettings(**asked))) == {
        "a.latent": "a.jpg",
        "b_jpg.latent": "b.JPG",
        "b_tif.latent": "b.tif",
        "sub/b.latent": "b.png",
    }
    assert set(sources(plan_enhance(EnhanceSettings(**asked)))) == {"a.jpg", "b.JPG", "b.tif", "sub/b.png"}
    both = plan_enhance(EnhanceSettings(**asked, uncertainty=True))
    assert set(sources(both)) == {"a.jpg", "b_jpg.JPG", "b_tif.tif", "sub/b.png"}
    assert tmp_path / "out" / "b_tif_std.tif" in both.tasks[2].outputs
    touch(tmp_path / "in", "b_tif.webp")  # which has a name that one of them would get
    assert [bool(task.problem) for task in plan_compress(CompressSettings(**asked)).tasks] == [
        False,
        False,
        True,
        False,
        False,
    ]
    (tmp_path / "in" / "b_tif.webp").unlink()
    touch(tmp_path / "in", "b.jpg")  # on many disks, b_JPG would be the same name as b_jpg
    assert [bool(task.problem) for task in plan_compress(CompressSettings(**asked)).tasks] == [
        False,
        False,
        True,
        True,
        False,
    ]


def test_results_do_not_become_inputs(tmp_path):
    touch(tmp_path, "a.png", "out/old.png", "made.png")
    Results(tmp_path, "enhance").finish("k", [tmp_path / "made.png"], {})
    plan = planned(tmp_path, output=tmp_path / "out", recursive=True)
    assert targets(plan, tmp_path / "out") == ["a.png", "made.png"]
    plan = planned(tmp_path, output=tmp_path, pattern="{stem}_{model}.{ext}")
    assert targets(plan, tmp_path) == ["a_photo.png"]


def test_names(tmp_path):
    touch(tmp_path, "a.jpeg", "b")
    names = {"pattern": "{model}-{stem}.{ext}", "format": "avif", "samples": 2, "uncertainty": True}
    task = planned(tmp_path / "a.jpeg", output=tmp_path / "out", **names).tasks[0]
    assert [p.name for p in task.outputs] == [
        "photo-a.avif",
        "photo-a_sample1.avif",
        "photo-a_sample2.avif",
        "photo-a_std.tif",
        "photo-a_std.png",
    ]
    one = planned(tmp_path / "a.jpeg", output=tmp_path / "x" / "y.tif")
    assert (one.folder, one.tasks[0].target) == (tmp_path / "x", tmp_path / "x" / "y.tif")


@pytest.mark.parametrize("pattern", ["{nope}.{ext}", "{stem}", "a/{stem}.{ext}", "{stem.x}.{ext}", "{}.{ext}", "{stem"])
def test_bad_patterns(tmp_path, pattern):
    with pytest.raises(UsageError, match="pattern"):
        planned(tmp_path / "a.png", output=tmp_path, pattern=pattern)


def test_collisions_and_overwriting_inputs_are_problems_of_their_files(tmp_path):
    touch(tmp_path, "one/a.png", "two/a.png", "a_sample1.png", "a.png")
    (tmp_path / "link").symlink_to(tmp_path / "one")
    plan = planned(tmp_path / "one", tmp_path / "two", output=tmp_path / "out")
    assert [bool(t.problem) for t in plan.tasks] == [False, True]
    assert "would write" in plan.tasks[1].problem
    plan = planned(tmp_path / "one" / "a.png", output=tmp_path / "link")
    assert "would overwrite the input" in plan.tasks[0].problem
    both = [tmp_path / "a.png", tmp_path / "a_sample1.png"]
    plan = planned(*both, output=tmp_path / "out", samples=1)
    assert "would write" in plan.tasks[1].problem
    plan = planned(tmp_path / "one", tmp_path / "two", output=tmp_path / "out", if_exists="rename")
    assert targets(plan, tmp_path / "out") == ["a.png", "a_1.png"]
    assert not any(t.problem for t in plan.tasks)
    touch(tmp_path, "full/b_sample1.png", "full/b_1_std.tif", "b.png")
    plan = planned(tmp_path / "b.png", output=tmp_path / "full", if_exists="rename", samples=1, uncertainty=True)
    assert targets(plan, tmp_path / "full") == ["b_2.png"], "no output of any kind is written over"


def test_odd_requests(tmp_path):
    touch(tmp_path, "a.png", "b.png", "file")
    with pytest.raises(UsageError, match="name a folder"):
        planned(tmp_path / "a.png", tmp_path / "b.png", output=tmp_path / "file")
    with pytest.raises(UsageError, match="several pictures need a folder"):
        planned(tmp_path / "a.png", tmp_path / "b.png", output=tmp_path / "both.jpg")
    with pytest.raises(UsageError, match=r"'.heic' cannot be written"):
        planned(tmp_path / "a.png", output=tmp_path / "a.heic")
    (tmp_path / "empty").mkdir()
    plan = planned(tmp_path / "empty", tmp_path / "a.png", output=tmp_path / "out")
    assert "no pictures" in plan.tasks[0].problem
    assert plan.tasks[1].problem is None
    (tmp_path / "loop.jpg").symlink_to("loop.jpg")
    long = tmp_path / ("n" * 300 + ".png")
    assert len(planned(tmp_path / "loop.jpg", long, output=tmp_path / "out").tasks) == 2


def test_manifest_knows_what_is_done_begun_and_outdated(tmp_path):
    touch(tmp_path, "a.png", "b.png")
    a, b = tmp_path / "a.png", tmp_path / "b.png"
    results = Results(tmp_path, "enhance")
    results.begin("k1", [a, b])
    assert Results(tmp_path, "enhance").is_own("k1", a) and not Results(tmp_path, "enhance").is_own("k2", a)
    results.finish("k1", [a, b], {"source": "x"})
    for known in (results, Results(tmp_path, "enhance")):
        assert known.is_done("k1", [a, b]) and known.is_own("k1", a) and not known.is_own("k2", a)
        assert not known.is_done("k2", [a])
    results.finish("k2", [a], {})
    assert not Results(tmp_path, "enhance").is_done("k1", [a, b]), "a later task made another a.png"
    b.write_bytes(b"changed by hand")
    assert not Results(tmp_path, "enhance").is_done("k1", [b])


def test_a_line_cut_off_by_a_kill_is_forgotten_and_does_not_spoil_the_next(tmp_path):
    touch(tmp_path, "a.png", "b.png")
    Results(tmp_path, "enhance").finish("k1", [tmp_path / "a.png"], {})
    with (tmp_path / "manifest.jsonl").open("a") as file:
        file.write('{"key": "k2", "outp')
    Results(tmp_path, "enhance").finish("k3", [tmp_path / "b.png"], {})
    again = Results(tmp_path, "enhance")
    assert again.is_done("k1", [tmp_path / "a.png"])
    assert again.is_done("k3", [tmp_path / "b.png"])


def test_a_manifest_that_cannot_be_used_says_so(tmp_path):
    (tmp_path / "manifest.jsonl").mkdir()
    with pytest.raises(OutputError, match="move it away"):
        Results(tmp_path, "enhance")


def test_keys_depend_on_everything():
    base = ("s", "m", {"a": 1})
    keys = {task_key(*base), task_key("t", "m", {"a": 1}), task_key("s", "n", {"a": 1}), task_key("s", "m", {"a": 2})}
    assert len(keys) == 4
    assert task_key("s", "m", {"a": 1, "b": 2}) == task_key("s", "m", {"b": 2, "a": 1})


def test_equal_settings_have_the_keys_that_older_versions_gave_them():
    words = {"inputs": ("a.png",), "output": "out"}
    plain = EnhanceSettings(**words).parameters() | {"precision": "fp32"}
    assert task_key("s", "m", plain) == "6bebbc1e02c47aabb55ad7b728b0c6dbd31158ab3816e5d19aff87aab20e4216"
    words |= {"samples": 2, "strength": 0.5, "operations": ("contrast=1.2",), "temperature": 0.7, "sigma": 12}
    words |= {"recursive": True, "workers": 3, "device": "cpu", "on_error": "stop", "if_exists": "rename"}
    other = EnhanceSettings(**words, metadata="strip").parameters() | {"precision": "fp32"}
    assert task_key("s", "m", other) == "f8669280918878e55d1be66475f4e77609d9826b341f1efe511b7b1a5750a765"


def test_an_older_manifest_gets_a_header_and_keeps_its_lines(tmp_path):
    touch(tmp_path, "a.png", "b.png")
    a, b = tmp_path / "a.png", tmp_path / "b.png"
    manifest = tmp_path / "manifest.jsonl"
    manifest.write_text(
        '{"begun": "k1", "outputs": {"a.png": 0}}\n{"key": "k1", "outputs": {"a.png": 1}, "anomaly": 1}\n'
    )
    results = Results(tmp_path, "enhance")
    assert results.is_done("k1", [a])
    results.begin("k2", [b])
    lines = [json.loads(line) for line in manifest.read_text().splitlines()]
    assert lines[0] == {"manifest": 1, "verb": "enhance"} and [*lines[2]] == ["key", "outputs", "anomaly"]
    assert lines[3] == {"begun": "k2", "outputs": {"b.png": 0}} and Results(tmp_path, "enhance").is_done("k1", [a])


def test_a_task_that_wrote_nothing_leaves_earlier_results_valid(tmp_path):
    touch(tmp_path, "a.png", "a_std.tif", "a_sample1.png")
    outputs = [tmp_path / name for name in ("a.png", "a_std.tif")]
    results = Results(tmp_path, "enhance")
    results.finish("k1", outputs, {"source": "x"})
    results.begin("k2", [outputs[0], tmp_path / "a_sample1.png"])
    assert not Results(tmp_path, "enhance").is_done("k1", outputs)
    results.give_up([outputs[0], tmp_path / "a_sample1.png"])
    assert Results(tmp_path, "enhance").is_done("k1", outputs)
