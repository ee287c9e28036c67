"""Pictures → files: to a temporary name beside the target, then renamed; never half a file."""

import shutil
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pyvips

from safelight.errors import OutputError, UsageError
from safelight.picture import avif, containers, exif, iptc, tiff, xmp
from safelight.picture.fewer_bits import Depth, in_range
from safelight.picture.picture import Metadata, Picture
from safelight.picture.vips import reason, to_vips
from safelight.work import replacing

Keep = Literal["keep", "strip", "strip-gps"]
SUFFIXES = {
    ".jpg": "jpeg",
    ".jpeg": "jpeg",
    ".png": "png",
    ".tif": "tiff",
    ".tiff": "tiff",
    ".webp": "webp",
    ".avif": "avif",
}
EXTENSIONS = {"jpeg": "jpg", "png": "png", "tiff": "tif", "webp": "webp", "avif": "avif"}
"""How the name of a new file ends, without the dot."""
READABLE = frozenset({*SUFFIXES, ".jfif", ".jpe", ".mpo", ".heic", ".heif", ".hif", ".gif"})
"""What is picked up from folders; a file that is named is tried whatever its name."""
NOT_READ = frozenset({".bmp", ".jp2", ".j2k", ".jxl", ".psd", ".tga", ".ico", ".ppm", ".pgm", ".pbm", ".exr", ".hdr"})
"""How names of pictures end that are not read here."""
DEPTHS = {"jpeg": (8,), "png": (8, 16), "tiff": (8, 16, 32), "webp": (8,), "avif": (8, 10, 12)}
"""Bits per value that each container holds."""
_LITTLE_ROOM_BYTES = 65536
COLOUR_ONLY = ("webp", "avif")
HOLDS_IPTC = ("jpeg", "tiff")
_NAMED_PAGES = 5
AS_IT_IS = Depth()
MOST_COMMENT_BYTES = 65533
"""Of a JPEG."""
_PLACEHOLDER = exif.serialise(exif.Exif(main={exif.ORIENTATION: tiff.Value(3, 1, b"\1\0")}))


def container_of(path: Path) -> str:
    """The container that a file name asks for. Raises OutputError for an unknown one."""
    try:
        return SUFFIXES[path.suffix.lower()]
    except KeyError:
        raise OutputError(f"{path}: '{path.suffix}' cannot be written; use one of {', '.join(SUFFIXES)}") from None


def write(
    pictures: Picture | Sequence[Picture],
    path: str | Path,
    *,
    container: str | None = None,
    metadata: Keep = "keep",
    quality: int = 95,
    depth: Depth = AS_IT_IS,
    provenance: xmp.Provenance | None = None,
) -> list[str]:
    """Write one picture, or several of one size as the pages of a TIFF. Returns warnings.

    The file gets the depth that is asked for, or the nearest one that the container holds; its XMP gets `provenance`.
    Raises OutputError, and leaves whatever was at `path` before as it was; UsageError for what is no picture.
    """
    path = Path(path)
    pages = [pictures] if isinstance(pictures, Picture) else list(pictures)
    if not all(isinstance(page, Picture) for page in pages):
        raise UsageError(f"{path}: write takes a Picture, or several; make one of an array: safelight.Picture(array)")
    container = container or container_of(path)
    _check_pages(pages, path, container)
    first, warnings = _fitted(pages[0], container, metadata, depth)
    if provenance is not None:
        packet = xmp.with_provenance(first.metadata.xmp, provenance)
        if container != "jpeg" or len(packet) <= containers.JPEG_XMP_LIMIT:
            first = first.with_(metadata=replace(first.metadata, xmp=packet))
    if metadata != "strip" and (others := _pages_of_their_own(pages)):
        warnings.append(
            f"profile, density, EXIF, XMP and IPTC are those of the first page; others have their own: pages {others}"
        )
    pages = [first, *(_fitted(page, container, "strip", depth)[0] for page in pages[1:])]
    try:
        with replacing(path) as part:
            try:
                _encode(pages, part, container, quality)
                _finish(part, container, first)
            except (OSError, pyvips.Error, UnicodeError) as error:
                raise _cannot_be_written(path, error) from None  # said while the unfinished file still fills the disk
    except OSError as error:
        raise _cannot_be_written(path, error) from None
    return warnings


def _cannot_be_written(path: Path, error: Exception) -> OutputError:
    why = error.strerror or str(error) if isinstance(error, OSError) else str(error)
    why = reason(error) if isinstance(error, pyvips.Error) else why
    return OutputError(f"{path}: cannot be written ({_room(path) or why}); check the folder and the disk")


def _room(path: Path) -> str | None:
    """What libvips does not say: that there is no room."""
    try:
        return "no space left on the disk" if shutil.disk_usage(path.parent).free < _LITTLE_ROOM_BYTES else None
    except OSError:
        return None


