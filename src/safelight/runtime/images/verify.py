"""Whether the graphs of a VAE run: each of them once, on a sample of its own."""

from safelight.bundle import Bundle, VaeCard
from safelight.runtime.images.vae import Vae


def run_every_graph(bundle: Bundle[VaeCard]) -> None:
    """Raises BundleError for a graph that does not run."""
    vae = Vae(bundle)
    labels = [0] if vae.card.conditional else None
    for sampler in vae.samplers:
        x = vae.sample(1, labels, sampler=sampler).round()
    vae.with_detail(vae.reconstruct(x, labels))
    vae.score(x, labels)
    if vae.has_classifier:
        vae.features(x)
