"""LPIPS (alex), version 0.1: a perceptual distance between two pictures, for the benchmarks beside it.

    python benchmarks/lpips.py a.png b.png [--weights ../shared/data/lpips/alexnet_lpips.npz]

    picture -> scaling -> [conv, ReLU] x 5 -> unit vector per place -> squared difference -> weights per channel
                            (a tap each)                                                   -> mean over places, sum

Zhang, Isola, Efros, Shechtman & Wang, "The unreasonable effectiveness of deep features as a perceptual metric",
CVPR 2018; network and constants as in github.com/richzhang/PerceptualSimilarity (BSD). Needs the `train` extra.
"""

import argparse
from pathlib import Path

import numpy as np
import torch
from sets import DATA
from torch.nn import functional as F

import safelight

WEIGHTS = DATA / "lpips" / "alexnet_lpips.npz"
STRIDES, PADDINGS, POOL_BEFORE = (4, 1, 1, 1, 1), (2, 2, 1, 1, 1), (1, 2)
SHIFT, SCALE = (-0.030, -0.088, -0.188), (0.458, 0.448, 0.450)
SMALLEST_PX = 31  # below it the second pool has nothing left


class Lpips:
    """The distance as a function of two pictures: no unit, 0 for equal ones; higher is further apart."""

    def __init__(self, weights: Path = WEIGHTS) -> None:
        if not weights.is_file():
            raise SystemExit(f"{weights}: no weights of LPIPS there; set SAFELIGHT_DATA to the folder with lpips/")
        with np.load(weights) as arrays:
            stored = {name: torch.from_numpy(arrays[name]) for name in arrays.files}
        layers = [f"AlexNet_0/Conv_{i}" for i in range(5)]
        self.kernels = [stored[f"{name}/kernel"].permute(3, 2, 0, 1).contiguous() for name in layers]  # (out, in, H, W)
        self.biases = [stored[f"{name}/bias"] for name in layers]
        self.heads = [stored[f"NetLinLayer_{i}/Conv_0/kernel"].reshape(-1, 1, 1) for i in range(5)]  # (C, 1, 1)

    @torch.inference_mode()
    def __call__(self, a: np.ndarray, b: np.ndarray) -> float:
        """Distance of two pictures (H, W, 3) float32 in [0, 1] of one size; not clipped here."""
        if a.shape != b.shape or min(a.shape[:2]) < SMALLEST_PX:
            raise ValueError(
                f"{a.shape} and {b.shape}: LPIPS needs one size, of at least {SMALLEST_PX} px; crop or pad"
            )
        distance = 0.0
        for head, tap_a, tap_b in zip(self.heads, self.taps(a), self.taps(b), strict=True):
            distance += float((head * (unit(tap_a) - unit(tap_b)) ** 2).sum(1).mean())
        return distance

    def taps(self, pixels: np.ndarray) -> list[torch.Tensor]:
        """What each ReLU of AlexNet gives, (1, C, h, w)."""
        x = scaled(pixels)
        taps = []
        for i, (kernel, bias) in enumerate(zip(self.kernels, self.biases, strict=True)):
            x = F.max_pool2d(x, 3, 2) if i in POOL_BEFORE else x
            x = F.relu(F.conv2d(x, kernel, bias, STRIDES[i], PADDINGS[i]))
            taps.append(x)
        return taps


def scaled(pixels: np.ndarray) -> torch.Tensor:
    """(H, W, 3) in [0, 1] as the network wants it, (1, 3, H, W)."""
    x = (2 * pixels.astype(np.float32) - 1 - np.float32(SHIFT)) / np.float32(SCALE)
    return torch.from_numpy(np.ascontiguousarray(x.transpose(2, 0, 1)))[None]


def unit(tap: torch.Tensor) -> torch.Tensor:
    """Divided by its length over channels."""
    return tap / (tap.square().sum(1, keepdim=True).sqrt() + 1e-10)


def main() -> None:
    """Print the distance of two files."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("pictures", type=Path, nargs=2)
    parser.add_argument("--weights", type=Path, default=WEIGHTS)
    ask = parser.parse_args()
    a, b = (safelight.read(path).as_float() for path in ask.pictures)
    print(f"{Lpips(ask.weights)(a, b):.4f}")


if __name__ == "__main__":
    main()
