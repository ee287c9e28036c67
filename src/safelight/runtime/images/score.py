"""What draws from the posterior say of pictures."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float32]


class Score(NamedTuple):
    """What single draws say of pictures, in nats per picture: (K, N) for K draws."""

    log_prob_nats: Array
    """log p(x | z)"""
    rate_nats: tuple[Array, ...]
    """KL(q ‖ p) of each rung, fine to coarse."""
    log_weight_nats: Array
    """log p(x | z) p(z) / q(z)"""

    @property
    def elbo_nats(self) -> Array:
        """(N,): the average over draws of a lower bound of log p(x)."""
        bound: Array = (self.log_prob_nats - sum(self.rate_nats)).mean(axis=0)
        return bound

    @property
    def log_likelihood_nats(self) -> Array:
        """(N,): the importance-weighted bound of all draws, tight for many (Burda et al., ICLR 2016)."""
        weights = self.log_weight_nats.astype(np.float64)
        top = weights.max(axis=0)
        bound: Array = (top + np.log(np.exp(weights - top).mean(axis=0))).astype(np.float32)
        return bound
