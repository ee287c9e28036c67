"""A set of discs and squares, and a recipe that learns it in seconds."""

import numpy as np

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


def blobs(count: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """(N, 16, 16, 1) of uint8: a bright disc (class 1) or square (class 0) somewhere, and which it is."""
    rng = np.random.default_rng(seed)
    rows, columns = np.mgrid[:16, :16]
    labels = np.arange(count) % 2
    pictures = []
    for label in labels:
        row, column, size = *rng.uniform(5, 11, 2), rng.uniform(2, 4)
        far = np.hypot(rows - row, columns - column) if label else np.maximum(abs(rows - row), abs(columns - column))
        pictures.append(255 / (1 + np.exp(2 * (far - size))))
    return np.rint(pictures).astype(np.uint8)[..., None], labels
