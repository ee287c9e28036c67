"""Jobs: begun, watched, cancelled, gone on with; and their results."""

import asyncio
import time
from collections.abc import AsyncIterator, Iterable
from typing import Any

from fastapi import APIRouter, Request, Response
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import FileResponse, StreamingResponse
from pydantic import BaseModel, Field, create_model
from starlette.background import BackgroundTask

from safelight.jobs.compress.settings import CompressSettings
from safelight.jobs.enhance.settings import EnhanceSettings
from safelight.settings import Settings
from safelight.studio.house import House
from safelight.studio.job import OPEN, Job
from safelight.studio.names import inside
from safelight.studio.routes.answers import JobId, ModelName, PictureId, TheHouse, problems
from safelight.studio.verbs import VERBS

router = APIRouter(prefix="/api/jobs", tags=["jobs"])
PLACES = {"inputs", "output", "model", "recursive", "compare", "on_error", "max_megapixels", "if_exists"}
EVENTS: dict[int | str, dict[str, Any]] = {200: {"content": {"text/event-stream": {}}}}
MACHINE = {"workers", "threads", "device", "engine"}
MOST_PICTURES, MOST_TOLD = 2000, 200
POLLED_S = 0.15


def _options(record: type[Settings]) -> Any:
    """The settings of a verb without files and folders, under the same limits."""
    fields: dict[str, Any] = {
        name: (field.annotation, field) for name, field in record.model_fields.items() if name not in PLACES | MACHINE
    }
    return create_model(record.__name__.replace("Settings", "Options"), __base__=Settings, **fields)


EnhanceOptions, CompressOptions = _options(EnhanceSettings), _options(CompressSettings)


class Order(BaseModel):
    """What every job is asked for with."""

    pictures: list[PictureId] = Field(min_length=1, max_length=MOST_PICTURES)
    model: ModelName | None = None
    folder: str | None = Field(None, min_length=1, max_length=400)
    """A new folder below the studio's; a number is added to the name of one that is there. Without it the studio keeps
    the results."""


class EnhanceOrder(Order):
    """As `safelight enhance`."""

    settings: EnhanceOptions = Field(default_factory=EnhanceOptions)  # type: ignore[valid-type]


class CompressOrder(Order):
    """As `safelight compress`."""

    settings: CompressOptions = Field(default_factory=CompressOptions)  # type: ignore[valid-type]


class JobState(BaseModel):
    """A job, as the page shows it."""

    id: str
    verb: str
    names: list[str]
    settings: dict[str, Any]
    folder: str | None
    created: float
    state: str
    error: str | None
    outcomes: list[dict[str, Any]]
    files: list[str]
    """In lists and events the first of them only."""
    file_count: int
    report: list[str]
    done: float
    total: float
    what: str
    seconds: float
    seconds_left: float | None
    is_cancelling: bool
    version: int


@router.get("", responses=problems())
def list_jobs(house: TheHouse) -> list[JobState]:
    """The newest first, without the outcomes of files with which all is well."""
    return [_brief(house, job) for job in house.jobs.all()]


@router.post("/enhance", status_code=202, responses=problems(429, 507))
def enhance(house: TheHouse, order: EnhanceOrder) -> JobState:
    """Restore pictures, with names and metadata as on the command line."""
    return _begin(house, "enhance", order)


@router.post("/compress", status_code=202, responses=problems(429, 507))
def compress(house: TheHouse, order: CompressOrder) -> JobState:
    """Compress pictures to .latent files."""
    return _begin(house, "compress", order)


@router.get("/events", responses=problems() | EVENTS, response_class=Response)
async def changes(request: Request, house: TheHouse) -> StreamingResponse:
    """Server-sent events "jobs": first those that wait or run, then those that changed, until none waits or runs.

    The last event is "quiet".
    """

    async def told() -> AsyncIterator[str]:
        seen = {job.id: job.version for job in house.jobs.all() if job.state not in OPEN}
        while not await request.is_disconnected():
            jobs = house.jobs.all()
            is_quiet = not any(job.state in OPEN for job in jobs)
            changed = [job for job in jobs if seen.get(job.id) != job.version]
            seen |= {job.id: job.version for job in changed}
            if changed:
                states = await run_in_threadpool(_briefly, house, changed)
                yield f"event: jobs\ndata: [{','.join(states)}]\n\n"
            if is_quiet:
                yield "event: quiet\ndata: {}\n\n"
                return
            await asyncio.sleep(POLLED_S)

    return _streamed(told())


@router.get("/{job_id}", responses=problems())
def find(house: TheHouse, job_id: JobId) -> JobState:
    """One job."""
    return state_of(house, house.jobs.find(job_id))


