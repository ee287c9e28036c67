import os
from pathlib import Path

import pytest

from safelight.errors import OutputError, UsageError
from safelight.jobs.enhance import EnhanceSettings, Manifest, make_plan
from safelight.jobs.enhance.manifest import task_key


def touch(folder: Path, *names: str) -> None:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(b"x")


def targets(plan, root: Path) -> list[str]:
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
    deep = make_plan([tmp_path / "in"], tmp_path / "out", EnhanceSettings(), recursive=True)
    assert targets(deep, tmp_path / "out") == ["a.PNG", "b.jpg", "sub/c.tif", "sub/e.png"]
    flat = make_plan([tmp_path / "in"], tmp_path / "out", EnhanceSettings(), recursive=False)
    assert targets(flat, tmp_path / "out") == ["a.PNG", "b.jpg"]


def test_results_do_not_become_inputs(tmp_path):
    touch(tmp_path, "a.png", "out/old.png", "made.png")
    Manifest(tmp_path).finish("k", [tmp_path / "made.png"])
    plan = make_plan([tmp_path], tmp_path / "out", EnhanceSettings(), recursive=True)
    assert targets(plan, tmp_path / "out") == ["a.png", "made.png"]
    plan = make_plan([tmp_path], tmp_path, EnhanceSettings(pattern="{stem}_{model}.{ext}"), recursive=False)
    assert targets(plan, tmp_path) == ["a_photo.png"]


def test_names(tmp_path):
    touch(tmp_path, "a.jpeg", "b")
    settings = EnhanceSettings(pattern="{model}-{stem}.{ext}", format="avif", samples=2, uncertainty=True)
    task = make_plan([tmp_path / "a.jpeg"], tmp_path / "out", settings, False).tasks[0]
    assert [p.name for p in task.outputs] == [
        "photo-a.avif",
        "photo-a_sample1.avif",
        "photo-a_sample2.avif",
        "photo-a_std.tif",
    ]
    one = make_plan([tmp_path / "a.jpeg"], tmp_path / "x" / "y.tif", EnhanceSettings(), False)
    assert (one.folder, one.tasks[0].target) == (tmp_path / "x", tmp_path / "x" / "y.tif")


@pytest.mark.parametrize("pattern", ["{nope}.{ext}", "{stem}", "a/{stem}.{ext}", "{stem.x}.{ext}", "{}.{ext}", "{stem"])
def test_bad_patterns(tmp_path, pattern):
    with pytest.raises(UsageError, match="pattern"):
        make_plan([tmp_path / "a.png"], tmp_path, EnhanceSettings(pattern=pattern), False)


def test_collisions_and_overwriting_inputs_are_problems_of_their_files(tmp_path):
    touch(tmp_path, "one/a.png", "two/a.png", "a_sample1.png", "a.png")
    (tmp_path / "link").symlink_to(tmp_path / "one")
    plan = make_plan([tmp_path / "one", tmp_path / "two"], tmp_path / "out", EnhanceSettings(), False)
    assert [bool(t.problem) for t in plan.tasks] == [False, True]
    assert "would write" in plan.tasks[1].problem
    plan = make_plan([tmp_path / "one" / "a.png"], tmp_path / "link", EnhanceSettings(), False)
    assert "would overwrite the input" in plan.tasks[0].problem
    both = [tmp_path / "a.png", tmp_path / "a_sample1.png"]
    plan = make_plan(both, tmp_path / "out", EnhanceSettings(samples=1), False)
    assert "would write" in plan.tasks[1].problem
    renaming = EnhanceSettings(if_exists="rename")
    plan = make_plan([tmp_path / "one", tmp_path / "two"], tmp_path / "out", renaming, False)
    assert targets(plan, tmp_path / "out") == ["a.png", "a_1.png"]
    assert not any(t.problem for t in plan.tasks)
    touch(tmp_path, "full/b_sample1.png", "full/b_1_std.tif", "b.png")
    drawing = EnhanceSettings(if_exists="rename", samples=1, uncertainty=True)
    plan = make_plan([tmp_path / "b.png"], tmp_path / "full", drawing, False)
    assert targets(plan, tmp_path / "full") == ["b_2.png"], "no output of any kind is written over"


def test_odd_requests(tmp_path):
    touch(tmp_path, "a.png", "b.png", "file")
    with pytest.raises(UsageError, match="name a folder"):
        make_plan([tmp_path / "a.png", tmp_path / "b.png"], tmp_path / "file", EnhanceSettings(), False)
    with pytest.raises(UsageError, match="several pictures need a folder"):
        make_plan([tmp_path / "a.png", tmp_path / "b.png"], tmp_path / "both.jpg", EnhanceSettings(), False)
    with pytest.raises(UsageError, match=r"'.heic' cannot be written"):
        make_plan([tmp_path / "a.png"], tmp_path / "a.heic", EnhanceSettings(), False)
    (tmp_path / "empty").mkdir()
    plan = make_plan([tmp_path / "empty", tmp_path / "a.png"], tmp_path / "out", EnhanceSettings(), False)
    assert "no pictures" in plan.tasks[0].problem
    assert plan.tasks[1].problem is None
    (tmp_path / "loop.jpg").symlink_to("loop.jpg")
    long = tmp_path / ("n" * 300 + ".png")
    assert len(make_plan([tmp_path / "loop.jpg", long], tmp_path / "out", EnhanceSettings(), False).tasks) == 2


def test_manifest_knows_what_is_done_begun_and_outdated(tmp_path):
    touch(tmp_path, "a.png", "b.png")
    a, b = tmp_path / "a.png", tmp_path / "b.png"
    manifest = Manifest(tmp_path)
    manifest.begin("k1", [a, b])
    assert Manifest(tmp_path).begun("k1", a) and not Manifest(tmp_path).begun("k2", a)
    manifest.finish("k1", [a, b], source="x")
    for known in (manifest, Manifest(tmp_path)):
        assert known.done("k1", [a, b]) and not known.begun("k1", a)
        assert not known.done("k2", [a])
    manifest.finish("k2", [a])
    assert not Manifest(tmp_path).done("k1", [a, b]), "a later task made another a.png"
    b.write_bytes(b"changed by hand")
    assert not Manifest(tmp_path).done("k1", [b])


def test_a_line_cut_off_by_a_kill_is_forgotten_and_does_not_spoil_the_next(tmp_path):
    touch(tmp_path, "a.png", "b.png")
    Manifest(tmp_path).finish("k1", [tmp_path / "a.png"])
    with (tmp_path / "manifest.jsonl").open("a") as file:
        file.write('{"key": "k2", "outp')
    Manifest(tmp_path).finish("k3", [tmp_path / "b.png"])
    again = Manifest(tmp_path)
    assert again.done("k1", [tmp_path / "a.png"])
    assert again.done("k3", [tmp_path / "b.png"])


def test_a_manifest_that_cannot_be_used_says_so(tmp_path):
    (tmp_path / "manifest.jsonl").mkdir()
    with pytest.raises(OutputError, match="move it away"):
        Manifest(tmp_path)


def test_keys_depend_on_everything():
    base = ("s", "m", {"a": 1})
    keys = {task_key(*base), task_key("t", "m", {"a": 1}), task_key("s", "n", {"a": 1}), task_key("s", "m", {"a": 2})}
    assert len(keys) == 4
    assert task_key("s", "m", {"a": 1, "b": 2}) == task_key("s", "m", {"b": 2, "a": 1})
