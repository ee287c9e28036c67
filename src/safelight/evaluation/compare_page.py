"""Pictures before and after, as one HTML file with a line to drag; it needs no other file."""

import base64
import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from safelight.evaluation.uncertainty_view import TICKS_255, scale_colours
from safelight.picture.vips import to_vips

Array = NDArray[np.floating]
TEMPLATE = Path(__file__).with_name("compare.html")
MOST_PX = 1600
"""The longer side of a picture on the page, at most."""


@dataclass(frozen=True)
class Compared:
    """One picture, (H, W, C) with white at 1, and what became of it."""

    name: str
    what: str
    """In words, below the name."""
    before: Array
    layers: dict[str, Array]
    """Name → what can be seen to the right of the line; the first one at first."""


@dataclass(frozen=True)
class Numbers:
    """A table below the pictures."""

    words: str = ""
    """What the columns mean."""
    header: Sequence[str] = ()
    rows: Sequence[Sequence[str]] = field(default_factory=list)


def compare_html(title: str, pictures: Sequence[Compared], numbers: Numbers | None = None) -> str:
    """The page."""
    shown = [
        {
            "name": one.name,
            "what": "; ".join(filter(None, (one.what, _size_shown(one.before)))),
            "before": _uri(one.before),
            "layers": {label: _uri(values) for label, values in one.layers.items()},
        }
        for one in pictures
    ]
    table = numbers or Numbers()
    data = {
        "title": title,
        "pictures": shown,
        "words": table.words,
        "header": table.header,
        "rows": table.rows,
        "ticks": TICKS_255,
        "colours": scale_colours(),
    }
    content = json.dumps(data).replace("</", "<\\/")
    return TEMPLATE.read_text(encoding="utf-8").replace("/*DATA*/", content)


def _size_shown(values: Array) -> str:
    """Words for a picture that is too large to be shown whole."""
    share = MOST_PX / max(values.shape[:2])
    return f"shown here at {share:.0%} of its size, so open the files to judge fine grain" if share < 1 else ""


def _uri(values: Array) -> str:
    """As an inline picture, made smaller where it is large."""
    image = to_vips(np.rint(np.clip(np.nan_to_num(values), 0, 1) * 255).astype(np.uint8))
    if max(image.width, image.height) > MOST_PX:
        image = image.resize(MOST_PX / max(image.width, image.height))
    return "data:image/webp;base64," + base64.b64encode(image.webpsave_buffer(Q=90)).decode()
