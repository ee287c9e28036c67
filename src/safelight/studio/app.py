"""The application: addresses, errors, the page."""

from importlib.resources import files
from pathlib import Path

from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from fastapi.responses import FileResponse
from fastapi.staticfiles import StaticFiles
from starlette.exceptions import HTTPException

from safelight import __version__
from safelight.errors import SafelightError
from safelight.studio.guard import Application, Guard
from safelight.studio.house import House
from safelight.studio.routes import about, answers, jobs, pictures, rates, sets, vaes

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
    app.state.house = house
    for routes in (about, pictures, rates, sets, jobs, vaes):
        app.include_router(routes.router)
    app.add_exception_handler(SafelightError, answers.on_safelight_error)
    app.add_exception_handler(FileNotFoundError, answers.on_missing)
    app.add_exception_handler(RequestValidationError, answers.on_wrong_request)
    app.add_exception_handler(HTTPException, answers.on_http_error)
    app.add_api_route("/", lambda: FileResponse(PAGE / "index.html"), include_in_schema=False, methods=["GET", "HEAD"])
    app.mount("/", StaticFiles(directory=PAGE))
    return app


def guarded(house: House, hosts: list[str]) -> Application:
    """The whole application."""
    most = house.settings.max_upload_mb * 1_000_000
    return Guard(build_app(house), hosts, house.settings.token, most)
