"""What a VAE can teach a classifier of pictures that have no labels: their latents, to be told from its own features.

Features that tell where a picture lies among all others are of use for its class, too, and a VAE knows that without a
label. (Kingma et al., "Semi-supervised learning with deep generative models", NIPS 2014, M1, classify by the latents
themselves; here they are told beside the class, so that the classifier keeps what classic operations teach it.)
"""

import numpy as np
from numpy.typing import NDArray

from safelight.runtime.images.vae import Vae

MOST_PLACES = 64
"""Of a rung whose latents are told place by place."""
BOUND = 4.0
"""In standard deviations: no picture teaches more than this."""
Lesson = NDArray[np.float32]
"""(N, D): numbers of N pictures, standardised over them."""


def lessons(vae: Vae, pixels: NDArray[np.uint8]) -> tuple[Lesson, ...]:
    """Of (N, H, W, C), from the posteriors' means: the average and log spread over places of every latent channel; and,
    if there are any, the latents of the coarser rungs, place by place.
    """
    overall, placed = [], []
    for rung in vae.encode(pixels):
        overall.append(rung.mean(axis=(2, 3)))
        places = rung.shape[2] * rung.shape[3]
        if places > 1:
            overall.append(np.log(rung.std(axis=(2, 3)) + 1e-3))
        if 1 < places <= MOST_PLACES:
            placed.append(rung.reshape(len(rung), -1))
    return tuple(_standardised(np.concatenate(parts, axis=1)) for parts in (overall, placed) if parts)


def _standardised(values: Lesson) -> Lesson:
    spread = values.std(axis=0) + 1e-6
    bounded: Lesson = np.clip((values - values.mean(axis=0)) / spread, -BOUND, BOUND).astype(np.float32)
    return bounded
