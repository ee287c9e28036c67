"""What answers have in common: one line for each error, and the records that are sent."""

from collections.abc import Callable, Coroutine
from typing import Annotated, Any

from fastapi import Depends, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from fastapi.routing import APIRoute
from pydantic import BaseModel, Field
from starlette.exceptions import HTTPException

from safelight.errors import OutputError, SafelightError, on_one_line, shown
from safelight.studio.house import House
from safelight.studio.jobs import QueueFullError
from safelight.studio.room import DiskFullError

LONGEST = 2000


class Problem(BaseModel):
    """What went wrong, in one line."""

    error: str


def problems(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """For an address's documentation: errors that it can answer with, beside those that every address can."""
    return {status: {"model": Problem} for status in (400, 403, 404, 422, 503, *statuses)}


def house_of(request: Request) -> House:
    """The studio that was asked."""
    house: House = request.app.state.house
    return house


TheHouse = Annotated[House, Depends(house_of)]
PictureId = Annotated[str, Field(pattern=r"^[p0-9a-f][0-9a-f]{15}$")]
JobId = Annotated[str, Field(pattern=r"^[0-9a-f]{16}$")]
PNG: dict[int | str, dict[str, Any]] = {200: {"content": {"image/png": {}}}}
ModelName = Annotated[str, Field(min_length=1, max_length=400)]
SetName = Annotated[str, Field(min_length=1, max_length=1000)]


class ComputingRoute(APIRoute):
    """For addresses that compute: few at a time, and none for a page that has left.

    A page asks for every step of a slider and gives up what it has asked before. Without this route, all of that would
    be computed, and would keep the threads from everybody else.
    """

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """The framework's own, when it is this request's turn."""
        answer = super().get_route_handler()

        async def in_turn(request: Request) -> Response:
            await request.body()  # kept by the request; what comes after it is the end of the connection
            async with request.app.state.turns:
                if await request.is_disconnected():
                    return problem(503, "nobody waits for it any more")
                return await answer(request)

        return in_turn


def problem(status: int, words: str) -> JSONResponse:
    """One line as JSON."""
    return JSONResponse({"error": on_one_line(shown(words))[:LONGEST]}, status)


async def on_safelight_error(request: Request, error: Exception) -> JSONResponse:
    """By kind."""
    kinds: tuple[tuple[type[Exception], int], ...] = ((QueueFullError, 429), (DiskFullError, 507), (OutputError, 507))
    status = next((status for kind, status in kinds if isinstance(error, kind)), 422)
    assert isinstance(error, SafelightError)
    return problem(status, str(error))


async def on_missing(request: Request, error: Exception) -> JSONResponse:
    """No picture, job, model or tile of that name."""
    return problem(404, "there is no such picture, job, model or file; reload the page")


async def on_wrong_request(request: Request, error: Exception) -> JSONResponse:
    """The first thing that is wrong."""
    assert isinstance(error, RequestValidationError)
    first = error.errors()[0]
    where = ".".join(str(part) for part in first["loc"] if part not in ("body", "query", "path"))
    return problem(422, f"{where or 'request'}: {first['msg'].removeprefix('Value error, ')}")


async def on_http_error(request: Request, error: Exception) -> JSONResponse:
    """Of the framework."""
    assert isinstance(error, HTTPException)
    answer = problem(error.status_code, str(error.detail))
    answer.headers.update(error.headers or {})
    return answer
