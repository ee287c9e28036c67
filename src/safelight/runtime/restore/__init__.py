"""Restore pictures with a bundle: networks, tiles, and the pictures that come out."""

from safelight.runtime.restore.networks import RestorerNetworks
from safelight.runtime.restore.plausible import check_plausible
from safelight.runtime.restore.prepared import Prepared, Window
from safelight.runtime.restore.restored import Request, Restored
from safelight.runtime.restore.restorer import Restorer
from safelight.runtime.restore.verify import run_every_graph

__all__ = [
    "Prepared",
    "Request",
    "Restored",
    "Restorer",
    "RestorerNetworks",
    "Window",
    "check_plausible",
    "run_every_graph",
]
