"""Bias of restored pictures by the true brightness, for noise that is clipped and for noise that is not.

    python benchmarks/brightness.py [--data ../shared/data]

Middles of twelve Kodak pictures in grey, noise of 10 and 25/255. Prints for each range of brightness the mean of the
restored minus the true values, in 1/255, and the error over the predicted one. Needs the `dev` extra; two minutes.
"""

import argparse
import itertools
from pathlib import Path

import numpy as np
from codec import kodak
from sets import DATA

import safelight

EDGES = (0, 0.02, 0.04, 0.1, 0.5, 0.9, 1)
OFFSET = 0.2
"""Of white, below and above, where nothing is clipped."""
PICTURES = 12


def main() -> None:
    """A line for each range."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=DATA)
    restorer = safelight.Restorer.load("photo")
    cut = [pixels[128:384, 256:512] for pixels in list(kodak(parser.parse_args().data).values())[:PICTURES]]
    clean = [pixels.mean(axis=2, keepdims=True) / 255 for pixels in cut]
    for sigma in (10, 25):
        for offset in (0.0, OFFSET):
            print(f"noise {sigma}/255, {'not clipped' if offset else 'clipped'}")
            found = [restored(restorer, picture, sigma, offset=offset, seed=k) for k, picture in enumerate(clean)]
            errors = np.concatenate([(mean - true).ravel() for (mean, _), true in zip(found, clean, strict=True)])
            predicted = np.concatenate([std.ravel() for _, std in found])
            places = np.digitize(np.concatenate([true.ravel() for true in clean]), EDGES)
            for k, (low, high) in enumerate(itertools.pairwise(EDGES), 1):
                own, expected = errors[places == k], predicted[places == k]
                ratio = np.sqrt(np.mean(own**2) / np.mean(expected**2))
                print(
                    f"  {low:.0%} to {high:.0%} of white: {255 * own.mean():+.2f}/255, error {ratio:.2f} of predicted"
                )


def restored(
    restorer: safelight.Restorer, clean: np.ndarray, sigma: float, offset: float, seed: int
) -> tuple[np.ndarray, np.ndarray]:
    """Mean and standard deviation, of white, by way of 16 bits."""
    noisy = clean + np.random.default_rng(seed).normal(0, sigma / 255, clean.shape)
    width = 1 + 2 * offset
    whole = np.rint(65535 * ((noisy + offset) / width).clip(0, 1)).astype(np.uint16)
    out = restorer.enhance(safelight.Picture(whole))
    assert out.std is not None
    return out.mean.pixels / 65535 * width - offset, out.std * width


if __name__ == "__main__":
    main()