def _check_pages(pages: Sequence[Picture], path: Path, container: str) -> None:
    if len(pages) > 1 and container != "tiff":
        raise OutputError(f"{path}: {container} cannot hold {len(pages)} pages; write a tiff, or the first page only")
    if len({(page.pixels.shape, page.pixels.dtype, page.alpha is None) for page in pages}) > 1:
        raise OutputError(f"{path}: pages that differ in size or kind cannot be written together; split the file first")


def _pages_of_their_own(pages: Sequence[Picture]) -> str:
    """The numbers of pages whose metadata says what that of the first one does not, at most the first few."""
    first = pages[0].metadata
    same = {first.icc, first.xmp, first.iptc, first.dpi, None}
    own = [
        number
        for number, of in enumerate((page.metadata for page in pages), 1)
        if not {of.icc, of.xmp, of.iptc, of.dpi} <= same or exif.says_more(of.exif, than=first.exif)
    ]
    return ", ".join(map(str, own[:_NAMED_PAGES])) + (" and more" if len(own) > _NAMED_PAGES else "")


def _fitted(picture: Picture, container: str, metadata: Keep, depth: Depth) -> tuple[Picture, list[str]]:
    """The picture as the container can hold it, and a warning for each thing that it cannot."""
    wanted, depths = depth.bits or picture.bits, DEPTHS[container]
    bits = min((b for b in depths if b >= wanted), default=max(depths))
    warnings = [f"{wanted} bits were reduced to {bits}, the most that {container} holds here"] if bits < wanted else []
    if bits < picture.bits:
        picture, more = in_range(picture, f"{bits} bits", depth.scale)
        warnings += more
    picture = picture.with_depth(bits)
    if picture.alpha is not None and container == "jpeg":
        warnings.append("transparency was laid on white, since jpeg has none")
        picture = picture.with_(pixels=_on_white(picture), alpha=None)
    kept, more = _fitted_metadata(picture.metadata, container, metadata)
    if container in COLOUR_ONLY and picture.grey and kept.icc:
        more.append(f"its profile of grey was left out, since {container} stores grey as colour")
        kept = replace(kept, icc=None)
    return picture.with_(metadata=kept), warnings + more


def filtered_metadata(blocks: Metadata, keep: Keep) -> Metadata:
    """The blocks that are wanted."""
    if keep == "strip":
        return replace(blocks, exif=None, xmp=None, iptc=None, texts=())
    if keep == "strip-gps":
        texts = tuple((key, text) for key, text in blocks.texts if "gps" not in key.lower())
        packet = blocks.xmp and xmp.without_gps(blocks.xmp)
        return replace(blocks, exif=_without_gps(blocks.exif), xmp=packet, texts=texts)
    return blocks


def _fitted_metadata(kept: Metadata, container: str, metadata: Keep) -> tuple[Metadata, list[str]]:
    """The blocks that are wanted and fit."""
    warnings: list[str] = []
    kept = filtered_metadata(kept, metadata)
    if metadata == "strip":
        return kept, warnings
    if container in ("webp", "avif") and kept.dpi:
        block = exif.parse(kept.exif) if kept.exif else exif.Exif()
        kept = replace(kept, exif=exif.serialise(block.with_dpi(kept.dpi)))
    if container == "jpeg" and len(kept.exif or b"") > containers.JPEG_EXIF_LIMIT:
        warnings.append("EXIF is too large for jpeg and was left out")
        kept = replace(kept, exif=None)
    if container == "jpeg" and len(kept.xmp or b"") > containers.JPEG_XMP_LIMIT:
        warnings.append("XMP is too large for jpeg and was left out")
        kept = replace(kept, xmp=None)
    if container != "tiff" and kept.exif and exif.MEASURING_TAGS & exif.parse(kept.exif).main.keys():
        warnings.append(f"GeoTIFF's and GDAL's tags were left out, since {container} does not hold them")
        kept = replace(kept, exif=exif.serialise(exif.parse(kept.exif).without_measures()))
    if container == "tiff" and kept.exif and (tags := exif.not_in_tiff(exif.parse(kept.exif))):
        warnings.append(f"EXIF tags were left out, since tiff does not hold them here: {', '.join(map(str, tags))}")
    held = [(key, text) for key, text in kept.texts if container == "png" or _fits_jpeg(container, key, text)]
    if lost := sorted({key for key, text in kept.texts if (key, text) not in held}):
        warnings.append(f"text was left out, since {container} does not hold it here: {', '.join(lost)}")
    kept = replace(kept, texts=tuple(held))
    if container != "jpeg" and kept.iptc and iptc.has_more(kept.iptc):
        warnings.append("Photoshop's resources were left out, but for IPTC")
    if container not in HOLDS_IPTC and kept.iptc:
        beside = "; its XMP is kept" if kept.xmp else ""
        warnings.append(f"IPTC was left out, since {container} does not hold it here{beside}")
    return kept, warnings


