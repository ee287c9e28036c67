"""Use a VAE of a set of pictures: encode, move in the latent space, decode, and measure."""

from safelight.runtime.images.score import Score
from safelight.runtime.images.vae import Vae
from safelight.runtime.images.verify import run_every_graph

__all__ = ["Score", "Vae", "run_every_graph"]
