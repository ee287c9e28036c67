"""Files → pictures, upright, in their own depth and colour space, with everything that came along."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pyvips
from numpy.typing import NDArray

from safelight.errors import PictureError
from safelight.picture import tiff
from safelight.picture.causes import is_raw, tiff_cause
from safelight.picture.collect import collect
from safelight.picture.colours import colour_profile
from safelight.picture.descriptions import planes_told
from safelight.picture.exif import LYING
from safelight.picture.opening import READ, Source, cause_or, format_of_image, name_of, open_image, pages_of
from safelight.picture.picture import Picture
from safelight.picture.vips import from_vips, reason, supported

MAX_MEGAPIXELS = 400.0
"""A file may declare any size in a few bytes; beyond this it is refused before memory is asked for."""
DAMAGED = "is damaged in parts; look at the result"
_RGB_LIKE = frozenset({"srgb", "rgb", "rgb16", "scrgb", "b-w", "grey16", "multiband"})


def read(source: Source, max_megapixels: float = MAX_MEGAPIXELS) -> Picture:
    """Read one picture from a path or from a file's bytes; of several pages or frames the first.

    Raises PictureError if it cannot be read whole, with the file, the reason and the mend.
    """
    pages = pages_of(source)
    image = open_image(source, pages[0][0])
    container = format_of_image(image)
    picture = _read_page(source, pages[0], max_megapixels)
    told = _hidden_planes(pages)
    if container == "tiff" and len(pages) > 1:
        told.append(f"has {len(pages)} pages; the first is used (enhance --pages all uses all)")
    elif container != "tiff" and image.get_typeof("n-pages") and int(image.get("n-pages")) > 1:
        told.append(f"is animated ({image.get('n-pages')} frames); the first frame is used")
    if container == "tiff" and told:
        metadata, more = picture.metadata.of_one_page()
        picture, told = picture.with_(metadata=metadata), told + more
    return picture.with_(warnings=(*picture.warnings, *told))


def read_pages(source: Source, max_megapixels: float = MAX_MEGAPIXELS) -> list[Picture]:
    """Every page of a TIFF; of other files the one picture that `read` gives."""
    pages = pages_of(source)
    if len(pages) == 1:
        return [read(source, max_megapixels)]
    first, *others = (_read_page(source, page, max_megapixels) for page in pages)
    return [first.with_(warnings=(*first.warnings, *_hidden_planes(pages))), *others]


def _hidden_planes(pages: Sequence[tuple[int, tiff.Page | None]]) -> list[str]:
    """A warning for planes that a TIFF holds behind its pages, without a directory for each."""
    planes = max((planes_told(page) for _, page in pages if page is not None), default=0)
    if planes <= len(pages):
        return []
    return [f"tells of {planes} planes, of which {len(pages)} can be read; save each plane as a page of its own"]


def format_of(source: Source) -> str:
    """The container, by content; only the header is read. Raises PictureError."""
    return format_of_image(_main_page(source)[0])


def upright_size(source: Source) -> tuple[int, int]:
    """Width and height as `read` gives them; only the header is read. Raises PictureError."""
    image, page = _main_page(source)
    width, height = int(image.width), int(image.height)
    return (height, width) if _lies(image, source, page) else (width, height)


def lies(source: Source) -> bool:
    """Whether the file's pixels lie on their side, and its orientation turns them. Raises PictureError."""
    image, page = _main_page(source)
    return _lies(image, source, page)


def _lies(image: pyvips.Image, source: Source, page: tiff.Page | None) -> bool:
    return collect(image, source, format_of_image(image), page).orientation in LYING


def keeps_numbers(source: Source) -> bool:
    """Whether `read` gives the file's own numbers: not so for palettes, 1 bit and float. Raises PictureError."""
    image, _ = _main_page(source)
    bits = int(image.get("bits-per-sample")) if image.get_typeof("bits-per-sample") else 8
    return not image.get_typeof("palette") and bits >= 8 and image.format in ("uchar", "ushort")


def _main_page(source: Source) -> tuple[pyvips.Image, tiff.Page | None]:
    number, page = pages_of(source)[0]
    return open_image(source, number), page


