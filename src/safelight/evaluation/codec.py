"""Rate and distortion of a codec beside the usual formats: curves, BD-rates, and crops at equal bytes."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from safelight.metrics import bd_rate, psnr_db, ssim
from safelight.picture.encode import Format, formats
from safelight.runtime.codec import Codec
from safelight.runtime.codec.curves import BETWEEN_DB, Encoder, Pixels, bits_per_pixel, by_codec, by_format
from safelight.work import OnProgress, Progress, silent

QUALITIES: dict[Format, tuple[int, ...]] = {
    "jpeg": (8, 15, 25, 35, 50, 65, 75, 85, 92, 96),
    "webp": (1, 5, 15, 30, 45, 60, 75, 84, 91, 96),
    "avif": (15, 25, 35, 45, 52, 60, 68, 76, 84, 91),
    "jxl": (2, 10, 20, 30, 45, 60, 75, 85, 92, 96),
    "jp2": (10, 17, 24, 31, 38, 45, 52, 59, 66, 73),
}
OWN_QUALITIES = (4, 12, 20, 28, 36, 44, 52, 60, 70, 80)
SSIM_SIDE_PX = 7
HIGHEST_QUALITY = 100
"""Of the codec, and of all formats."""
CROP_PX = 128
SHOWN_BPP = (0.15, 0.3, 0.6)
NAMES = {
    "jpeg": "JPEG (optimised)",
    "webp": "WebP (method 6)",
    "avif": "AVIF (speed 6, 4:4:4)",
    "jxl": "JPEG XL (effort 7)",
    "jp2": "JPEG 2000",
}


class Point(NamedTuple):
    """One quality, averaged over the pictures."""

    quality: int
    bits_per_pixel: float
    psnr_db: float
    ssim: float


@dataclass(frozen=True)
class RateDistortion:
    """What was measured."""

    curves: dict[str, list[Point]]
    """Name of the codec or format → its points, from small files to large ones."""
    crops: list[list[NDArray[np.uint8]]]
    """Rows of crops at equal bytes: the picture, then each codec in the order of the curves."""
    crop_titles: list[str]
    """What each row shows."""

    @property
    def numbers(self) -> dict[str, float]:
        """BD-rate in percent against each format, in PSNR between 25 and 38 dB; fewer bytes are negative."""
        own, *others = self.curves
        curve = [(point.bits_per_pixel, point.psnr_db) for point in self.curves[own]]
        rates = {}
        for name in others:
            anchor = [(point.bits_per_pixel, point.psnr_db) for point in self.curves[name]]
            rates[f"bd_rate_{name}_percent"] = 100 * bd_rate(curve, anchor, BETWEEN_DB)
        return rates


def measure_codec(
    codec: Codec, name: str, pictures: Sequence[Pixels], on_progress: OnProgress = silent
) -> RateDistortion:
    """Curves of a codec and of all formats, each point averaged over the pictures; and crops at equal bytes."""
    coders: dict[str, tuple[Encoder, Sequence[int]]] = {name: (by_codec(codec), OWN_QUALITIES)}
    coders |= {kind: (by_format(kind), QUALITIES[kind]) for kind in formats()}
    total, done = len(coders) * len(OWN_QUALITIES), 0
    curves: dict[str, list[Point]] = {}
    for label, (encoder, qualities) in coders.items():
        curves[label] = []
        for quality in qualities:
            on_progress(Progress(done, total, f"{label}, quality {quality}"))
            curves[label].append(_point(encoder, quality, pictures))
            done += 1
    on_progress(Progress(total, total, "crops"))
    encoders = {label: encoder for label, (encoder, _) in coders.items()}
    rows = list(_rows(encoders, pictures))
    return RateDistortion(curves, [row for _, row in rows], [title for title, _ in rows])


def _point(encoder: Encoder, quality: int, pictures: Sequence[Pixels]) -> Point:
    rates, errors, likenesses = [], [], []
    for pixels in pictures:
        data, decoded = encoder(pixels, quality)
        rates.append(bits_per_pixel(data, pixels))
        errors.append(psnr_db(decoded / 255, pixels / 255))
        likenesses.append(ssim(decoded / 255, pixels / 255) if min(pixels.shape[:2]) >= SSIM_SIDE_PX else np.nan)
    return Point(quality, *(float(np.mean(values)) for values in (rates, errors, likenesses)))


def _rows(encoders: dict[str, Encoder], pictures: Sequence[Pixels]) -> Iterator[tuple[str, list[Pixels]]]:
    """For the first, the middle and the last picture by name, at three rates: the crop with the most detail."""
    for k in sorted({0, len(pictures) // 2, len(pictures) - 1}):
        pixels = pictures[k]
        window = most_detailed(pixels)
        for rate in SHOWN_BPP:
            decoded = [at_rate(encoder, pixels, rate)[1][window] for encoder in encoders.values()]
            yield (
                f"picture {k + 1}, {rate:g} bits per pixel: original, {', '.join(encoders)}",
                [pixels[window], *decoded],
            )


def most_detailed(pixels: Pixels) -> tuple[slice, slice]:
    """The window of 128 px, on a grid of 64, whose neighbours differ most."""
    green = pixels[..., min(1, pixels.shape[2] - 1)].astype(np.int32)
    height, width = green.shape
    change = np.abs(np.diff(green, axis=1, append=green[:, -1:])) + np.abs(np.diff(green, axis=0, append=green[-1:]))
    tops, lefts = (range(0, max(1, side - CROP_PX + 1), CROP_PX // 2) for side in (height, width))
    windows = [np.s_[top : top + CROP_PX, left : left + CROP_PX] for top in tops for left in lefts]
    best: tuple[slice, slice] = max(windows, key=lambda window: int(change[window].sum()))
    return best


def at_rate(encoder: Encoder, pixels: Pixels, rate: float) -> tuple[bytes, Pixels]:
    """The largest file of at most so many bits per pixel; the smallest one if there is none."""
    low, high = 1, HIGHEST_QUALITY + 1
    best = encoder(pixels, low)
    while high - low > 1:
        middle = (low + high) // 2
        made = encoder(pixels, middle)
        if bits_per_pixel(made[0], pixels) <= rate:
            low, best = middle, made
        else:
            high = middle
    return best
