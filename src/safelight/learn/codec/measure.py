"""What a finished codec is worth on held-out pictures, by the bytes of whole files."""

import math

from safelight.bundle import Bundle
from safelight.bundle.codec import CodecCard
from safelight.learn.codec.validate import ANCHORS, largest_scale
from safelight.learn.store import PixelStore
from safelight.metrics import bd_rate
from safelight.runtime.codec.codec import Codec
from safelight.runtime.codec.curves import BETWEEN_DB, by_codec, by_format, rate_curve

QUALITIES = (5, 15, 25, 35, 45, 55, 65, 75, 85, 95)


def measure(bundle: Bundle[CodecCard], store: PixelStore) -> dict[str, float]:
    """BD-rate in percent between 25 and 38 dB, against JPEG (optimised) and WebP; rate and PSNR at some qualities."""
    pictures = largest_scale(store)
    curve = rate_curve(by_codec(Codec.load(bundle.folder)), pictures, QUALITIES)
    scores = {}
    for kind, qualities in ANCHORS.items():
        percent = 100 * bd_rate(curve, rate_curve(by_format(kind), pictures, qualities), BETWEEN_DB)
        if math.isfinite(percent):  # not so for a codec that reaches no quality of the format
            scores[f"val_bd_rate_{kind}_percent"] = round(percent, 2)
    for quality, (rate, psnr) in zip(QUALITIES, curve, strict=True):
        scores |= {f"val_bpp_q{quality}": round(rate, 4), f"val_psnr_db_q{quality}": round(psnr, 2)}
    return scores
