"""Sets of pictures: what is wrong with them, variants of them, verdicts; and training runs."""

from dataclasses import asdict
from typing import Annotated, Any

from fastapi import APIRouter, Query, Response
from fastapi.responses import FileResponse
from pydantic import BaseModel, Field

from safelight.dataset import inspect_set
from safelight.errors import RefusedError, UsageError, installed_by
from safelight.jobs.augment.settings import AugmentSettings
from safelight.picture import Picture
from safelight.picture.screen import png_thumbnail_of
from safelight.runtime.machine import cores
from safelight.studio.house import House
from safelight.studio.routes.answers import PNG, ComputingRoute, ModelName, SetName, TheHouse, problems
from safelight.studio.routes.jobs import JobState, state_of
from safelight.studio.verbs import VERBS

router = APIRouter(prefix="/api", tags=["sets"])
computing = APIRouter(prefix="/api", tags=["sets"], route_class=ComputingRoute)
MOST_NAMED = 200
"""Groups and lines of a report, at most of each kind."""


class Found(BaseModel):
    """What lies in the studio's folder."""

    sets: list[str]
    recipes: list[str]
    """Of training."""
    augment_recipes: list[str]
    runs: list[str]


class Parameter(BaseModel):
    """A number of an operation."""

    name: str
    least: float
    most: float
    usual: tuple[float, float]
    unit: str


class OperationAbout(BaseModel):
    """An operation of augmenting."""

    name: str
    kind: str
    summary: str
    labels: str
    parameters: list[Parameter]


class Step(BaseModel):
    """One operation of a recipe."""

    model_config = {"extra": "allow"}
    op: str = Field(max_length=60)


class Recipe(BaseModel):
    """A recipe of augmenting, as in a file."""

    model_config = {"extra": "forbid"}
    steps: list[Step] = Field(min_length=1, max_length=40)
    guard: dict[str, Any] | None = None


class Chosen(BaseModel):
    """A set, and what is done to it."""

    dataset: SetName
    recipe: Recipe
    model: ModelName | None = None


class SheetOrder(Chosen):
    """A contact sheet."""

    seed: int = Field(0, ge=0, lt=2**31)


class AugmentOrder(SheetOrder):
    """A whole set with variants."""

    output: SetName
    copies: int = Field(4, ge=0, le=1000)
    balance: bool = False


class VerdictOrder(Chosen):
    """Does it help?"""

    per_class: int | None = Field(None, ge=1, le=100_000)
    seeds: int = Field(5, ge=2, le=100)
    steps: int = Field(800, ge=10, le=100_000)


class TrainOrder(BaseModel):
    """A training run."""

    recipe: SetName
    data: SetName | None = None
    run: SetName
    minutes: float = Field(10, gt=0, le=100_000)


@router.get("/folder", responses=problems())
def found(house: TheHouse) -> Found:
    """Sets, recipes and runs; nothing if the studio has no folder."""
    sets = house.sets
    if sets.folder is None:
        return Found(sets=[], recipes=[], augment_recipes=[], runs=[])
    return Found(sets=sets.names(), recipes=sets.recipes(False), augment_recipes=sets.recipes(True), runs=sets.runs())


@computing.get("/sets/report", responses=problems())
def report(house: TheHouse, dataset: Annotated[SetName, Query()]) -> dict[str, Any]:
    """As `safelight data`."""
    told = inspect_set(house.sets.open(dataset, anew=True), cores())
    lists = {key: value[:MOST_NAMED] if isinstance(value, list) else value for key, value in asdict(told).items()}
    return lists | {"warnings": told.warnings}


@router.get("/sets/picture", responses=problems() | PNG, response_class=Response)
def picture(
    house: TheHouse, dataset: Annotated[SetName, Query()], name: Annotated[str, Query(max_length=2000)]
) -> Response:
    """A picture of a set, small, by the name that a report calls it."""
    images = house.sets.open(dataset)
    index = next((k for k, item in enumerate(images.items) if item.name == name), None)
    if index is None:
        raise FileNotFoundError(name)
    pixels, _ = images.load(index)
    return Response(png_thumbnail_of(Picture(pixels)), media_type="image/png")


