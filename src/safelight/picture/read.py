"""Files → pictures, upright, in their own depth and colour space, with everything that came along."""

import io
import os
from dataclasses import replace
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import pyvips
from numpy.typing import NDArray

from safelight.errors import PictureError, shown
from safelight.picture import containers, exif, xmp
from safelight.picture.picture import Metadata, Picture
from safelight.picture.vips import from_vips, reason, supported

MAX_MEGAPIXELS = 400.0
"""A file may declare any size in a few bytes; beyond this it is refused before memory is asked for."""
_FORMATS = {"jpeg": "jpeg", "png": "png", "tiff": "tiff", "webp": "webp", "heif": "avif", "gif": "gif"}
_LYING = (5, 6, 7, 8)
"""EXIF orientations of pictures that lie on their side."""
_RGB_LIKE = frozenset({"srgb", "rgb", "rgb16", "scrgb", "b-w", "grey16", "multiband"})


def read(source: str | Path | bytes, max_megapixels: float = MAX_MEGAPIXELS) -> Picture:
    """Read one picture from a path or from a file's bytes; of several pages or frames the first.

    Raises PictureError if it cannot be read whole, with the file, the reason and the mend.
    """
    picture = _read_page(source, 0, max_megapixels)
    pages = _page_count(_open(source))
    if pages == 1:
        return picture
    several = {"tiff": f"has {pages} pages; the first is used"}
    what = several.get(picture.format, f"is animated ({pages} frames); the first frame is used")
    return picture.with_(warnings=(*picture.warnings, what))


def read_pages(source: str | Path | bytes, max_megapixels: float = MAX_MEGAPIXELS) -> list[Picture]:
    """Every page of a TIFF; of other files the one picture that `read` gives."""
    first = _open(source)
    if _format(first) != "tiff":
        return [read(source, max_megapixels)]
    return [_read_page(source, page, max_megapixels) for page in range(_page_count(first))]


def format_of(source: str | Path | bytes) -> str:
    """The container, by content; only the header is read. Raises PictureError."""
    return _format(_open(source))


def upright_size(source: str | Path | bytes) -> tuple[int, int]:
    """Width and height as `read` gives them; only the header is read. Raises PictureError."""
    image = _open(source)
    _, orientation, _ = _metadata(image, source, _format(image))
    width, height = int(image.width), int(image.height)
    return (height, width) if orientation in _LYING else (width, height)


def keeps_numbers(source: str | Path | bytes) -> bool:
    """Whether `read` gives the file's own numbers: not so for palettes, 1 bit and float. Raises PictureError."""
    image = _open(source)
    bits = int(image.get("bits-per-sample")) if image.get_typeof("bits-per-sample") else 8
    return not image.get_typeof("palette") and bits >= 8 and image.format in ("uchar", "ushort")


def _read_page(source: str | Path | bytes, page: int, max_megapixels: float) -> Picture:
    """Strictly first: of damage inside a JPEG's scan libvips only warns. Then as far as it goes, with a warning."""
    try:
        return _decode(_open(source, page, "warning"), source, max_megapixels)
    except PictureError:
        picture = _decode(_open(source, page), source, max_megapixels)
        return picture.with_(warnings=(*picture.warnings, "is damaged in parts; look at the result"))


def _name(source: str | Path | bytes) -> str:
    return "standard input" if isinstance(source, bytes) else shown(source)


def _open(source: str | Path | bytes, page: int = 0, fail_on: str = "error") -> pyvips.Image:
    """Header only; pixels are decoded later."""
    name = _name(source)
    size = len(source) if isinstance(source, bytes) else _file_size(source, name)
    if size == 0:
        raise PictureError(f"{name}: is empty (0 bytes); copy it again from where it came")
    if not isinstance(source, bytes) and name != str(source):
        source = Path(source).read_bytes()  # libvips takes no names that are not UTF-8
    # a file goes in as a source, not as a name, since libvips reads "[...]" in names as options
    try:
        if isinstance(source, bytes):
            vips_source = pyvips.Source.new_from_memory(source)
        else:
            vips_source = pyvips.Source.new_from_file(name)
        options = {"fail_on": fail_on, "access": "sequential", "revalidate": True} | ({"page": page} if page else {})
        return pyvips.Image.new_from_source(vips_source, "", **options)
    except pyvips.Error as error:
        raise PictureError(f"{name}: cannot be read ({reason(error)}); is it a picture, and whole?") from None


def _file_size(path: str | Path, name: str) -> int:
    try:
        if not os.path.isfile(path):
            raise PictureError(f"{name}: is not a file; name a picture or a folder of pictures")
        with Path(path).open("rb") as file:
            return os.fstat(file.fileno()).st_size
    except OSError as error:
        raise PictureError(f"{name}: cannot be opened ({error.strerror}); check its permissions") from None


def _page_count(image: pyvips.Image) -> int:
    return int(image.get("n-pages")) if image.get_typeof("n-pages") else 1


def _format(image: pyvips.Image) -> str:
    loader = str(image.get("vips-loader"))
    container = next((ours for theirs, ours in _FORMATS.items() if loader.startswith(theirs)), loader)
    if container == "avif" and image.get_typeof("heif-compression") and image.get("heif-compression") != "av1":
        return "heic"
    return container


