"""What comes with a picture's pixels: the blocks of its file, made fit for upright pixels, and what is lost."""

import struct
from dataclasses import dataclass, field, replace

import pyvips

from safelight.picture import companions, containers, exif, tiff, xmp
from safelight.picture.causes import jpeg_segments
from safelight.picture.gif import gif_comments
from safelight.picture.opening import LEFT_OUT, Source, stream_of
from safelight.picture.picture import Metadata
from safelight.picture.png import png_chunks, raw_profile, text_of
from safelight.picture.tiff import Page

GDAL_NO_DATA, WHITE_IS_ZERO = 42113, 0
JPEG_COMMENT = 0xFE
MOST_JPEG_BYTES = 256 << 20
"""How much of a JPEG is looked at for what stands beside its picture."""
XMP_KEY = b"XML:com.adobe.xmp"
KEPT_CHUNKS = frozenset(
    {b"IHDR", b"PLTE", b"IDAT", b"IEND", b"tRNS", b"eXIf", b"iCCP", b"sRGB", b"gAMA", b"cICP", b"pHYs", b"tEXt"}
    | {b"zTXt", b"iTXt", b"acTL", b"fcTL", b"fdAT", b"tIME", b"hIST", b"iDOT"}
)
"""Chunks of a PNG that are kept, or written anew, or that only help to show it. All others describe it."""
SRGB_PRIMARIES = struct.pack(">8I", *(31270, 32900, 64000, 33000, 30000, 60000, 15000, 6000))
"""As PNG's cHRM says them."""
SRGB_GAMMA = 45455
"""As PNG's gAMA says it."""


@dataclass
class Collected:
    """Of one page."""

    metadata: Metadata
    orientation: int = 1
    warnings: list[str] = field(default_factory=list)
    missing: float | None = None
    """The value that the file marks as missing."""
    is_lossless: bool = False
    """Whether it is a WebP without loss."""


def collect(image: pyvips.Image, source: Source, container: str, page: Page | None) -> Collected:
    """`page` has the tags of a TIFF's page."""

    def blob(name: str) -> bytes | None:
        return bytes(image.get(name)) if image.get_typeof(name) else None

    found = Collected(Metadata(icc=blob("icc-profile-data"), xmp=blob("xmp-data"), iptc=blob("iptc-data")))
    block = blob("exif-data")
    if container == "png":
        block = _collect_png(source, found, block)
    elif container == "jpeg":
        _collect_jpeg(source, found)
    elif container == "webp":
        with stream_of(source) as file:
            found.is_lossless = containers.is_lossless_webp(file)
    elif container == "gif":
        with stream_of(source) as file:
            comments = gif_comments(file)
        found.metadata = replace(found.metadata, texts=tuple(("Comment", _decoded(text)) for text in comments))
    tags = _exif(source, found, page, block)
    if image.get_typeof("orientation"):
        found.orientation = int(image.get("orientation"))
    if image.get_typeof(LEFT_OUT):
        found.warnings.append(str(image.get(LEFT_OUT)))
    dpi = exif.Exif(page.ifd).dpi() if page else _density(source, container, found) or (tags.dpi() if tags else None)
    if page is not None:
        tags = _collect_tiff(page, found, tags)
    if tags is not None:
        if found.orientation != 1 and exif.PLACE_ON_EARTH & tags.main.keys():
            found.warnings.append("its place on Earth (GeoTIFF) was left out, since the picture was turned")
        tags = tags.turned(found.orientation)
    kept = found.metadata
    found.metadata = replace(
        kept,
        exif=exif.serialise(tags) if tags and (tags.main or tags.exif or tags.gps) else None,
        xmp=xmp.upright(_turned(found, kept.xmp)) if kept.xmp else None,
        iptc=kept.iptc,
        dpi=dpi[::-1] if dpi and found.orientation in exif.LYING else dpi,
    )
    return found


def _exif(source: Source, found: Collected, page: Page | None, block: bytes | None) -> exif.Exif | None:
    """Of a TIFF's page, or of a block; the orientation that it tells goes to `found`."""
    try:
        if page is not None:
            with stream_of(source) as file:
                return exif.parse_tiff_file(file, page)
        if block:
            tags = exif.parse(block.removeprefix(b"Exif\0\0"))
            found.orientation = tags.orientation
            return tags.upright()
    except (ValueError, OSError):
        found.warnings.append("EXIF cannot be read and was left out")
    return None


def _collect_jpeg(source: Source, found: Collected) -> None:
    """Comments, and what is left out of what the file carries beside its picture."""
    with stream_of(source) as file:
        data = file.read(MOST_JPEG_BYTES)
    lost, packet = companions.left_out(data, found.metadata.xmp)
    found.warnings += lost
    comments = [payload for marker, payload in jpeg_segments(data) if marker == JPEG_COMMENT]
    texts = tuple(("Comment", _decoded(comment.rstrip(b"\0"))) for comment in comments)
    found.metadata = replace(found.metadata, xmp=packet, texts=texts)


