"""A batch as one call: outcomes, progress, and how it ends when somebody stops it."""

import json
import threading
import time

import numpy as np
import pytest

from safelight.errors import DeviceError, OutputError, RecipeError, UsageError
from safelight.jobs.batch import run as run_module
from safelight.jobs.batch.plan import FileTask
from safelight.jobs.batch.run import run
from safelight.jobs.batch.turns import Meter
from safelight.jobs.enhance.enhance import enhance
from safelight.jobs.enhance.files import Steps
from safelight.jobs.enhance.plan import plan_enhance
from safelight.jobs.enhance.settings import EnhanceSettings
from safelight.picture import Picture, write
from safelight.runtime.restore import Restorer
from safelight.work import Cancelled, Manifest

NAMES = [f"{k}.png" for k in range(7)]


@pytest.fixture
def inputs(tmp_path, rng):
    folder = tmp_path / "in"
    folder.mkdir()
    for name in NAMES:
        write(Picture(rng.integers(0, 256, (48, 40, 3), dtype=np.uint8)), folder / name)
    return folder


@pytest.fixture
def asked(tiny, inputs, tmp_path):
    """Settings for all inputs, with changes."""

    def settings(**changes):
        given = {"inputs": [inputs], "output": tmp_path / "out", "model": str(tiny.folder), "precision": "fp32"}
        return EnhanceSettings(**(given | changes))

    return settings


def pixels(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.name != "manifest.jsonl"}


def lines(folder):
    return [json.loads(line) for line in (folder / "manifest.jsonl").read_text().splitlines()]


def test_outcomes_come_in_order_and_are_counted(asked, inputs, tmp_path):
    (inputs / "3.png").write_bytes(b"nonsense")
    seen = []
    report = enhance(asked(workers=2), on_outcome=seen.append)
    assert [outcome.source for outcome in seen] == [str(inputs / name) for name in NAMES] and seen == report.outcomes
    assert (report.done, report.skipped, report.failed, report.device) == (6, 0, 1, "cpu")
    again = enhance(asked())
    assert (again.done, again.skipped, again.failed) == (0, 6, 1)
    assert set(pixels(tmp_path / "out")) == {*NAMES} - {"3.png"}


def test_the_manifest_has_the_one_grammar_and_is_written_by_the_driver(asked, tmp_path, monkeypatch):
    writers, append = set(), Manifest.append
    monkeypatch.setattr(Manifest, "append", lambda self, line: writers.add(threading.get_ident()) or append(self, line))
    enhance(asked(workers=2))
    assert writers == {threading.get_ident()}
    first, *rest = lines(tmp_path / "out")
    assert first == {"manifest": 1, "verb": "enhance"}
    finished = [line for line in rest if "key" in line]
    assert len(finished) == len(NAMES) == len([line for line in rest if "begun" in line])
    facts = ["source", "source_sha256", "model", "model_sha256", "parameters", "seconds", "ood_score", "expert"]
    assert [*finished[0]] == ["key", "outputs", *facts, "precision", "scale", "warnings"]
    assert all(Manifest(tmp_path / "out").is_complete(line) for line in finished)


def test_a_folder_of_an_older_version_is_gone_on_with(asked, tmp_path):
    enhance(asked())
    older = [line | {"anomaly": line.pop("ood_score")} if "key" in line else line for line in lines(tmp_path / "out")]
    (tmp_path / "out" / "manifest.jsonl").write_text("".join(json.dumps(line) + "\n" for line in older[1:]))
    assert enhance(asked()).skipped == len(NAMES)


def test_progress_counts_megapixels_and_the_share_of_the_file_at_hand(asked, inputs):
    (inputs / "2.png").write_bytes(b"nonsense")
    seen = []
    enhance(asked(workers=2), on_progress=seen.append)
    done = [progress.done for progress in seen]
    assert done == sorted(done) and done[-1] == pytest.approx(seen[-1].total)
    assert len({progress.total for progress in seen}) == 1
    assert {progress.what.partition(": ")[2] for progress in seen} == {*NAMES}


def test_large_files_are_more_of_the_whole(tmp_path):
    seen = []
    for name, size in (("a.jpg", 400_000), ("b.jpg", 4_000_000), ("c.png", 1_800_000)):
        (tmp_path / name).write_bytes(b"0" * size)
    tasks = [FileTask(tmp_path / name, tmp_path / "out") for name in ("a.jpg", "b.jpg", "c.png", "gone.jpg")]
    meter = Meter(tasks, seen.append)
    meter.ended(0, tasks[0])
    meter.moved(1, tasks[1], 0.5)
    meter.ended(1, tasks[1])
    assert [progress.done for progress in seen] == pytest.approx([1, 6, 11], rel=0.01)
    assert seen[0].total == pytest.approx(12, rel=0.01)


def test_the_model_has_one_picture_at_a_time_and_few_are_in_memory(asked, tiny, monkeypatch):
    at_model, in_memory, most = [], [], {"at_model": 0, "in_memory": 0}

    def counted(function, place, name):
        def call(*arguments, **options):
            place.append(1)
            most[name] = max(most[name], len(place))
            time.sleep(0.01)
            try:
                return function(*arguments, **options)
            finally:
                place.pop()

        return call

    restorer = Restorer.load(tiny.folder)
    monkeypatch.setattr(restorer, "enhance", counted(restorer.enhance, at_model, "at_model"))
    monkeypatch.setattr(run_module._Batch, "_made", counted(run_module._Batch._made, in_memory, "in_memory"))
    settings = asked(workers=2)
    outcomes = run(plan_enhance(settings), Steps(settings, restorer))
    assert all(outcome.status == "done" for outcome in outcomes)
    assert most["at_model"] == 1 and 1 < most["in_memory"] <= 5


