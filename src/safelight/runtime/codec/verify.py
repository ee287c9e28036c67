"""Whether a codec's graphs run, and compute what its programs say."""

import numpy as np

from safelight.bundle import Bundle
from safelight.bundle.codec import CodecCard
from safelight.coding.program import check_bounds
from safelight.errors import BundleError
from safelight.picture import Picture
from safelight.runtime.codec.codec import Codec
from safelight.runtime.codec.core import Core
from safelight.runtime.codec.load import build_core, read_codec
from safelight.runtime.codec.networks import Law

SIDE_PX = 64
QUALITIES = (5, 60)


def run_every_graph(bundle: Bundle[CodecCard]) -> None:
    """Prove the bounds of all sums, then compress a small picture by the graphs and by the law.

    Raises BundleError if a sum could be too large, or if a byte differs.
    """
    parts = read_codec(bundle)
    for program in parts.programs.values():
        check_bounds(program, parts.arrays)
    law: Core = build_core(Law(parts.programs, parts.arrays), parts, bundle)
    ramp = np.add.outer(np.arange(SIDE_PX) * 777, np.arange(SIDE_PX) * 259)[..., None] % 65536
    picture = Picture(np.concatenate([ramp, ramp[::-1], ramp.transpose(1, 0, 2)], axis=2).astype(np.uint16))
    for quality in QUALITIES:
        found, right = (codec.compress(picture, quality) for codec in (Codec.load(bundle.folder), Codec(law)))
        if found != right:
            raise BundleError(f"{bundle.folder}: its graphs do not compute what its programs say; get the bundle again")
