"""One way to random numbers: counter-based generators keyed by identity.

A draw depends on *what* it is for (seed, item, copy, ...) and on nothing else: not on the number of
workers, not on their order, not on what was drawn before. Philox: Salmon et al., "Parallel random
numbers: as easy as 1, 2, 3", SC 2011.
"""

import hashlib
import operator

import numpy as np


def key(seed: int, *identity: int | str) -> tuple[int, int]:
    """128 bits that name a stream; equal arguments give equal keys on every machine."""
    plain = (word if isinstance(word, str) else operator.index(word) for word in identity)
    words = repr((int(seed), *plain)).encode()
    digest = hashlib.blake2b(words, digest_size=16).digest()
    return int.from_bytes(digest[:8], "little"), int.from_bytes(digest[8:], "little")


def generator(seed: int, *identity: int | str) -> np.random.Generator:
    """A fresh generator for the stream named by `seed` and `identity`."""
    return np.random.Generator(np.random.Philox(key=np.array(key(seed, *identity), dtype=np.uint64)))
