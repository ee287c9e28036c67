"""Bundles of VAEs of a set of pictures: their card, and where the set's pictures lie in latent space."""

from safelight.bundle.card import BundleTask
from safelight.bundle.images.aggregate import AggregatePosterior
from safelight.bundle.images.card import CLASSIFIER_ACCURACY, SCHEMA, Split, VaeCard
from safelight.bundle.images.detail import DetailCard
from safelight.bundle.images.prior import PriorCard, PriorUnits

AGGREGATE, TRAINING_IDENTITIES = "latents.npz", "seen.npy"
ENCODE_GRAPH, DECODE_GRAPH, SCORE_GRAPH, FEATURES_GRAPH = "encode.onnx", "decode.onnx", "score.onnx", "features.onnx"
WEIGHTS = "weights.safetensors"
PRIOR_GRAPH, PRIOR_UNITS, DETAIL_GRAPH = "prior.onnx", "prior.npz", "detail.onnx"

TASK = BundleTask(
    card=VaeCard,
    schema=SCHEMA,
    files=("card.json", AGGREGATE, TRAINING_IDENTITIES, ENCODE_GRAPH, DECODE_GRAPH, SCORE_GRAPH, WEIGHTS),
    optional=(FEATURES_GRAPH, PRIOR_GRAPH, PRIOR_UNITS, DETAIL_GRAPH),
)

__all__ = [
    "AGGREGATE",
    "CLASSIFIER_ACCURACY",
    "DECODE_GRAPH",
    "DETAIL_GRAPH",
    "ENCODE_GRAPH",
    "FEATURES_GRAPH",
    "PRIOR_GRAPH",
    "PRIOR_UNITS",
    "SCORE_GRAPH",
    "TASK",
    "TRAINING_IDENTITIES",
    "WEIGHTS",
    "AggregatePosterior",
    "DetailCard",
    "PriorCard",
    "PriorUnits",
    "Split",
    "VaeCard",
]