def _read_page(source: Source, page: tuple[int, tiff.Page | None], max_megapixels: float) -> Picture:
    """Strictly first: of damage inside a JPEG's scan libvips only warns. Then as far as it goes, with a warning.

    Of a TIFF it warns of odd tags, too, which is no damage.
    """
    number, tags = page
    if tags is not None:
        return _decode(open_image(source, number), source, tags, max_megapixels)
    try:
        return _decode(open_image(source, number, "warning"), source, tags, max_megapixels)
    except PictureError:
        picture = _decode(open_image(source, number), source, tags, max_megapixels)
        return picture.with_(warnings=(*picture.warnings, DAMAGED))


def _decode(image: pyvips.Image, source: Source, page: tiff.Page | None, max_megapixels: float) -> Picture:
    name, container = name_of(source), format_of_image(image)
    _check_kind(image, name, container, page=page, max_megapixels=max_megapixels)
    found = collect(image, source, container, page)
    profile, more = colour_profile(image, found.metadata.icc, source, container)
    found.warnings += more
    image, converted = _as_rgb(image, name)
    if converted:
        found.warnings.append(converted[0])
    metadata = replace(found.metadata, icc=converted[1] if converted else profile)
    try:
        array = _turned(from_vips(image), found.orientation)
    except pyvips.Error as error:
        otherwise = f"is damaged or cut off ({reason(error)}); copy it again from where it came"
        raise PictureError(f"{name}: {cause_or(source, otherwise)}") from None
    is_deep = container in ("avif", "heic") and array.dtype == np.uint16
    bits = int(image.get("bits-per-sample")) if is_deep else 0
    if 8 < bits < 16:
        array = _stretched(array, bits)
    colours = 1 if array.shape[2] < 3 else 3
    return Picture(
        pixels=np.ascontiguousarray(array[..., :colours]),
        alpha=np.ascontiguousarray(array[..., colours:]) if array.shape[2] > colours else None,
        metadata=metadata,
        format=container,
        bits=bits,
        warnings=tuple(found.warnings),
        missing=found.missing,
        is_lossless=found.is_lossless,
    )


def _check_kind(image: pyvips.Image, name: str, container: str, page: tiff.Page | None, max_megapixels: float) -> None:
    """Raises PictureError for a kind of file, a size, or channels that are not edited."""
    if container not in READ:
        raise PictureError(
            f"{name}: is of a kind that Safelight does not edit ({container}); convert it to TIFF or PNG"
        )
    megapixels = image.width * image.height / 1e6
    if megapixels > max_megapixels:
        raise PictureError(
            f"{name}: declares {image.width}x{image.height}, {megapixels:.0f} megapixels; "
            f"the limit is {max_megapixels:.0f}; raise it (--max-megapixels) if you trust the file"
        )
    if page is not None and (is_raw(page) or not supported(image)) and (cause := tiff_cause(page)):
        raise PictureError(f"{name}: {cause}")
    if page is not None and page.unknown_channels:
        raise PictureError(
            f"{name}: {image.bands} channels, and the file does not say that {page.unknown_channels} of them "
            "are colours or its one transparency; save each channel as a grey page"
        )


def _as_rgb(image: pyvips.Image, name: str) -> tuple[pyvips.Image, tuple[str, bytes] | None]:
    """CMYK, Lab and the like → sRGB, with the warning and the new profile; RGB and grey as they are."""
    converted = None
    if image.interpretation not in _RGB_LIKE:
        depth = 8 if image.format == "uchar" else 16
        kind = str(image.interpretation).upper()
        try:
            assumed = ""
            if kind == "CMYK":
                assumed = (
                    "" if image.get_typeof("icc-profile-data") else ", by a press's usual profile since it has none"
                )
                image = image.icc_transform("srgb", embedded=True, input_profile="cmyk", depth=depth)
            else:
                image = image.colourspace("rgb16" if depth == 16 else "srgb").icc_export(
                    output_profile="srgb", depth=depth
                )
        except pyvips.Error as error:
            raise PictureError(
                f"{name}: {kind} cannot be converted ({reason(error)}); convert it to RGB first"
            ) from None
        converted = (f"{kind} was converted to sRGB{assumed}", bytes(image.get("icc-profile-data")))
    if not supported(image) or image.bands > 4:
        raise PictureError(
            f"{name}: {image.bands} channels of {image.format} are not supported; "
            "convert it to grey or RGB in 8, 16 or 32-bit float"
        )
    return image, converted


def _turned(array: NDArray[Any], orientation: int) -> NDArray[Any]:
    """EXIF orientation 1-8 → upright; an invalid number is ignored."""
    if orientation in LYING:
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
