"""Make the files of tests/golden: `python -m tests.make_golden`. Only once for a version of the format.

They are of the small codec of tests/bundles, so that they need no more than what lies here.
"""

from pathlib import Path

import numpy as np

from safelight.picture import Metadata, Picture, exif, read, tiff
from safelight.runtime.codec import Codec
from tests.support import BUNDLES, ROOT

EXIF = exif.serialise(exif.Exif(main={exif.ORIENTATION: tiff.Value(3, 1, b"\1\0")}))
PHOTO = ROOT / "examples" / "samples" / "roman_colosseum.webp"
RATE_WEIGHT = 0.5
"""What was usual when the files were made."""
HOME = Path(__file__).parent / "golden"


def main() -> None:
    """Three qualities of a photograph, grey, two tiles, 10 bits, and one with everything beside the pixels."""
    codec = Codec.load(BUNDLES / "codec")
    photo = read(PHOTO).with_(metadata=Metadata())
    HOME.mkdir(exist_ok=True)
    for quality in (5, 40, 90):
        (HOME / f"colosseum-{quality:02d}.latent").write_bytes(
            codec.encode(photo, quality, rate_weight=RATE_WEIGHT).data
        )
    part = photo.pixels[:90, :150]
    others = {
        "grey": Picture(part[..., :1]),
        "ten": Picture(part[:33, :40].astype(np.uint16) * 256 + part[40:73, :40], bits=10),
        "tiles": Picture(np.concatenate([photo.pixels[100:140], photo.pixels[200:240]], axis=1)),
        "everything": Picture(
            part.astype(np.uint16) * 257,
            np.add.outer(700 * np.arange(90), 300 * np.arange(150)).astype(np.uint16)[..., None],
            Metadata(icc=b"icc", exif=EXIF, xmp=b"<x/>", dpi=(72.0, 72.0)),
        ),
    }
    for name, picture in others.items():
        (HOME / f"{name}.latent").write_bytes(codec.encode(picture, 40, rate_weight=RATE_WEIGHT).data)


if __name__ == "__main__":
    main()