def _fits_jpeg(container: str, key: str, text: str) -> bool:
    return container == "jpeg" and key == "Comment" and len(text.encode()) <= MOST_COMMENT_BYTES


def _without_gps(block: bytes | None) -> bytes | None:
    """Without GPS, and without GeoTIFF's place on Earth."""
    return None if block is None else exif.serialise(replace(exif.parse(block), gps={}).without_measures())


def _on_white(picture: Picture) -> np.ndarray[Any, Any]:
    assert picture.alpha is not None
    alpha = picture.alpha.astype(np.float32) / np.float32(picture.full_scale)
    mixed = picture.pixels * alpha + np.float32(picture.full_scale) * (1 - alpha)
    rounded: np.ndarray[Any, Any] = np.rint(mixed).astype(picture.pixels.dtype)
    return rounded


def _encode(pages: Sequence[Picture], part: Path, container: str, quality: int) -> None:
    first = pages[0]
    arrays = [_interleaved(page, container) for page in pages]
    image = to_vips(np.concatenate(arrays) if len(arrays) > 1 else arrays[0])
    kept, options = first.metadata, _options(container, quality, first)
    image = image.copy(**({"xres": kept.dpi[0] / 25.4, "yres": kept.dpi[1] / 25.4} if kept.dpi else {}))
    placeholder = _PLACEHOLDER if kept.exif and container != "tiff" else None  # the exact block comes afterwards
    blobs = {"icc-profile-data": kept.icc, "xmp-data": kept.xmp, "exif-data": placeholder}
    if container == "jpeg":
        blobs["iptc-data"] = kept.iptc and iptc.as_resources(kept.iptc)
    for name, data in blobs.items():
        if data:
            image.set_type(pyvips.GValue.blob_type, name, data)
    if len(pages) > 1:
        image.set_type(pyvips.GValue.gint_type, "page-height", first.size[1])
    flags = [name for name, has in (("icc", kept.icc), ("exif", placeholder), ("xmp", kept.xmp)) if has]
    flags += ["iptc"] if container == "jpeg" and kept.iptc else []
    saver = {"jpeg": "jpegsave", "png": "pngsave", "tiff": "tiffsave", "webp": "webpsave", "avif": "heifsave"}
    keep = "|".join([*flags, "other"])
    getattr(image, saver[container])(str(part), keep=keep, **options)


def _interleaved(picture: Picture, container: str) -> np.ndarray[Any, Any]:
    """(H, W, C) with alpha as the last channel; 10 and 12 bits as libvips wants them, shifted."""
    parts = [picture.pixels] if picture.alpha is None else [picture.pixels, picture.alpha]
    array = np.concatenate(parts, axis=2) if len(parts) > 1 else parts[0]
    if container == "avif" and picture.bits > 8:
        top = 2**picture.bits - 1
        array = ((array.astype(np.uint32) * top + 32767) // 65535).astype(np.uint16) << (16 - picture.bits)
    return array


def _options(container: str, quality: int, picture: Picture) -> dict[str, Any]:
    """What each saver is told. Lossy ones keep the full chroma."""
    if container == "jpeg":
        return {"Q": quality, "subsample_mode": "off"}  # optimised coding would hold all coefficients in memory
    if container == "png":
        return {"compression": 6, "bitdepth": picture.bits}
    if container == "tiff":
        predictor = "none" if picture.bits == 32 else "horizontal"
        return {"compression": "deflate", "predictor": predictor, "resunit": "inch"}
    stays_lossless = picture.is_lossless and picture.format == container
    if container == "webp":
        return {"Q": quality, "lossless": quality == 100 or stays_lossless, "exact": True, "smart_subsample": True}
    lossless = {"lossless": True} if quality == 100 else {"Q": quality, "subsample_mode": "off"}
    return {"compression": "av1", "bitdepth": picture.bits, "effort": 2, **lossless}


def _finish(part: Path, container: str, picture: Picture) -> None:
    """Exact EXIF and density."""
    kept = picture.metadata
    if container == "tiff":
        tags = exif.parse(kept.exif) if kept.exif is not None else exif.Exif()
        records = iptc.as_records(kept.iptc) if kept.iptc else None
        with part.open("r+b") as file:
            if kept.dpi is None:
                exif.set_tiff_density(file, tags)
            if kept.exif is not None or records:
                exif.append_to_tiff_file(file, tags.with_iptc(records) if records else tags)
    elif container == "avif":
        if kept.exif is not None:
            part.write_bytes(avif.with_exif(part.read_bytes(), kept.exif))
    elif container in ("jpeg", "png", "webp"):
        part.write_bytes(containers.with_exact(part.read_bytes(), container, kept))
