"""Use a bundle: sessions, tiles, and the pictures that come out."""

from safelight.runtime.enhance import Enhanced, Model
from safelight.runtime.machine import cores
from safelight.runtime.models import load, load_restorer
from safelight.runtime.plausible import check_plausible
from safelight.runtime.session import Device, Session
from safelight.runtime.vae import Vae

__all__ = ["Device", "Enhanced", "Model", "Session", "Vae", "check_plausible", "cores", "load", "load_restorer"]
