"""Randomness of the learning side: torch generators keyed by identity, as `safelight.randomness` has them."""

import torch

from safelight import randomness


def torch_generator(seed: int, *identity: int | str) -> torch.Generator:
    """A fresh generator for the stream named by `seed` and `identity`."""
    word, _ = randomness.key(seed, *identity)
    return torch.Generator().manual_seed(word >> 1)  # torch's seeds have 63 bits
