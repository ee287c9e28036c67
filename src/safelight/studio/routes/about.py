"""What this studio is: version, models, limits."""

from typing import Annotated, Any

from fastapi import APIRouter, Query
from pydantic import BaseModel

from safelight import __version__
from safelight.picture import READABLE
from safelight.runtime.machine import cores, processor
from safelight.studio.routes.answers import ModelName, TheHouse, problems

router = APIRouter(prefix="/api", tags=["about"])


class About(BaseModel):
    """Of the running studio."""

    version: str
    folder: str | None
    """Its name, without the folders above it."""
    machine: str
    kept_in: str
    keep_days: float
    max_upload_mb: int
    max_megapixels: float
    suffixes: list[str]


@router.get("/about", responses=problems())
def about(house: TheHouse) -> About:
    """What the page says of itself."""
    folder = house.pictures.folder
    return About(
        version=__version__,
        folder=None if folder is None else folder.name,
        machine=f"{processor()}, {cores()} cores",
        kept_in=str(house.state),
        keep_days=house.settings.keep_days,
        max_upload_mb=house.settings.max_upload_mb,
        max_megapixels=house.settings.max_megapixels,
        suffixes=sorted(READABLE),
    )


@router.get("/models", responses=problems())
def models(house: TheHouse) -> list[dict[str, Any]]:
    """Every bundle, with what it is for."""
    return house.models.cards()


@router.get("/models/card", responses=problems())
def card(house: TheHouse, model: Annotated[ModelName, Query()]) -> dict[str, Any]:
    """The whole card of a bundle."""
    bundle = house.models.bundle(model)
    return {**bundle.card.model_dump(mode="json"), "sha256": bundle.sha256}
