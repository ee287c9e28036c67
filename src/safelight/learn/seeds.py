"""Randomness of the learning side: torch generators keyed by identity, as `safelight.randomness` has them."""

import torch

from safelight import randomness
from safelight.learn.device import training_device


def torch_generator(seed: int, *identity: int | str) -> torch.Generator:
    """A fresh generator of the training device for the stream named by `seed` and `identity`."""
    word, _ = randomness.key(seed, *identity)
    return torch.Generator(training_device()).manual_seed(word >> 1)  # torch's seeds have 63 bits
