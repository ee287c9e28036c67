"""Descriptions of TIFFs that count planes: ImageJ's, OME's, and those of other programs."""

import re
from dataclasses import replace

from safelight.picture.exif import Exif, parse, serialise
from safelight.picture.tiff import DESCRIPTION, RESOLUTION_UNIT, X_RESOLUTION, Y_RESOLUTION, Page, Value

_METAMORPH_STACK = 33629
"""MetaMorph's tag of a stack: it has an item for each plane, and all planes stand behind one directory."""


def planes_told(page: Page) -> int:
    """How many planes a page's description (ImageJ's) or a tag (MetaMorph's) says that the file has; else 0."""
    description, stack = page.ifd.get(DESCRIPTION), page.ifd.get(_METAMORPH_STACK)
    if stack is not None:
        return stack.number
    found = re.match(rb"ImageJ=[^\n]*\nimages=(\d{1,9})", description.data) if description else None
    return int(found[1]) if found else 0


def axes_alone(block: bytes) -> bytes:
    """A block with the density, and with ImageJ's description of axes: what holds for other numbers of the pixels."""
    whole = parse(block).main
    main = {tag: whole[tag] for tag in (X_RESOLUTION, Y_RESOLUTION, RESOLUTION_UNIT) if tag in whole}
    description = whole.get(DESCRIPTION)
    if description is not None and description.data.startswith(b"ImageJ="):
        lines = description.data.rstrip(b"\0").split(b"\n")
        text = b"\n".join(line for line in lines if not line.startswith((b"min=", b"max="))) + b"\0"
        main[DESCRIPTION] = Value(2, len(text), text)
    return serialise(Exif(main=main))


def of_one_page(block: bytes) -> tuple[bytes, bool]:
    """A block whose description (ImageJ's) counts one page, and whether one that cannot be adapted was left out."""
    whole = parse(block)
    description = whole.main.get(DESCRIPTION)
    if description is None:
        return block, False
    main, text = dict(whole.main), description.data
    if text.startswith(b"ImageJ="):
        counts = (b"images=", b"channels=", b"slices=", b"frames=", b"hyperstack=", b"loop=")
        lines = [line for line in text.rstrip(b"\0").split(b"\n") if not line.startswith(counts)]
        text = b"\n".join([lines[0], b"images=1", *lines[1:]]) + b"\0"
        main[DESCRIPTION] = Value(2, len(text), text)
    elif b"<OME" in text[:2000] or text.startswith(b'{"shape"'):
        del main[DESCRIPTION]
    return serialise(replace(whole, main=main)), DESCRIPTION not in main
