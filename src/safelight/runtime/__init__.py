"""Use a bundle: sessions, tiles, and the pictures that come out."""

from safelight.runtime.enhance import Enhanced, Model, load
from safelight.runtime.plausible import check_plausible
from safelight.runtime.session import Device, Session, cores

__all__ = ["Device", "Enhanced", "Model", "Session", "check_plausible", "cores", "load"]
