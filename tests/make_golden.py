"""Make the files of tests/golden: `python -m tests.make_golden`. Only once for a version of the format.

They are of the small codec of tests/bundles, so that they need no more than what lies here.
"""

from pathlib import Path

import numpy as np

from safelight.picture import Metadata, Picture, read
from safelight.runtime.codec import Codec
from tests.support import BUNDLES, ROOT

HOME = Path(__file__).parent / "golden"


def main() -> None:
    """Six files: three qualities of a photograph, grey, 16 bits, and one with everything beside the pixels."""
    codec = Codec.load(BUNDLES / "codec")
    photo = read(ROOT / "examples" / "samples" / "roman_colosseum.webp").with_(metadata=Metadata())
    HOME.mkdir(exist_ok=True)
    for quality in (5, 40, 90):
        (HOME / f"colosseum-{quality:02d}.latent").write_bytes(codec.compress(photo, quality))
    part = photo.pixels[:90, :150]
    others = {
        "grey": Picture(part[..., :1]),
        "sixteen": Picture(part.astype(np.uint16) * 256 + part[::-1]),
        "everything": Picture(part, part[..., :1], Metadata(icc=b"icc", exif=b"II*\0", xmp=b"<x/>", dpi=(72.0, 72.0))),
    }
    for name, picture in others.items():
        (HOME / f"{name}.latent").write_bytes(codec.compress(picture, 40))


if __name__ == "__main__":
    main()
