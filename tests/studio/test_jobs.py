"""Batches: the same bytes as on the command line, cancelled, cut off and gone on with, bounded, removed."""

import io
import json
import os
import signal
import threading
import time
import zipfile

import numpy as np
import pytest

from safelight import Picture, write
from safelight.errors import OutputError, UsageError
from safelight.studio import jobs
from safelight.studio.house import open_house
from safelight.studio.job import Verb
from safelight.studio.room import remove_old
from safelight.studio.settings import StudioSettings
from safelight.studio.verbs import VERBS
from safelight.work import Progress
from tests.studio.studio_support import running, served
from tests.support import BUNDLES, run_cli


@pytest.fixture
def server(tmp_path, monkeypatch):
    monkeypatch.setenv("SAFELIGHT_MODELS", str(BUNDLES))
    with served(tmp_path / "state", max_jobs=2) as one:
        yield one


def dropped(server, tmp_path, rng, names, size=40):
    ids = []
    for name in names:
        path = tmp_path / "given" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        write(Picture(rng.integers(0, 256, (size, size, 3), dtype=np.uint8)), path)
        ids.append(server.drop(path.read_bytes(), name))
    return ids


def test_an_export_has_the_bytes_of_the_command_line(server, tmp_path, rng):
    ids = dropped(server, tmp_path, rng, ["a.jpg", "sub/a.png"])
    settings = {"samples": 1, "seed": 5, "uncertainty": True}
    job = server.ask("/api/jobs/enhance", "POST", {"pictures": ids, "model": "restore", "settings": settings})
    assert job.status == 202
    state = server.ended(job.json["id"])
    assert state["state"] == "done" and not state["error"]
    given, made = tmp_path / "given", tmp_path / "made"
    done = run_cli(
        "enhance", given, "-r", "-o", made, "--model", "restore", "--samples", 1, "--seed", 5, "--uncertainty"
    )
    assert done.returncode == 0
    expected = {p.relative_to(made).as_posix(): p.read_bytes() for p in made.rglob("*") if p.is_file()}
    del expected["manifest.jsonl"]
    assert sorted(state["files"]) == sorted(expected) and len(expected) == 8
    for name, data in expected.items():
        assert server.ask(f"/api/jobs/{state['id']}/files/{name}").body == data
    archive = zipfile.ZipFile(io.BytesIO(server.ask(f"/api/jobs/{state['id']}/zip").body))
    assert {name: archive.read(name) for name in archive.namelist()} == expected
    for name in ("../job.json", "manifest.jsonl", "none.png", "/etc/passwd"):
        assert server.ask(f"/api/jobs/{state['id']}/files/{name}").status == 404
    assert server.ask(f"/api/jobs/{state['id']}", "DELETE").status == 204
    assert server.ask(f"/api/jobs/{state['id']}").status == 404


def test_files_of_one_name_do_not_meet_and_failures_are_told(server, tmp_path, rng):
    ids = [*dropped(server, tmp_path, rng, ["a.png"]), *dropped(server, tmp_path, rng, ["a.png"])]
    broken = (tmp_path / "given" / "a.png").read_bytes()[:200]
    ids.append(server.drop(broken, "broken.png"))
    job = server.ask("/api/jobs/enhance", "POST", {"pictures": ids, "model": "restore"}).json["id"]
    state = server.ended(job)
    assert state["state"] == "failed" and state["files"] == ["a (2).png", "a.png"]
    (failure,) = [one["error"] for one in state["outcomes"] if one["status"] == "failed"]
    assert failure.startswith("broken.png: ") and str(tmp_path) not in failure


@pytest.mark.parametrize(
    ("order", "words"),
    [
        ({"pictures": []}, "pictures"),
        ({"pictures": ["0000000000000000"]}, "no such"),
        ({"pictures": ["../../x"]}, "pictures"),
        ({"settings": {"strength": 2}}, "strength"),
        ({"settings": {"inputs": ["/etc"]}}, "inputs"),
        ({"settings": {"output": "/tmp/x"}}, "output"),
        ({"settings": {"if_exists": "overwrite"}}, "if_exists"),
        ({"settings": {"scale": "9:1"}}, "scale"),
        ({"settings": {"nonsense": 1}}, "nonsense"),
        ({"model": "/etc"}, "no such"),
        ({"model": "none"}, "no such"),
        ({"folder": "results"}, "without a folder"),
    ],
)
def test_wrong_orders_are_refused(server, tmp_path, rng, order, words):
    (picture,) = dropped(server, tmp_path, rng, ["a.png"])
    answer = server.ask("/api/jobs/enhance", "POST", {"pictures": [picture], "model": "restore"} | order)
    assert answer.status in (404, 422) and words in answer.json["error"]
    assert server.ask("/api/jobs").json == []


