"""A part of a picture at a quality, beside the usual formats at as many bytes."""

from typing import Annotated

from fastapi import APIRouter, Query, Response
from pydantic import BaseModel, Field

from safelight.studio.rates import Part
from safelight.studio.routes.answers import PNG, ComputingRoute, PictureId, TheHouse, problems

router = APIRouter(prefix="/api/pictures/{picture_id}/compressed", tags=["compress"], route_class=ComputingRoute)


class PartQuery(BaseModel):
    """Which part."""

    quality: int = Field(50, ge=1, le=100)
    left: int = Field(0, ge=0, le=1_000_000)
    top: int = Field(0, ge=0, le=1_000_000)


class CodedNumbers(BaseModel):
    """Of one encoder."""

    name: str
    bytes: int
    bits_per_pixel: float
    psnr_db: float | None
    """None for the original."""


@router.get("", responses=problems())
def numbers(house: TheHouse, picture_id: PictureId, part: Annotated[PartQuery, Query()]) -> list[CodedNumbers]:
    """Sizes and errors, of the original first."""
    found = house.rates.of(Part(picture_id, part.left, part.top, part.quality))
    return [
        CodedNumbers(
            name=one.name,
            bytes=one.bytes,
            bits_per_pixel=one.bits_per_pixel,
            psnr_db=one.psnr_db if one.psnr_db < 1000 else None,
        )
        for one in found
    ]


@router.get("/{name}", responses=problems() | PNG, response_class=Response)
def picture(house: TheHouse, picture_id: PictureId, name: str, part: Annotated[PartQuery, Query()]) -> Response:
    """What an encoder made of it."""
    data = house.rates.png(Part(picture_id, part.left, part.top, part.quality), name)
    return Response(data, media_type="image/png")
