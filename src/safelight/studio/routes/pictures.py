"""Pictures: dropped, listed, shown in tiles, restored tile by tile."""

from contextlib import suppress
from typing import Annotated

from fastapi import APIRouter, BackgroundTasks, Query, Request, Response
from fastapi.concurrency import run_in_threadpool
from pydantic import BaseModel, Field

from safelight.errors import OutputError, SafelightError
from safelight.jobs.batch.words import OUT_OF_DISTRIBUTION
from safelight.picture.screen import TILE_PX
from safelight.studio.house import House
from safelight.studio.pictures import Shown
from safelight.studio.previews import MOST_SAMPLES, Asked, Layer
from safelight.studio.routes.answers import (
    PNG,
    ComputingRoute,
    ModelName,
    PictureId,
    TheHouse,
    problems,
)

router = APIRouter(prefix="/api", tags=["pictures"])
computing = APIRouter(prefix="/api", tags=["pictures"], route_class=ComputingRoute)
WRITTEN_BYTES = 1_000_000
CACHED = {"Cache-Control": "private, max-age=3600"}
Place = Annotated[int, Field(ge=0, le=100_000)]


class Listed(BaseModel):
    """A picture that can be opened."""

    id: str
    name: str
    is_dropped: bool


class Described(Listed):
    """An opened picture."""

    width: int
    height: int
    kind: str
    format: str
    bits: int
    levels: int
    tile_px: int
    black: float
    white: float
    has_profile: bool
    warnings: list[str]


class Looked(BaseModel):
    """What a model's first look says of a picture."""

    ood_score: float | None
    warning: str | None
    expert: str
    precision: str


@router.get("/pictures", responses=problems())
def list_pictures(house: TheHouse) -> list[Listed]:
    """Dropped pictures, then those of the studio's folder."""
    return [_listed(one) for one in house.pictures.all()]


@router.post(
    "/pictures",
    status_code=201,
    responses=problems(408, 413, 507),
    openapi_extra={"requestBody": {"required": True, "content": {"application/octet-stream": {}}}},
)
async def drop(
    request: Request,
    house: TheHouse,
    later: BackgroundTasks,
    name: Annotated[str, Query(min_length=1, max_length=1000)],
    look_with: Annotated[ModelName | None, Query()] = None,
) -> Listed:
    """Keep a picture: the body is the file, and `name` its name, with folders if it has some.

    A model `look_with` takes its first look at once, for a preview soon. Raises OutputError if the disk is full.
    """
    told = int(request.headers.get("content-length", "0"))
    await run_in_threadpool(house.check_room, told)
    path = await run_in_threadpool(house.pictures.place_for, name)
    is_kept = False
    try:
        with path.open("wb") as file:
            waiting = bytearray()
            async for chunk in request.stream():
                waiting += chunk
                if len(waiting) >= WRITTEN_BYTES:  # a chunk of the network is small, and each write changes threads
                    await run_in_threadpool(file.write, bytes(waiting))
                    waiting.clear()
            await run_in_threadpool(file.write, bytes(waiting))
        await run_in_threadpool(house.check_room)
        shown = await run_in_threadpool(house.pictures.accept, path)
        is_kept = True
        if look_with is not None:
            later.add_task(_look_early, house, shown.id, look_with)
        return _listed(shown)
    except OSError as error:
        raise OutputError(f"the picture cannot be kept ({error.strerror}); check the disk") from None
    finally:
        if not is_kept:
            await run_in_threadpool(house.pictures.discard, path)


@router.get("/pictures/{picture_id}", responses=problems())
def describe(house: TheHouse, picture_id: PictureId) -> Described:
    """Open a picture: it is decoded if it was not."""
    return _described(house, picture_id)


@router.delete("/pictures/{picture_id}", status_code=204, responses=problems())
def remove(house: TheHouse, picture_id: PictureId) -> None:
    """Remove a dropped picture from the studio. The person's own file is not touched."""
    house.pictures.remove(picture_id)
    house.previews.forget(picture_id)


