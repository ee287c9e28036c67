"""What a VAE can teach a classifier of unlabelled pictures: to predict their latents from its own features.

Features that tell where a picture lies among all others are of use for its class, too. A VAE knows that place without
a label. (Kingma et al., "Semi-supervised learning with deep generative models", NIPS 2014, M1, classify by the latents
themselves. Here the classifier predicts them beside the class, and keeps what classic operations teach it.)
"""

import numpy as np
from numpy.typing import NDArray

from safelight.downstream.arms import Lesson
from safelight.runtime.images.vae import Vae

MOST_POSITIONS = 64
"""Of a rung whose latents are predicted position by position."""
BOUND = 4.0
"""In standard deviations: no picture teaches more than this."""


def lessons(vae: Vae, pixels: NDArray[np.uint8]) -> tuple[Lesson, ...]:
    """Of (N, H, W, C), from the posteriors' means: the average and log spread over positions of every latent channel;
    and, if there are any, the latents of the coarser rungs, position by position.
    """
    overall, by_position = [], []
    for rung in vae.encode(pixels):
        overall.append(rung.mean(axis=(2, 3)))
        positions = rung.shape[2] * rung.shape[3]
        if positions > 1:
            overall.append(np.log(rung.std(axis=(2, 3)) + 1e-3))
        if 1 < positions <= MOST_POSITIONS:
            by_position.append(rung.reshape(len(rung), -1))
    return tuple(_standardised(np.concatenate(parts, axis=1)) for parts in (overall, by_position) if parts)


def _standardised(values: Lesson) -> Lesson:
    spread = values.std(axis=0) + 1e-6
    bounded: Lesson = np.clip((values - values.mean(axis=0)) / spread, -BOUND, BOUND).astype(np.float32)
    return bounded
