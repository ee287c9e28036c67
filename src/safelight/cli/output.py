"""Where a report goes: to the terminal, to another program as JSON, or to a page for a browser."""

from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator

from safelight.settings import Settings, option

SUFFIXES = (".html", ".htm")


def _page(path: Path) -> Path:
    """Raises ValueError for a path that cannot be a page."""
    if path.suffix.lower() not in SUFFIXES or path.is_dir():
        raise ValueError("is no name of a page; end it in .html")
    return path


class ReportOutput(Settings):
    """What is made of a report."""

    html: Annotated[Path, AfterValidator(_page)] | None = option(None, "Write a page with pictures and curves.")
    as_json: bool = option(False, "One JSON object on standard output.", "--json")