@pytest.mark.parametrize("stop", [Cancelled, KeyboardInterrupt])
@pytest.mark.parametrize("place", ["outcome", "progress"])
def test_a_stopped_run_is_gone_on_with(asked, tmp_path, stop, place):
    calls = []

    def callback(_):
        calls.append(1)
        if len(calls) == 3:
            raise stop

    with pytest.raises(stop):
        enhance(asked(), **{f"on_{place}": callback})
    there = pixels(tmp_path / "out")
    assert len(there) < len(NAMES) and not [name for name in there if name.endswith(".part")]
    finished = {name for line in lines(tmp_path / "out") if "key" in line for name in line["outputs"]}
    assert finished == {*there}, "what is finished is written down"
    report = enhance(asked())
    assert (report.skipped, report.done) == (len(there), len(NAMES) - len(there))
    enhance(asked(output=tmp_path / "whole"))
    assert pixels(tmp_path / "out") == pixels(tmp_path / "whole")


def test_pictures_that_the_model_has_finished_are_saved_when_a_run_is_stopped(asked, inputs, tmp_path, monkeypatch):
    saving, stopped, reported, save = threading.Event(), threading.Event(), [], Steps.save

    def slow_save(self, task, pages):
        saving.set()
        assert stopped.wait(10)
        return save(self, task, pages)

    def cancel_at_the_second(progress):
        reported.append(progress.what.partition(": ")[2])
        if reported[-1] != reported[0]:
            assert saving.wait(10)
            stopped.set()
            raise Cancelled

    monkeypatch.setattr(Steps, "save", slow_save)
    with pytest.raises(Cancelled):
        enhance(asked(), on_progress=cancel_at_the_second)
    assert reported[0] in pixels(tmp_path / "out")
    monkeypatch.undo()
    skipped = [outcome.source for outcome in enhance(asked()).outcomes if outcome.status == "skipped"]
    assert skipped == [str(inputs / reported[0])]


def test_what_a_stopped_run_did_not_touch_stays_done(asked, tmp_path):
    enhance(asked())
    before = pixels(tmp_path / "out")

    def cancel(progress):
        raise Cancelled

    with pytest.raises(Cancelled):
        enhance(asked(seed=1, if_exists="overwrite"), on_progress=cancel)
    assert pixels(tmp_path / "out") == before
    assert enhance(asked()).skipped == len(NAMES)


def test_an_implausible_result_leaves_an_earlier_one_valid(asked, inputs, monkeypatch):
    enhance(asked())

    def refuse(self, task, pages):
        raise OutputError("implausible")

    monkeypatch.setattr(Steps, "check", refuse)
    assert enhance(asked(seed=1, if_exists="overwrite")).failed == len(NAMES)
    monkeypatch.undo()
    assert enhance(asked()).skipped == len(NAMES)


def test_on_error_stop_ends_after_the_first_failure(asked, inputs, tmp_path, monkeypatch):
    (inputs / "1.png").write_bytes(b"nonsense")
    load = Steps.load

    def slow_failure(self, task):
        time.sleep(0.3 if task.source.name == "1.png" else 0)
        return load(self, task)

    monkeypatch.setattr(Steps, "load", slow_failure)
    report = enhance(asked(on_error="stop", workers=2))
    assert [outcome.status for outcome in report.outcomes] == ["done", "failed"]
    assert [*pixels(tmp_path / "out")] == ["0.png"], "nothing after it is written"


def test_wrong_requests_are_refused_before_anything_is_written(asked, tmp_path):
    for changes, kind, reason in (
        ({"operations": ["contrst=1"]}, RecipeError, "contrast"),
        ({"pattern": "{nope}"}, UsageError, "pattern"),
        ({"device": "cuda"}, DeviceError, "use --device cpu"),
    ):
        with pytest.raises(kind, match=reason):
            enhance(asked(**changes))
    with pytest.raises(UsageError, match="leave one of them out"):
        EnhanceSettings.of(inputs=["a"], output="b", uncertainty=True, operations=["contrast=1.2"])
    assert not (tmp_path / "out").exists()


def test_progress_counts_pixels_whatever_a_file_weighs(tmp_path, rng):
    noisy, flat = rng.integers(0, 256, (200, 300, 3), dtype=np.uint8), np.zeros((200, 300, 3), np.uint8)
    write(Picture(noisy), tmp_path / "a [page=9].jpg")
    write(Picture(flat), tmp_path / "b.png")
    (tmp_path / "c.jpg").write_bytes(b"no picture")
    names = ["a [page=9].jpg", "b.png", "c.jpg", "none.jpg"]
    tasks, seen = [FileTask(tmp_path / name, tmp_path / "out" / name) for name in names], []
    meter = Meter(tasks, seen.append)
    for number, task in enumerate(tasks):
        meter.ended(number, task)
    assert [round(now.done, 3) for now in seen] == [0.06, 0.12, 0.13, 0.14] and seen[-1].done == seen[-1].total
