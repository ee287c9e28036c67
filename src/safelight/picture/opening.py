"""Files → libvips images of which only the header is read; every refusal names the true cause and the mend."""

import io
import os
from pathlib import Path
from typing import BinaryIO

import pyvips

from safelight.errors import PictureError, shown
from safelight.picture import tiff
from safelight.picture.causes import HEAD_BYTES, cause_of, is_heic, tiff_cause
from safelight.picture.tiff import Page
from safelight.picture.vips import reason

Source = str | Path | bytes
_FORMATS = {"jpeg": "jpeg", "png": "png", "tiff": "tiff", "webp": "webp", "heif": "avif", "gif": "gif"}
LEFT_OUT = "safelight-left-out"
"""A field of an image: a warning of what its decoder leaves out."""
MOST_BYTES_READ = 64 << 20
"""Of a file that is read into memory. libvips maps larger ones, and one that is cut off meanwhile ends the process."""
READ = (*_FORMATS.values(), "heic")
"""Containers of which pixels are read."""


def name_of(source: Source) -> str:
    """For messages."""
    return "standard input" if isinstance(source, bytes) else shown(source)


def stream_of(source: Source) -> BinaryIO:
    """The bytes, from the start."""
    return io.BytesIO(source) if isinstance(source, bytes) else Path(source).open("rb")


def head_of(source: Source, size: int = HEAD_BYTES) -> bytes:
    """The first bytes."""
    with stream_of(source) as file:
        return file.read(size)


def open_image(source: Source, page: int = 0, fail_on: str = "error", shrink: int = 1) -> pyvips.Image:
    """Header only; pixels are decoded later. Raises PictureError.

    A JPEG is decoded at 1 / `shrink` of its size (1, 2, 4 or 8), which is faster; others are not shrunk.
    """
    name = name_of(source)
    size = len(source) if isinstance(source, bytes) else _file_size(source, name)
    if size == 0:
        raise PictureError(f"{name}: is empty (0 bytes); copy it again from where it came")
    head = head_of(source, 64)
    if is_heic(head):
        from safelight.picture.heif import open_heic

        return open_heic(source, name, LEFT_OUT)
    if not isinstance(source, bytes) and (name != str(source) or size <= MOST_BYTES_READ):
        source = Path(source).read_bytes()  # libvips takes no names that are not UTF-8, and maps files into memory
    # a file goes in as a source, not as a name, since libvips reads "[...]" in names as options
    try:
        if isinstance(source, bytes):
            vips_source = pyvips.Source.new_from_memory(source)
        else:
            vips_source = pyvips.Source.new_from_file(name)
        options = {"fail_on": fail_on, "access": "sequential", "revalidate": True} | ({"page": page} if page else {})
        if head.startswith(b"\xff\xd8"):  # a JPEG with a gain map would go to another loader
            image = pyvips.Image.jpegload_source(vips_source, shrink=shrink, **options)
            image._references.append(vips_source)  # which pyvips forgets here: its memory would go before the pixels
            return image
        return pyvips.Image.new_from_source(vips_source, "", **options)
    except pyvips.Error as error:
        otherwise = f"cannot be read ({reason(error)}); is it a picture, and whole?"
        if "not in a known format" in str(error):
            otherwise = "is no picture, or of a kind that is not read; convert it to PNG, TIFF or JPEG first"
        raise PictureError(f"{name}: {cause_or(source, otherwise)}") from None


def pixels_of(path: Path) -> int | None:
    """Of the first page, by the head of the file; None for what libvips cannot open by its name."""
    try:
        if not os.path.isfile(path):  # a pipe would never open
            return None
        image = pyvips.Image.new_from_source(pyvips.Source.new_from_file(str(path)), "", access="sequential")
    except (pyvips.Error, OSError, UnicodeError):
        return None
    return int(image.width * image.height)


def pages_of(source: Source) -> list[tuple[int, Page | None]]:
    """Number and tags of every page of a TIFF that is not a smaller version of another; page 0 of other files."""
    if not isinstance(source, bytes) and not os.path.isfile(source):  # a pipe would never open
        return [(0, None)]
    try:
        with stream_of(source) as file:
            pages = list(enumerate(tiff.read_pages(file)))
    except (ValueError, OSError):
        return [(0, None)]
    whole: list[tuple[int, Page | None]] = [(k, page) for k, page in pages if not page.is_thumbnail]
    return whole or [*pages[:1]] or [(0, None)]


def cause_or(source: Source, otherwise: str) -> str:
    """The true cause of a failure, if the file's first bytes or its main page tell it."""
    page = pages_of(source)[0][1]
    return (page and tiff_cause(page)) or cause_of(head_of(source)) or otherwise


def format_of_image(image: pyvips.Image) -> str:
    """The container, by content."""
    loader = str(image.get("vips-loader"))
    container = next((ours for theirs, ours in _FORMATS.items() if loader.startswith(theirs)), loader)
    if container == "avif" and image.get_typeof("heif-compression") and image.get("heif-compression") != "av1":
        return "heic"
    return container


def _file_size(path: str | Path, name: str) -> int:
    try:
        if not os.path.isfile(path):
            what = "is not a file" if os.path.exists(path) else "is not there"
            raise PictureError(f"{name}: {what}; name a picture or a folder of pictures")
        with Path(path).open("rb") as file:
            return os.fstat(file.fileno()).st_size
    except OSError as error:
        raise PictureError(f"{name}: cannot be opened ({error.strerror}); check its permissions") from None
