"""Where the benchmark sets lie, and their pictures."""

import os
from collections.abc import Iterator
from pathlib import Path

import numpy as np

import safelight

ROOT = Path(__file__).parent.parent
SHARED = ROOT.parent / "shared"
DATA = Path(os.environ.get("SAFELIGHT_DATA", SHARED / "data"))


def pictures(folder: Path) -> Iterator[tuple[str, np.ndarray]]:
    """Name and pixels of every picture of a set, (H, W, 3) float32 in [0, 1]."""
    for path in sorted(folder.glob("*.webp")):
        yield path.stem, safelight.read(path).as_float()