@router.get("/pictures/{picture_id}/tiles/{level}/{column}/{row}", responses=problems() | PNG, response_class=Response)
def tile(house: TheHouse, picture_id: PictureId, level: Place, column: Place, row: Place) -> Response:
    """A tile as it is: level 0 is full size, every level has half the size of the one before."""
    data = house.pictures.open(picture_id).pyramid.tile(level, column, row)
    if data is None:
        raise FileNotFoundError
    return Response(data, media_type="image/png", headers=CACHED)


@router.get("/pictures/{picture_id}/thumbnail", responses=problems() | PNG, response_class=Response)
def thumbnail(house: TheHouse, picture_id: PictureId) -> Response:
    """Small, for a list. The picture is not opened for it."""
    return Response(house.pictures.thumbnail(picture_id), media_type="image/png", headers=CACHED)


@computing.get("/pictures/{picture_id}/look", responses=problems())
def look(house: TheHouse, picture_id: PictureId, model: Annotated[ModelName, Query()] = "photo") -> Looked:
    """What a model says before it restores anything."""
    prepared = house.previews.prepared(picture_id, model)
    score = prepared.first.ood_score
    warning = OUT_OF_DISTRIBUTION.format(score=score) if score is not None and score > 1 else None
    precision = prepared.networks.precision_of_mean(False)
    return Looked(ood_score=score, warning=warning, expert=prepared.first.expert, precision=precision)


class Wanted(BaseModel):
    """How a tile is restored, and which layer of it is shown."""

    model: ModelName = "photo"
    strength: float = Field(1.0, ge=0, le=1)
    samples: int = Field(0, ge=0, le=MOST_SAMPLES)
    seed: int = Field(0, ge=0, lt=2**31)
    temperature: float = Field(1.0, ge=0, le=2)
    sigma: float | None = Field(None, ge=0, le=255)
    uncertainty: bool = False
    layer: Layer = "restored"
    sample: int = Field(1, ge=1, le=MOST_SAMPLES)
    level: float = Field(0.9, gt=0, lt=1)


@computing.get("/pictures/{picture_id}/restored/{column}/{row}", responses=problems() | PNG, response_class=Response)
def restored(
    house: TheHouse, picture_id: PictureId, column: Place, row: Place, wanted: Annotated[Wanted, Query()]
) -> Response:
    """A full-size tile, restored as an export of the whole picture would be."""
    needs_scale = wanted.uncertainty or wanted.layer in ("uncertainty", "low", "high")
    asked = Asked(
        picture=picture_id,
        model=wanted.model,
        column=column,
        row=row,
        samples=wanted.samples,
        seed=wanted.seed,
        temperature=wanted.temperature,
        sigma=wanted.sigma,
        uncertainty=needs_scale,
    )
    data = house.previews.png(asked, wanted.strength, wanted.layer, sample=wanted.sample, level=wanted.level)
    return Response(data, media_type="image/png", headers=CACHED)


def _look_early(house: House, picture_id: str, model: str) -> None:
    """What is wrong is told to whoever asks for the picture."""
    with suppress(SafelightError, FileNotFoundError):
        house.previews.prepared(picture_id, model)


def _listed(one: Shown) -> Listed:
    return Listed(id=one.id, name=one.name, is_dropped=one.is_dropped)


def _described(house: House, picture_id: str) -> Described:
    shown, opened = house.pictures.find(picture_id), house.pictures.open(picture_id)
    picture, scale = opened.picture, opened.pyramid.scale
    width, height = picture.size
    return Described(
        **_listed(shown).model_dump(),
        width=width,
        height=height,
        kind=("grey" if picture.grey else "colour") + ("" if picture.alpha is None else " with alpha"),
        format=picture.format,
        bits=picture.bits,
        levels=opened.pyramid.levels,
        tile_px=TILE_PX,
        black=scale.low,
        white=scale.high,
        has_profile=picture.metadata.icc is not None,
        warnings=list(picture.warnings),
    )