def _density(source: Source, container: str, found: Collected) -> tuple[float, float] | None:
    """What a JPEG or a PNG tells beside its EXIF, in dots per inch; pixels that are not square get a warning."""
    if container not in ("jpeg", "png"):
        return None
    with stream_of(source) as file:
        density = containers.density(file, container)
    if density and density.is_shape:
        shape = f"{density.x:g}:{density.y:g}"
        found.warnings.append(f"its pixels are not square ({shape}); the result does not say so")
    return density and density.dpi


def _collect_tiff(page: Page, found: Collected, tags: exif.Exif | None) -> exif.Exif | None:
    """IPTC, bare or among Photoshop's resources, which tags are left out, and what is missing; returns the EXIF."""
    bare, resources = page.ifd.get(tiff.IPTC), page.ifd.get(tiff.PHOTOSHOP)
    found.metadata = replace(found.metadata, iptc=bare.data if bare else resources and resources.data)
    if resources:
        found.warnings.append("Photoshop's resources were left out, but for IPTC")
    if lost := exif.left_out_tags(page):
        found.warnings.append(f"TIFF tags were left out: {', '.join(lost)}")
    found.missing = _missing(page)
    return _of_inverted(page, found, tags) if page.number(tiff.PHOTOMETRIC, 1) == WHITE_IS_ZERO else tags


def _of_inverted(page: Page, found: Collected, tags: exif.Exif | None) -> exif.Exif | None:
    """Of a page whose 0 is white: libvips turns whole numbers over, and the result says that 0 is black."""
    if page.number(tiff.SAMPLE_FORMAT, 1) != 1:
        found.warnings.append("its 0 is white, and the result says that 0 is black; its numbers stay as they are")
    elif found.missing is not None and tags is not None:
        found.missing = 2 ** page.number(tiff.BITS, 8) - 1 - found.missing
        text = f"{found.missing:g}".encode() + b"\0"
        return replace(tags, main=tags.main | {GDAL_NO_DATA: tiff.Value(2, len(text), text)})
    return tags


def _turned(found: Collected, packet: bytes) -> bytes:
    """The XMP of a picture that is turned upright: without places in the picture."""
    if found.orientation == 1:
        return packet
    upright = xmp.without_regions(packet)
    if upright != packet:
        found.warnings.append("places of faces in the XMP were left out, since the picture was turned")
    return upright


def _decoded(text: bytes) -> str:
    """UTF-8, or else Latin-1, in which all bytes are letters."""
    try:
        return text.decode()
    except UnicodeDecodeError:
        return text.decode("latin-1")


def _missing(page: Page) -> float | None:
    """GDAL's tag has the value as text."""
    value = page.ifd.get(GDAL_NO_DATA)
    try:
        return float(value.data.split(b"\0")[0]) if value is not None else None
    except ValueError:
        return None


def _collect_png(source: Source, found: Collected, block: bytes | None) -> bytes | None:
    """All that stands in a PNG's chunks, before and behind the pixels; returns the EXIF block."""
    profiles: dict[str, bytes] = {}
    texts: list[tuple[str, str]] = []
    gamma, lost = SRGB_GAMMA, list[str]()
    with stream_of(source) as file:
        for name, payload in png_chunks(file):
            if name == b"eXIf":
                block = block or payload
            elif name == b"acTL" and len(payload) == 8 and (frames := struct.unpack(">I", payload[:4])[0]) > 1:
                found.warnings.append(f"is animated ({frames} frames); the first frame is used")
            elif name == b"iTXt" and payload.startswith(XMP_KEY + b"\0") and (text := text_of(name, payload)):
                profiles.setdefault("xmp", text[1].encode())
            elif name in (b"zTXt", b"tEXt") and payload.startswith(b"Raw profile type "):
                profiles |= {kind: data for kind, data in raw_profile(name, payload) if kind not in profiles}
            elif name in (b"zTXt", b"tEXt", b"iTXt") and (text := text_of(name, payload)) is not None:
                texts.append(text)
            elif name == b"gAMA" and len(payload) == 4:
                gamma = struct.unpack(">I", payload)[0]
            elif name in (b"sRGB", b"cICP"):
                gamma = SRGB_GAMMA  # which overrules it
            elif name in (b"zTXt", b"tEXt", b"iTXt"):
                found.warnings.append("a damaged text was left out")
            elif name not in KEPT_CHUNKS and not (name == b"cHRM" and payload == SRGB_PRIMARIES):
                lost.append(name.decode("latin-1"))
    if lost:
        found.warnings.append(f"chunks were left out: {', '.join(lost)}")
    kept = found.metadata
    xmp_packet, iptc = kept.xmp or profiles.get("xmp"), kept.iptc or profiles.get("iptc")
    found.metadata = replace(kept, xmp=xmp_packet, iptc=iptc, texts=tuple(texts))
    if kept.icc is None and abs(gamma - SRGB_GAMMA) > 1000:
        found.warnings.append(
            f"its gamma of {gamma / 1e5:g} was left out; other programs may show it brighter or darker"
        )
    return block or profiles.get("exif")
