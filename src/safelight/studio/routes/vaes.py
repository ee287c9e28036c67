"""VAEs of sets of pictures, to look into."""

from dataclasses import fields
from typing import Annotated

from fastapi import APIRouter, Query, Response
from pydantic import BaseModel, Field

from safelight.runtime.images.vae import Sampler
from safelight.studio.routes.answers import PNG, ComputingRoute, ModelName, PictureId, SetName, TheHouse, problems
from safelight.studio.vaes import DIRECTIONS, MOST_SAMPLES, MOST_STEPS, Drawn

router = APIRouter(prefix="/api/vaes", tags=["vaes"], route_class=ComputingRoute)
Label = Annotated[int | None, Query(ge=0, le=100_000)]
Model = Annotated[ModelName, Query()]


class VaeAbout(BaseModel):
    """What the page must know to offer controls."""

    width: int
    height: int
    channels: int
    classes: list[str]
    is_conditional: bool
    samplers: list[str]
    directions: int


@router.get("", responses=problems())
def about(house: TheHouse, model: Model) -> VaeAbout:
    """Sizes, classes and samplers."""
    vae = house.models.explorer(model).vae
    card = vae.card
    return VaeAbout(
        width=card.width,
        height=card.height,
        channels=card.channels,
        classes=list(card.classes),
        is_conditional=card.conditional,
        samplers=list(vae.samplers),
        directions=DIRECTIONS,
    )


class SampleQuery(BaseModel):
    """How samples are drawn."""

    model: ModelName
    count: int = Field(32, ge=1, le=MOST_SAMPLES)
    label: int | None = Field(None, ge=0, le=100_000)
    temperature: float = Field(1.0, ge=0, le=2)
    seed: int = Field(0, ge=0, lt=2**31)
    sampler: Sampler = "auto"

    @property
    def drawn(self) -> Drawn:
        """What a model needs of it."""
        return Drawn(**self.model_dump(include={one.name for one in fields(Drawn)}))


class NearestQuery(SampleQuery):
    """Which samples, and the set that the model was trained on."""

    count: int = Field(8, ge=1, le=MOST_SAMPLES)
    dataset: SetName


class Near(BaseModel):
    """The training picture that is nearest to a sample."""

    name: str
    rms: float
    """Root mean square of the difference, in 1/255."""


@router.get("/samples", responses=problems() | PNG, response_class=Response)
def samples(house: TheHouse, asked: Annotated[SampleQuery, Query()]) -> Response:
    """New pictures, in rows of eight."""
    explorer = house.models.explorer(asked.model)
    with house.models.computing:
        return _png(explorer.samples(asked.drawn))


@router.get("/nearest", responses=problems(507))
def nearest(house: TheHouse, asked: Annotated[NearestQuery, Query()]) -> list[Near]:
    """For each sample the training picture nearest to it: does the model repeat what it was shown?"""
    explorer, data = house.models.explorer(asked.model), house.sets.path(asked.dataset)
    with house.models.computing:
        found = explorer.nearest(asked.drawn, data, house.state / "pixels")
    return [Near(name=name, rms=rms) for name, rms in found]


@router.get("/walk", responses=problems() | PNG, response_class=Response)
def walk(
    house: TheHouse, model: Model, at: Annotated[list[float], Query(max_length=DIRECTIONS)], label: Label = None
) -> Response:
    """The picture at a place: so many deviations along each of the directions in which pictures differ most."""
    explorer = house.models.explorer(model)
    with house.models.computing:
        return _png(explorer.walk([max(-6.0, min(6.0, place)) for place in at], label))


@router.get("/between", responses=problems() | PNG, response_class=Response)
def between(
    house: TheHouse,
    model: Model,
    first: Annotated[PictureId, Query()],
    last: Annotated[PictureId, Query()],
    steps: Annotated[int, Query(ge=2, le=MOST_STEPS)] = 10,
    label: Label = None,
) -> Response:
    """From one picture to another, through the latents."""
    explorer = house.models.explorer(model)
    ends = [house.pictures.open(one).picture for one in (first, last)]
    with house.models.computing:
        return _png(explorer.between(ends[0], ends[1], steps, label))


@router.get("/reconstruction", responses=problems() | PNG, response_class=Response)
def reconstruction(
    house: TheHouse, model: Model, picture: Annotated[PictureId, Query()], label: Label = None
) -> Response:
    """A picture as the model takes it, its reconstruction, and where they differ."""
    explorer = house.models.explorer(model)
    given = house.pictures.open(picture).picture
    with house.models.computing:
        return _png(explorer.reconstruction(given, label))


def _png(data: bytes) -> Response:
    return Response(data, media_type="image/png", headers={"Cache-Control": "private, max-age=60"})