def test_results_go_into_the_folder_and_not_out_of_it(tmp_path, rng, monkeypatch):
    monkeypatch.setenv("SAFELIGHT_MODELS", str(BUNDLES))
    folder, other = tmp_path / "folder", tmp_path / "other"
    folder.mkdir(), other.mkdir()
    write(Picture(rng.integers(0, 256, (40, 40, 3), dtype=np.uint8)), folder / "a.png")
    (folder / "away").symlink_to(other)
    with served(tmp_path / "state", folder) as server:
        picture = server.ask("/api/pictures").json[0]["id"]
        for name in ("../x", "/tmp/x", "away", "away/x", ".x", "a.png", "a.png/x"):
            answer = server.ask(
                "/api/jobs/enhance", "POST", {"pictures": [picture], "model": "restore", "folder": name}
            )
            assert answer.status == 422, name
        job = server.ask(
            "/api/jobs/enhance", "POST", {"pictures": [picture], "model": "restore", "folder": "done/here"}
        ).json["id"]
        state = server.ended(job)
        assert state["state"] == "done" and (folder / "done" / "here" / "a.png").is_file()
        assert server.ask(f"/api/jobs/{job}", "DELETE").status == 204
        assert (folder / "done" / "here" / "a.png").is_file() and (folder / "a.png").is_file()
        assert [one["name"] for one in server.ask("/api/pictures").json] == ["a.png"]  # results are not offered again
        order = {"pictures": [picture], "model": "restore", "folder": "done/here", "settings": {"strength": 0.5}}
        again = server.ended(server.ask("/api/jobs/enhance", "POST", order).json["id"])
        assert again["folder"] == "done/here 2"  # results of two jobs do not meet
        made = [(folder / name / "a.png").read_bytes() for name in ("done/here", "done/here 2")]
        assert made[0] != made[1]
    other_folder = tmp_path / "another"
    other_folder.mkdir()
    with served(tmp_path / "state", other_folder) as server:
        refused = server.ask(f"/api/jobs/{again['id']}/resume", "POST", {})
        assert refused.status == 422 and "another folder" in refused.json["error"]
    assert list(other.iterdir()) == []


def test_one_studio_has_the_state(tmp_path):
    with served(tmp_path / "state"), pytest.raises(UsageError, match="another studio"):
        open_house(StudioSettings(state=tmp_path / "state"))
    open_house(StudioSettings(state=tmp_path / "state")).close()


def test_results_stay_until_they_are_forgotten(server, tmp_path, rng):
    (picture,) = dropped(server, tmp_path, rng, ["a.png"])
    state = server.ended(
        server.ask("/api/jobs/enhance", "POST", {"pictures": [picture], "model": "restore"}).json["id"]
    )
    old = time.time() - 100 * 86400
    for kind in ("pictures", "jobs"):
        for path in (tmp_path / "state" / kind).iterdir():
            os.utime(path, (old, old))
    remove_old(tmp_path / "state", 7)
    assert not [*(tmp_path / "state" / "pictures").iterdir()]
    assert server.ask(f"/api/jobs/{state['id']}/files/a.png").status == 200
    archive = server.ask(f"/api/jobs/{state['id']}/zip").body
    assert zipfile.ZipFile(io.BytesIO(archive)).namelist() == ["a.png"]
    time.sleep(0.2)
    assert not [*(tmp_path / "state" / "jobs" / state["id"]).glob("*.zip")]  # it is not kept


@pytest.fixture
def slow(monkeypatch):
    """Jobs that run until they are told to go on."""
    go_on = threading.Event()

    def run(settings, on_progress, on_outcome, folder):
        while not go_on.is_set():
            on_progress(Progress(1, 4, "a.png"))
            time.sleep(0.02)
        return []

    monkeypatch.setitem(VERBS, "enhance", Verb(VERBS["enhance"].settings, run))
    return go_on


