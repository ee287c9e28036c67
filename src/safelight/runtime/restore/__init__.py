"""Restore pictures with a bundle: networks, tiles, and the pictures that come out."""

from safelight.runtime.restore.networks import RestorerNetworks
from safelight.runtime.restore.plausible import check_plausible
from safelight.runtime.restore.restorer import Restored, Restorer
from safelight.runtime.restore.verify import run_every_graph

__all__ = ["Restored", "Restorer", "RestorerNetworks", "check_plausible", "run_every_graph"]
