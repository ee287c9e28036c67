"""The application: addresses, errors, the page."""

import asyncio
from importlib.resources import files
from pathlib import Path
from typing import Any

from fastapi import FastAPI, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import FileResponse
from fastapi.staticfiles import StaticFiles
from starlette.exceptions import HTTPException

from safelight import __version__
from safelight.errors import SafelightError
from safelight.studio.guard import Application, Guard
from safelight.studio.house import House
from safelight.studio.routes import about, answers, jobs, pictures, rates, sets, vaes

AT_ONCE = 2
"""Answers that are computed at a time: one by the model, while another is drawn."""
PAGE = Path(str(files("safelight.studio") / "page"))


def build_app(house: House) -> FastAPI:
    """All addresses, without the guard."""
    app = FastAPI(
        title="Safelight studio",
        version=__version__,
        docs_url=None,  # its page loads scripts from another host
        redoc_url=None,
        openapi_url="/api/openapi.json",
        redirect_slashes=False,
    )
    app.state.house, app.state.turns = house, asyncio.Semaphore(AT_ONCE)
    for routes in (about, pictures, rates, sets, jobs, vaes):
        app.include_router(routes.router)
    for computing in (pictures, sets):
        app.include_router(computing.computing)
    app.add_exception_handler(SafelightError, answers.on_safelight_error)
    app.add_exception_handler(FileNotFoundError, answers.on_missing)
    app.add_exception_handler(RequestValidationError, answers.on_wrong_request)
    app.add_exception_handler(HTTPException, answers.on_http_error)
    app.add_api_route("/", page, include_in_schema=False, methods=["GET", "HEAD"])
    app.mount("/", PageFiles(directory=PAGE))
    return app


FRESH = {"Cache-Control": "no-cache"}
"""A browser asks whether a file has changed: after an upgrade, old and new files of the page must not meet."""


def page() -> FileResponse:
    """The page itself."""
    return FileResponse(PAGE / "index.html", headers=FRESH)


class PageFiles(StaticFiles):
    """The page's scripts and styles."""

    def file_response(self, *given: Any, **named: Any) -> Response:
        """As the framework's, checked for changes each time."""
        answer = super().file_response(*given, **named)
        answer.headers.update(FRESH)
        return answer


def guarded(house: House, hosts: list[str]) -> Application:
    """The whole application."""
    most = house.settings.max_upload_mb * 1_000_000
    return Guard(build_app(house), hosts, house.settings.token, most)