@router.get("/operations", responses=problems())
def operations(house: TheHouse) -> list[OperationAbout]:
    """All that a recipe can have as steps. Raises RefusedError without OpenCV."""
    try:
        from safelight.augmentation.catalog import OPERATIONS  # OpenCV is an extra
    except ModuleNotFoundError as error:
        raise RefusedError(f"augmenting needs '{error.name}'; {installed_by('augment')}") from None
    return [
        OperationAbout(
            name=name,
            kind=one.kind,
            summary=one.summary,
            labels=one.labels,
            parameters=[
                Parameter(name=key, least=p.least, most=p.most, usual=(p.usual[0], p.usual[1]), unit=p.unit)
                for key, p in one.parameters.items()
            ],
        )
        for name, one in OPERATIONS.items()
    ]


@computing.post("/sets/sheet", responses=problems(507) | PNG, response_class=Response)
def sheet(house: TheHouse, order: SheetOrder) -> Response:
    """Pictures on the left, variants beside them, and below each what was done."""
    from safelight.jobs.augment.preview import preview

    path = house.state / "recipes" / "sheet.png"
    path.parent.mkdir(exist_ok=True)
    path.unlink(missing_ok=True)
    with house.models.computing:
        preview(AugmentSettings.of(**_chosen(house, order), seed=order.seed, preview=path))
        data = path.read_bytes()
    return Response(data, media_type="image/png")


@router.post("/jobs/augment", status_code=202, responses=problems(429, 507))
def augment(house: TheHouse, order: AugmentOrder) -> JobState:
    """Write a set with variants below the studio's folder."""
    output = house.sets.new_path(order.output)
    options = {"seed": order.seed, "copies": order.copies, "balance": order.balance, "output": str(output)}
    settings = _chosen(house, order) | options
    return _begin(house, "augment", settings, f"{order.dataset} → {order.output}")


@router.post("/jobs/verdict", status_code=202, responses=problems(429, 507))
def verdict(house: TheHouse, order: VerdictOrder) -> JobState:
    """Train classifiers with and without the augmentation."""
    settings = _chosen(house, order) | {
        "per_class": order.per_class,
        "seeds": order.seeds,
        "steps": order.steps,
        "cache": str(house.state / "pixels"),
        "workers": 1,
    }
    return _begin(house, "verdict", settings, order.dataset)


@router.post("/jobs/train", status_code=202, responses=problems(429, 507))
def train(house: TheHouse, order: TrainOrder) -> JobState:
    """Train a model by a recipe of the folder. A run that is there goes on."""
    settings: dict[str, Any] = {
        "recipe": str(house.sets.path(order.recipe)),
        "data": None if order.data is None else str(house.sets.path(order.data)),
        "run": str(house.sets.new_path(order.run)),
        "budget_s": 60 * order.minutes,
        "cache": str(house.state / "pixels"),
    }
    return _begin(house, "train", settings, order.run)


@router.get("/runs/curves", responses=problems())
def curves(house: TheHouse, run: Annotated[SetName, Query()]) -> dict[str, list[tuple[int, float]]]:
    """Numbers of a run so far, by the line of its metrics."""
    return house.sets.curves(run)


@router.get("/runs/previews", responses=problems())
def previews(house: TheHouse, run: Annotated[SetName, Query()]) -> list[str]:
    """Pictures of how it went, from first to last."""
    return house.sets.previews(run)


@router.get("/runs/preview", responses=problems() | PNG, response_class=FileResponse)
def preview_of_run(
    house: TheHouse, run: Annotated[SetName, Query()], name: Annotated[str, Query(max_length=200)]
) -> FileResponse:
    """One of them."""
    return FileResponse(house.sets.preview(run, name), media_type="image/png")


def _chosen(house: House, order: Chosen) -> dict[str, Any]:
    return {
        "dataset": str(house.sets.path(order.dataset)),
        "recipe": str(house.sets.keep_recipe(order.recipe.model_dump(exclude_none=True))),
        "model": None if order.model is None else str(house.models.path(order.model)),
    }


def _begin(house: House, verb: str, settings: dict[str, Any], name: str) -> JobState:
    house.check_room()
    if house.sets.folder is None:
        raise UsageError("the studio was started without a folder; start it again: safelight studio FOLDER")
    VERBS[verb].settings.of(**settings)
    return state_of(house, house.jobs.add(verb, settings, [(name, house.state)]))
