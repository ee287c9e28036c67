"""Names of the graphs' inputs and outputs. The learning side exports by them, and the pixel side runs by them.

Scales and rungs are counted from 1: scale k stands at 1/2^k of the picture's size. Number 0 is the picture itself.
"""

DEGRADED = "degraded"
SIGMA = "sigma_01"
SIGMA_UNKNOWN = -1.0
"""The value of `SIGMA` that means: the noise level is not known."""
MEAN = "mean"
SCALE = "scale"
TEMPERATURE = "temperature"
SAMPLE = "sample"

DETAIL = "detail"
"""On the way from noise to the detail of a picture."""

PIXELS = "x"
LABEL = "label"
TIME = "time"
"""Of a flow, 0 to 1."""
LOG_PROB = "log_prob"
LOG_WEIGHT = "log_weight"
FEATURES = "features"
LOGITS = "logits"


def feature(scale: int) -> str:
    """The trunk's features at a scale."""
    return f"feature_{scale}"


def noise(scale: int) -> str:
    """N(0, 1) of the rung at a scale; at 0 the likelihood's own."""
    return f"noise_{scale}"


def latent(rung: int) -> str:
    """A rung's latents, in units of their prior."""
    return f"latent_{rung}"


def std(rung: int) -> str:
    """The posterior's standard deviations at a rung."""
    return f"std_{rung}"


def velocity(rung: int) -> str:
    """Of a rung's latents, along the flow of the learned prior; at 0 of the detail, along its own."""
    return f"velocity_{rung}"


def rate(rung: int) -> str:
    """KL(q ‖ p) of a rung, in nats per picture."""
    return f"rate_{rung}"


def scales(count: int) -> range:
    """1 to `count`, fine to coarse."""
    return range(1, count + 1)
