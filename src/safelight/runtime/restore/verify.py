"""Whether a restorer's graphs run: each of them once, on a black picture."""

import numpy as np

from safelight.bundle import Bundle, RestorerCard
from safelight.picture import Picture
from safelight.runtime.restore.networks import RestorerNetworks
from safelight.runtime.restore.restorer import Restorer

SIDE_PX = 64


def run_every_graph(bundle: Bundle[RestorerCard]) -> None:
    """Raises BundleError for a graph that does not run."""
    Restorer(RestorerNetworks(bundle)).enhance(Picture(np.zeros((2 * SIDE_PX, 2 * SIDE_PX, 3), np.uint8)))
    floats = RestorerNetworks(bundle, "cpu", precision="fp32")
    integers = RestorerNetworks(bundle, "cpu", precision="int8")
    black = np.zeros((1, 3, SIDE_PX, SIDE_PX), np.float32)
    sides = [(given.channels, SIDE_PX // given.stride_px) for given in bundle.card.noise_inputs]
    noise = [np.zeros((1, channels, side, side), np.float32) for channels, side in sides]
    for expert in bundle.card.experts:
        integers.estimate(expert, black, scale=False)
        floats.draw(floats.estimate(expert, black), np.float32(1), noise, 1.0)
