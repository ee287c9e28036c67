"""A set of discs, squares and rings, and a recipe that learns it in seconds."""

from pathlib import Path

import numpy as np

from safelight.picture import Picture, write

CLASSES = ("square", "disc", "ring")
"""By label."""
RECIPE = """
task = "images"
name = "blobs"
validate_every = 20
log_every = 5
[card]
summary = "a test"
data_licences = "CC0"
[data]
validation_share = 0.2
test_share = 0.2
[model]
widths = [8, 16]
latents = [0, 2]
blocks = [1, 1]
[[stages]]
steps = 40
batch = 8
warmup_steps = 5
learning_rate = 3e-3
"""


def blobs(count: int, seed: int, classes: int = 2) -> tuple[np.ndarray, np.ndarray]:
    """(N, 16, 16, 1) of uint8: one bright shape somewhere in each picture; and which of the first `classes` it is."""
    rng = np.random.default_rng(seed)
    rows, columns = np.mgrid[:16, :16]
    labels = np.arange(count) % classes
    pictures = []
    for label in labels:
        row, column, size = *rng.uniform(5, 11, 2), rng.uniform(2, 4)
        distance = np.hypot(rows - row, columns - column)
        square = np.maximum(abs(rows - row), abs(columns - column))
        beyond = (square - size, distance - size, abs(distance - size) - 0.7)[label]
        pictures.append(255 / (1 + np.exp(2 * beyond)))
    return np.rint(pictures).astype(np.uint8)[..., None], labels


def write_blobs(folder: Path, count: int, seed: int = 0, classes: int = 2) -> Path:
    """The same as a folder: one sub-folder for each class; returns `folder`."""
    for k, (pixels, label) in enumerate(zip(*blobs(count, seed, classes), strict=True)):
        place = folder / CLASSES[label]
        place.mkdir(parents=True, exist_ok=True)
        write(Picture(pixels), place / f"{k}.png")
    return folder
