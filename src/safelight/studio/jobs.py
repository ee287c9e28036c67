"""Jobs of the studio: a bounded queue with one worker, which calls the same functions as the command line.

A job is a folder in the state folder. After a crash everything is read back from there, and a job that was cut off can
go on: what is done already is known from the manifest beside the results.

    jobs/<id>/job.json     what is asked for, and how it ended
    jobs/<id>/inputs/      the pictures, by hard links
    jobs/<id>/results/     what was made of them, with a manifest; or a folder that the person chose
"""

import json
import os
import secrets
import shutil
import threading
import time
import zipfile
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from safelight.errors import OutputError, SafelightError, UsageError, shown
from safelight.studio.job import OPEN, Job, State, Verb
from safelight.studio.names import ID
from safelight.studio.settings import StudioSettings
from safelight.work import Cancelled, Progress, replacing, write_whole


class QueueFullError(SafelightError):
    """Too many jobs wait."""


class Jobs:
    """The queue. Raises FileNotFoundError for ids that there are none of."""

    def __init__(self, state: Path, verbs: Mapping[str, Verb], limits: StudioSettings, root: Path | None) -> None:
        self._folder, self._verbs, self._limits, self._root = state / "jobs", verbs, limits, root
        self._folder.mkdir(parents=True, exist_ok=True)
        self._changed = threading.Condition()
        self._queue: deque[str] = deque()
        self._jobs: dict[str, Job] = {}
        for entry in sorted(os.scandir(self._folder), key=lambda one: one.name):
            self._read_back(entry.name)
        self._stopping = False
        self._worker = threading.Thread(target=self._work, name="jobs", daemon=True)
        self._worker.start()

    def all(self) -> list[Job]:
        """The newest first."""
        return sorted(self._jobs.values(), key=lambda job: -job.created)

    def find(self, job_id: str) -> Job:
        """The one of that id."""
        if job_id not in self._jobs:
            raise FileNotFoundError(job_id)
        return self._jobs[job_id]

    def add(
        self, verb: str, settings: dict[str, Any], given: Sequence[tuple[str, Path]], folder: str | None = None
    ) -> Job:
        """A new job on pictures, or on a set: names and files. Raises QueueFullError, OutputError, UsageError."""
        root = None if self._root is None else str(self._root)
        job = Job(secrets.token_hex(8), verb, settings, names=[], folder=folder, created=time.time(), root=root)
        with self._changed:
            self._check_queue()
            self._jobs[job.id] = job  # takes its place in the queue; it is put there when its files are
        try:
            job.names = self._link(job, given) if self._verbs[verb].is_on_pictures else [name for name, _ in given]
            self._save(job)
        except (OSError, OutputError) as error:
            with self._changed:
                del self._jobs[job.id]
            shutil.rmtree(self._folder / job.id, ignore_errors=True)
            raise OutputError(f"the job cannot be kept ({error}); check the disk") from None
        with self._changed:
            self._start(job)
        return job

    def _check_queue(self) -> None:
        """Raises QueueFullError. With the lock held."""
        if sum(job.state in OPEN for job in self._jobs.values()) >= self._limits.max_jobs:
            raise QueueFullError(f"{self._limits.max_jobs} jobs wait already; wait for one of them, or cancel it")

    def resume(self, job_id: str) -> Job:
        """Run a job that was cancelled, cut off or has failed files again: what is done stays.

        Raises QueueFullError, and UsageError for one that runs, whose pictures are gone, or of another folder.
        """
        with self._changed:
            job = self._ended(job_id)
            if self._verbs[job.verb].is_on_pictures and not (self._folder / job_id / "inputs").is_dir():
                raise UsageError("its pictures are gone; drop them again")
            if job.folder is not None and job.root != (None if self._root is None else str(self._root)):
                raise UsageError(f"its results belong into another folder; start the studio there: {job.root}")
            self._check_queue()
            job.outcomes, job.report, job.error, job.files = [], [], None, None
            job.done, job.seconds_left, job.is_cancelling, job.what = 0.0, None, False, ""
            self._start(job)
        return job

    def _ended(self, job_id: str) -> Job:
        """Raises UsageError for a job that waits or runs. With the lock held."""
        job = self.find(job_id)
        if job.state in OPEN:
            raise UsageError("the job is running; cancel it first")
        return job

    def cancel(self, job_id: str) -> Job:
        """End a job after the part at hand: what is finished stays."""
        with self._changed:
            job = self.find(job_id)
            if job.state == "waiting" and job_id in self._queue:
                self._queue.remove(job_id)
                self._end(job, "cancelled")
            elif job.state in OPEN:  # also one whose files are still being linked
                job.is_cancelling = True
                self._touch(job)
        return job

    def remove(self, job_id: str) -> None:
        """Forget a job, with all results that are not in a folder of the person's own. Raises UsageError if it runs."""
        with self._changed:
            del self._jobs[self._ended(job_id).id]
        shutil.rmtree(self._folder / job_id, ignore_errors=True)

    def results(self, job: Job) -> Path:
        """The folder of its results."""
        if job.folder is not None and job.root is not None:
            return Path(job.root) / job.folder
        return self._folder / job.id / "results"

    def files(self, job: Job) -> list[str]:
        """Names of what it has made, below its folder."""
        if job.files is None:
            return self._files_now(job)
        return job.files

    def _files_now(self, job: Job) -> list[str]:
        folder = self.results(job)
        made = {Path(output) for outcome in job.outcomes for output in outcome.get("outputs", [])}
        inside = (path for path in sorted(made) if path.is_relative_to(folder) and path.is_file())
        return [path.relative_to(folder).as_posix() for path in inside]

    def write_zip(self, job: Job) -> Path:
        """All of what it has made as one zip, which the caller removes. Raises OutputError."""
        path, folder = self._folder / job.id / f"{secrets.token_hex(4)}.zip", self.results(job)
        try:
            with replacing(path) as part, zipfile.ZipFile(part, "w", zipfile.ZIP_STORED) as archive:
                for name in self.files(job):
                    archive.write(folder / name, name)
        except OSError as error:
            raise OutputError(f"the zip cannot be written ({error.strerror}); check the disk") from None
        return path

    def close(self) -> None:
        """Cancel what runs, and wait for it."""
        with self._changed:
            self._stopping = True
            self._changed.notify_all()
        self._worker.join()

    def _link(self, job: Job, pictures: Sequence[tuple[str, Path]]) -> list[str]:
        """The inputs folder; returns the names there, which differ from each other."""
        inputs, names = self._folder / job.id / "inputs", list[str]()
        for name, source in pictures:
            wanted = Path(name)
            count = 1
            while (inputs / wanted).exists():
                count += 1
                wanted = Path(name).with_stem(f"{Path(name).stem} ({count})")
            target = inputs / wanted
            target.parent.mkdir(parents=True, exist_ok=True)
            try:
                os.link(source, target)
            except OSError:  # of another disk
                shutil.copyfile(source, target)
            names.append(wanted.as_posix())
        return names

    def _start(self, job: Job) -> None:
        """With the lock held."""
        job.state = "waiting"
        self._queue.append(job.id)
        self._touch(job)
        self._changed.notify_all()

    def _work(self) -> None:
        """The worker's whole life."""
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._queue or self._stopping)
                if self._stopping:
                    return
                job = self._jobs[self._queue.popleft()]
                job.state = "running"
                self._touch(job)
            self._run(job)

    def _run(self, job: Job) -> None:
        verb, began = self._verbs[job.verb], time.monotonic()

        def on_progress(now: Progress) -> None:
            if job.is_cancelling or self._stopping:
                raise Cancelled
            job.done, job.total, job.what = now.done, now.total, now.what
            job.seconds = time.monotonic() - began
            share = now.done / now.total if now.total else 0.0
            job.seconds_left = job.seconds * (1 - share) / share if share > 0 else None
            self._touch(job)

        def on_outcome(outcome: Any) -> None:
            job.outcomes.append(_outcome_for_page(asdict(outcome), self._folder / job.id / "inputs"))
            self._touch(job)

        try:
            self._save(job)
            settings = self._places(job) if verb.is_on_pictures else {}
            if "engine" in verb.settings.model_fields:  # jobs stay on this machine, whatever the environment says
                settings["engine"] = "local"
            ready = verb.settings.of(**job.settings, **settings)
            self.results(job).mkdir(parents=True, exist_ok=True)
            job.report = verb.run(ready, on_progress, on_outcome, self.results(job))
            failed = any(outcome["status"] == "failed" for outcome in job.outcomes)
            self._end(job, "failed" if failed else "done")
        except Cancelled:
            self._end(job, "cut off" if self._stopping else "cancelled")
        except SafelightError as error:
            self._end(job, "failed", shown(str(error)))
        except Exception as error:
            self._end(job, "failed", f"internal error ({type(error).__name__}: {error}); please report it")

    def _places(self, job: Job) -> dict[str, Any]:
        """Where a job on pictures reads and writes."""
        return {
            "inputs": (self._folder / job.id / "inputs",),
            "output": self.results(job),
            "recursive": True,
            "max_megapixels": self._limits.max_megapixels,
        }

    def _end(self, job: Job, state: State, error: str | None = None) -> None:
        job.error, job.seconds_left, job.is_cancelling, job.files = error, None, False, self._files_now(job)
        job.state = state
        try:
            self._save(job)
        except SafelightError as problem:
            job.error = "; ".join(filter(None, (error, str(problem))))
        self._touch(job)

    def _touch(self, job: Job) -> None:
        job.version += 1

    def _save(self, job: Job) -> None:
        write_whole(self._folder / job.id / "job.json", json.dumps(asdict(job)))

    def _read_back(self, job_id: str) -> None:
        """A job of an earlier studio; one that ran when it ended was cut off."""
        try:
            if not ID.fullmatch(job_id):
                return
            job = Job(**json.loads((self._folder / job_id / "job.json").read_text(encoding="utf-8")))
        except (OSError, ValueError, TypeError):
            return
        if job.verb not in self._verbs or job.id != job_id:
            return
        if job.state in OPEN:
            job.state = "cut off"
        job.is_cancelling, job.seconds_left = False, None
        self._jobs[job_id] = job


def _outcome_for_page(outcome: dict[str, Any], inputs: Path) -> dict[str, Any]:
    """Without the place of the inputs, which means nothing to a person."""

    def without(words: str) -> str:
        return words.replace(f"{shown(inputs)}{os.sep}", "")

    return outcome | {
        "source": without(outcome["source"]),
        "error": outcome["error"] and without(outcome["error"]),
        "warnings": [without(words) for words in outcome["warnings"]],
    }
