"""Use a bundle: sessions, tiles, and the pictures that come out."""

from safelight.runtime.enhance import Enhanced, Model, load
from safelight.runtime.machine import cores
from safelight.runtime.plausible import check_plausible
from safelight.runtime.session import Device, Session

__all__ = ["Device", "Enhanced", "Model", "Session", "check_plausible", "cores", "load"]