def _decode(image: pyvips.Image, source: str | Path | bytes, max_megapixels: float) -> Picture:
    name, container = _name(source), _format(image)
    if container not in {*_FORMATS.values(), "heic"}:
        raise PictureError(
            f"{name}: is of a kind that Safelight does not edit ({container}); convert it to TIFF or PNG"
        )
    megapixels = image.width * image.height / 1e6
    if megapixels > max_megapixels:
        raise PictureError(
            f"{name}: declares {image.width}x{image.height}, {megapixels:.0f} megapixels; "
            f"the limit is {max_megapixels:.0f}; raise it (--max-megapixels) if you trust the file"
        )
    metadata, orientation, warnings = _metadata(image, source, container)
    image, converted = _as_rgb(image, name)
    if converted:
        metadata = replace(metadata, icc=converted[1])
        warnings.append(converted[0])
    try:
        array = _turned(from_vips(image), orientation)
    except pyvips.Error as error:
        raise PictureError(
            f"{name}: is damaged or cut off ({reason(error)}); copy it again from where it came"
        ) from None
    bits = int(image.get("bits-per-sample")) if container == "avif" and array.dtype == np.uint16 else 0
    if 8 < bits < 16:
        array = _stretched(array, bits)
    if array.dtype == np.float32 and not np.isfinite(array).all():
        count = int(np.count_nonzero(~np.isfinite(array)))
        raise PictureError(f"{name}: {count} values are not finite (NaN or infinite); replace them by numbers first")
    colours = 1 if array.shape[2] < 3 else 3
    return Picture(
        pixels=np.ascontiguousarray(array[..., :colours]),
        alpha=np.ascontiguousarray(array[..., colours:]) if array.shape[2] > colours else None,
        metadata=metadata,
        format=container,
        bits=bits,
        warnings=tuple(warnings),
    )


def _as_rgb(image: pyvips.Image, name: str) -> tuple[pyvips.Image, tuple[str, bytes] | None]:
    """CMYK, Lab and the like → sRGB, with the warning and the new profile; RGB and grey as they are."""
    converted = None
    if image.interpretation not in _RGB_LIKE:
        depth = 8 if image.format == "uchar" else 16
        kind = str(image.interpretation).upper()
        try:
            if kind == "CMYK":
                image = image.icc_transform("srgb", embedded=True, input_profile="cmyk", depth=depth)
            else:
                image = image.colourspace("rgb16" if depth == 16 else "srgb").icc_export(
                    output_profile="srgb", depth=depth
                )
        except pyvips.Error as error:
            raise PictureError(
                f"{name}: {kind} cannot be converted ({reason(error)}); convert it to RGB first"
            ) from None
        converted = (f"{kind} was converted to sRGB", bytes(image.get("icc-profile-data")))
    if not supported(image) or image.bands > 4:
        raise PictureError(
            f"{name}: {image.bands} channels of {image.format} are not supported; "
            "convert it to grey or RGB in 8, 16 or 32-bit float"
        )
    return image, converted


def _metadata(image: pyvips.Image, source: str | Path | bytes, container: str) -> tuple[Metadata, int, list[str]]:
    """The blocks of the file made fit for upright pixels, the orientation to apply, and warnings."""

    def blob(field: str) -> bytes | None:
        return bytes(image.get(field)) if image.get_typeof(field) else None

    warnings: list[str] = []
    block, tags = blob("exif-data"), None
    try:
        if container == "tiff":
            with _stream(source) as file:
                tags = exif.parse_tiff_file(file)
        elif block:
            tags = exif.parse(block.removeprefix(b"Exif\0\0")).upright()
    except (ValueError, OSError):
        warnings.append("EXIF cannot be read and was left out")
    packet = blob("xmp-data")
    dpi = tags.dpi() if tags else None
    if container in ("jpeg", "png"):
        with _stream(source) as file:
            dpi = containers.density_dpi(file, container) or dpi
    elif container == "tiff" and (image.xres, image.yres) != (1.0, 1.0):  # 1.0: libvips knows none
        dpi = (round(image.xres * 25.4, 3), round(image.yres * 25.4, 3))
    orientation = int(image.get("orientation")) if image.get_typeof("orientation") else 1
    return (
        Metadata(
            icc=blob("icc-profile-data"),
            exif=exif.serialise(tags) if tags and (tags.main or tags.exif or tags.gps) else None,
            xmp=xmp.upright(packet) if packet else None,
            iptc=blob("iptc-data"),
            dpi=dpi,
        ),
        orientation,
        warnings,
    )


def _stream(source: str | Path | bytes) -> BinaryIO:
    return io.BytesIO(source) if isinstance(source, bytes) else Path(source).open("rb")


def _turned(array: NDArray[Any], orientation: int) -> NDArray[Any]:
    """EXIF orientation 1-8 → upright; an invalid number is ignored."""
    if orientation in _LYING:
        array = array.swapaxes(0, 1)
    if orientation in (2, 3, 6, 7):
        array = array[:, ::-1]
    if orientation in (3, 4, 7, 8):
        array = array[::-1]
    return array


def _stretched(array: NDArray[Any], bits: int) -> NDArray[Any]:
    """Libvips shifts 10 and 12 bits to the left only; make white 65535."""
    top = 2**bits - 1
    stretched: NDArray[Any] = ((array.astype(np.uint32) >> (16 - bits)) * 65535 // top).astype(np.uint16)
    return stretched
