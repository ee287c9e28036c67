"""How a codec is doing on pictures that it never trains on, beside WebP, by the rates that its model states."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from safelight.ladder.codec import HYPER_PX, CodecNet
from safelight.learn.device import training_device
from safelight.learn.store import PixelStore
from safelight.metrics import bd_rate, psnr_db
from safelight.picture.encode import Format
from safelight.picture.sheet import save_rows
from safelight.runtime.codec.curves import Curve, Pixels, by_format, rate_curve

PICTURES = 8
SIDE_PX = 512
ANCHORS: dict[Format, tuple[int, ...]] = {"jpeg": (10, 20, 35, 50, 70, 85, 93), "webp": (5, 20, 40, 60, 75, 85, 93)}
PREVIEW_LEVEL = 2.0


@dataclass(frozen=True)
class Held:
    """Held-out pictures, and what the usual formats make of them."""

    pictures: list[Pixels]
    anchors: dict[Format, Curve]

    @staticmethod
    def of(store: PixelStore) -> "Held":
        """The largest scale of some pictures, each cut to the centre of at most 512 px a side."""
        pictures = [np.ascontiguousarray(_centre(picture)) for picture in largest_scale(store)[:PICTURES]]
        return Held(
            pictures, {kind: rate_curve(by_format(kind), pictures, qualities) for kind, qualities in ANCHORS.items()}
        )


def largest_scale(store: PixelStore) -> list[Pixels]:
    """Every picture at the first of its scales."""
    return [store.pixels(picture.entries[0]) for picture in store.each()]


@torch.inference_mode()
def validate(model: CodecNet, held: Held) -> dict[str, float]:
    """BD-rate against JPEG and WebP, in percent, from the levels between the outermost."""
    curve = [model_point(model, held.pictures, float(level)) for level in range(model.levels)]
    scores = {f"val_bd_rate_{name}_percent": 100 * bd_rate(curve, anchor) for name, anchor in held.anchors.items()}
    for level, (rate, quality) in enumerate(curve):
        scores |= {f"val_bpp_{level}": rate, f"val_psnr_db_{level}": quality}
    return scores


@torch.inference_mode()
def write_preview(model: CodecNet, held: Held, path: Path) -> None:
    """Held-out pictures beside what a low level makes of them."""
    rows = []
    for number, picture in enumerate(held.pictures[:3]):
        x = _tensor(picture)[..., :256, :256]
        decoded = model(x, torch.tensor([PREVIEW_LEVEL])).picture
        pair = torch.cat([x, decoded]).permute(0, 2, 3, 1).cpu().numpy()
        rows.append(("" if number else f"Held-out pictures, and decoded at level {PREVIEW_LEVEL:g}", pair))
    save_rows(rows, path)


@torch.inference_mode()
def model_point(model: CodecNet, pictures: list[Pixels], level: float) -> tuple[float, float]:
    """Bits per pixel that the network states, and PSNR in dB of rounded pixels, averaged over the pictures."""
    rates, qualities = [], []
    for picture in pictures:
        out = model(_tensor(picture), torch.tensor([level]))
        decoded = out.picture[0].permute(1, 2, 0).clamp(0, 1).mul(255).round().cpu().numpy() / 255
        rates.append(float(out.bits.sum()) / picture[..., 0].size)
        qualities.append(psnr_db(decoded, picture / 255))
    return float(np.mean(rates)), float(np.mean(qualities))


def _centre(pixels: Pixels) -> Pixels:
    """At most 512 px a side, in multiples of 64."""
    height, width = (min(SIDE_PX, side // HYPER_PX * HYPER_PX) for side in pixels.shape[:2])
    top, left = (pixels.shape[0] - height) // 2, (pixels.shape[1] - width) // 2
    return pixels[top : top + height, left : left + width]


def _tensor(pixels: Pixels) -> Tensor:
    x = torch.from_numpy(pixels.transpose(2, 0, 1)[None].astype(np.float32) / np.float32(255))
    return x.to(training_device())