def test_a_job_is_watched_and_cancelled(slow, server, tmp_path, rng):
    (picture,) = dropped(server, tmp_path, rng, ["a.png"])
    orders = [server.ask("/api/jobs/enhance", "POST", {"pictures": [picture], "model": "restore"}) for _ in range(3)]
    assert [one.status for one in orders] == [202, 202, 429] and "wait" in orders[2].json["error"]
    first, second = (one.json["id"] for one in orders[:2])
    assert server.ask(f"/api/jobs/{first}", "DELETE").status == 422
    time.sleep(0.2)
    began = time.monotonic()
    server.ask(f"/api/jobs/{second}/cancel", "POST", {})
    server.ask(f"/api/jobs/{first}/cancel", "POST", {})
    assert {server.ended(one)["state"] for one in (first, second)} == {"cancelled"} and time.monotonic() - began < 2
    resumed = server.ask(f"/api/jobs/{first}/resume", "POST", {})
    assert resumed.status == 202, resumed.body
    streamed: list[str] = []
    reader = threading.Thread(target=lambda: streamed.append(server.ask("/api/jobs/events").body.decode()))
    reader.start()
    time.sleep(0.3)
    slow.set()
    assert server.ended(first)["state"] == "done"
    reader.join()
    told = server.ask(f"/api/jobs/{first}/events").body.decode()
    assert json.loads(told.removeprefix("data: ").strip())["state"] == "done"
    kinds, data = zip(*(event.split("\n") for event in streamed[0].strip().split("\n\n")), strict=True)
    jobs = [json.loads(line.removeprefix("data: ")) for line in data[:-1]]
    assert set(kinds[:-1]) == {"event: jobs"} and kinds[-1] == "event: quiet"
    assert {one["id"] for told in jobs for one in told} == {first} and jobs[-1][0]["state"] == "done"


def test_room_is_bounded(tmp_path, rng):
    with served(tmp_path / "state", max_disk_gb=1e-5) as server:
        data = rng.bytes(20_000)
        answer = server.ask("/api/pictures?name=a.png", "POST", data)
        assert answer.status == 507 and server.ask("/api/pictures").json == []


def test_a_job_that_cannot_be_written_down_leaves_the_worker_at_work(server, tmp_path, rng, monkeypatch):
    (picture,) = dropped(server, tmp_path, rng, ["a.png"])
    order = {"pictures": [picture], "model": "restore"}
    whole = jobs.write_whole

    def full(path, content):
        raise OutputError(f"{path}: cannot be written (no space left)")

    monkeypatch.setattr(jobs, "write_whole", full)
    answer = server.ask("/api/jobs/enhance", "POST", order)
    assert answer.status == 507 and not [*(tmp_path / "state" / "jobs").iterdir()]
    written = []

    def full_once(path, content):
        written.append(path)
        (full if len(written) == 2 else whole)(path, content)

    monkeypatch.setattr(jobs, "write_whole", full_once)
    first = server.ask("/api/jobs/enhance", "POST", order).json["id"]
    assert server.ended(first)["state"] == "failed"
    assert server.ended(server.ask("/api/jobs/enhance", "POST", order).json["id"])["state"] == "done"


@pytest.mark.slow
def test_a_batch_that_was_killed_goes_on(tmp_path, rng, monkeypatch):
    """SIGKILL in the middle of a batch of 20; the results are those of an undisturbed run."""
    monkeypatch.setenv("SAFELIGHT_MODELS", str(BUNDLES))
    state = tmp_path / "state"
    names = [f"{k:02}.png" for k in range(20)]
    with running("--state", state) as (process, server):
        ids = dropped(server, tmp_path, rng, names, size=300)
        job = server.ask("/api/jobs/enhance", "POST", {"pictures": ids, "model": "restore"}).json["id"]
        while len(server.ask(f"/api/jobs/{job}").json["outcomes"]) < 3:
            time.sleep(0.02)
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
    with running("--state", state) as (_, server):
        (found,) = server.ask("/api/jobs").json
        assert found["state"] == "cut off" and found["names"] == names
        assert len(server.ask("/api/pictures").json) == 20
        server.ask(f"/api/jobs/{job}/resume", "POST", {})
        after = server.ended(job, 120)
        assert after["state"] == "done" and after["files"] == names
        assert {one["status"] for one in after["outcomes"]} == {"done", "skipped"}
        made = tmp_path / "made"
        assert run_cli("enhance", tmp_path / "given", "-o", made, "--model", "restore").returncode == 0
        for name in names:
            assert server.ask(f"/api/jobs/{job}/files/{name}").body == (made / name).read_bytes()