@router.post("/{job_id}/cancel", status_code=202, responses=problems())
def cancel(house: TheHouse, job_id: JobId) -> JobState:
    """End a job. What is finished stays."""
    return state_of(house, house.jobs.cancel(job_id))


@router.post("/{job_id}/resume", status_code=202, responses=problems(429, 507))
def resume(house: TheHouse, job_id: JobId) -> JobState:
    """Go on with a job that ended early. What is done is not done again."""
    house.check_room()
    return state_of(house, house.jobs.resume(job_id))


@router.delete("/{job_id}", status_code=204, responses=problems())
def remove(house: TheHouse, job_id: JobId) -> None:
    """Forget a job, with the results that the studio keeps."""
    house.jobs.remove(job_id)


@router.get("/{job_id}/events", responses=problems() | EVENTS, response_class=Response)
async def events(request: Request, house: TheHouse, job_id: JobId) -> StreamingResponse:
    """The job as server-sent events, one for each change, until it ends."""
    job = house.jobs.find(job_id)

    async def told() -> AsyncIterator[str]:
        seen = -1
        while not await request.is_disconnected():
            if job.version != seen:
                seen = job.version
                state = await run_in_threadpool(_brief, house, job)
                yield f"data: {state.model_dump_json()}\n\n"
                if state.state not in OPEN:
                    return
            await asyncio.sleep(POLLED_S)

    return _streamed(told())


def _streamed(told: AsyncIterator[str]) -> StreamingResponse:
    return StreamingResponse(told, media_type="text/event-stream", headers={"Cache-Control": "no-store"})


@router.get("/{job_id}/files/{name:path}", responses=problems(), response_class=FileResponse)
def result(house: TheHouse, job_id: JobId, name: str) -> FileResponse:
    """A result, byte for byte."""
    job = house.jobs.find(job_id)
    if name not in house.jobs.files(job):
        raise FileNotFoundError(name)
    path = inside(house.jobs.results(job), name)
    kind = "image/svg+xml" if path.suffix == ".svg" else "application/octet-stream"
    return FileResponse(path, filename=path.name, media_type=kind)


@router.get("/{job_id}/zip", responses=problems(507), response_class=FileResponse)
def zipped(house: TheHouse, job_id: JobId) -> FileResponse:
    """All results in one file."""
    job = house.jobs.find(job_id)
    path = house.jobs.write_zip(job)
    after = BackgroundTask(path.unlink, missing_ok=True)
    name = time.strftime(f"{job.verb} %Y-%m-%d %H-%M.zip", time.localtime(job.created))
    return FileResponse(path, filename=name, media_type="application/zip", background=after)


def _begin(house: House, verb: str, order: Any) -> JobState:
    house.check_room()
    pictures = [house.pictures.find(one) for one in dict.fromkeys(order.pictures)]
    chosen = order.settings.model_dump(mode="json", exclude_unset=True)
    if order.model is not None:
        chosen["model"] = str(house.models.path(order.model))
    VERBS[verb].settings.of(**chosen, inputs=("a",))  # raises what the command line would
    job = house.jobs.add(
        verb,
        chosen,
        [(one.name, one.path) for one in pictures],
        None if order.folder is None else _below(house, order.folder),
    )
    return state_of(house, job)


def _below(house: House, name: str) -> str:
    """A new folder below the studio's: results of two jobs do not meet. Raises UsageError for one that leads out."""
    path, count = house.sets.new_path(name), 1
    assert house.sets.folder is not None
    while path.exists():
        count += 1
        path = house.sets.new_path(f"{name} {count}")
    return path.relative_to(house.sets.folder).as_posix()


def state_of(house: House, job: Job) -> JobState:
    """What is known of a job."""
    files = house.jobs.files(job)
    return JobState(**_known(job), files=files, file_count=len(files))


def _brief(house: House, job: Job) -> JobState:
    """What the page shows many times a second: files that failed or have a note, and the first results at the end."""
    known, files = _known(job), [] if job.state in OPEN else house.jobs.files(job)
    known["outcomes"] = [one for one in job.outcomes if one["status"] == "failed" or one["warnings"]][:MOST_TOLD]
    return JobState(**known, files=files[:MOST_TOLD], file_count=len(files))


def _briefly(house: House, jobs: Iterable[Job]) -> list[str]:
    return [_brief(house, job).model_dump_json() for job in jobs]


def _known(job: Job) -> dict[str, Any]:
    return {name: getattr(job, name) for name in JobState.model_fields if name not in ("files", "file_count")}
