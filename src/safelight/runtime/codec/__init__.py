"""Codecs at work."""

from safelight.runtime.codec.codec import Codec
from safelight.runtime.codec.verify import run_every_graph

__all__ = ["Codec", "run_every_graph"]
