"""A name or a path → a model that is ready to run."""

from safelight.bundle import find_bundle, find_restorer, is_of_images, restores
from safelight.runtime.enhance import Model
from safelight.runtime.session import Device, Precision, Session
from safelight.runtime.vae import Vae


def load(
    model: str = "photo", device: Device = "auto", threads: int | None = None, precision: Precision = "auto"
) -> Model | Vae:
    """One that restores, or a VAE of a set of pictures, as the bundle has it; `precision` is for the former.

    See `bundle.find_bundle` for names, and `Session` for the choices and the errors.
    """
    bundle = find_bundle(model)
    if restores(bundle):
        return Model(Session(bundle, device, threads, precision))
    assert is_of_images(bundle)
    return Vae(bundle, device, threads)


def load_restorer(
    model: str = "photo", device: Device = "auto", threads: int | None = None, precision: Precision = "auto"
) -> Model:
    """The same, for what must restore. Raises BundleError for other models."""
    return Model(Session(find_restorer(model), device, threads, precision))
