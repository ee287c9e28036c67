"""Safelight: variational autoencoders that restore photographs and learn sets of pictures, and say how sure they are.

import safelight
model = safelight.load("photo")
out = model.enhance(safelight.read("a.tif"), samples=8, seed=7)
out.mean, out.std, out.samples, out.interval(0.9)
safelight.write(out.mean, "a_restored.tif")

run = safelight.fit("recipes/dataset.toml", data="flowers/")
vae = safelight.load(str(run.bundle))
vae.encode(x), vae.decode(z), vae.perturb(x, temperature=0.5), vae.sample(64), vae.elbo(x)

aug = safelight.Augment.load("recipes/augment.toml")
aug(image=x, mask=m, bboxes=b, seed=("set", 17))
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

if TYPE_CHECKING:
    from safelight.augment import Augment, AugmentedSet
    from safelight.errors import SafelightError
    from safelight.learn.fit import fit
    from safelight.picture import Picture, read, write
    from safelight.runtime import Enhanced, Model, Vae, load

_HOMES = {
    "Augment": "safelight.augment",
    "AugmentedSet": "safelight.augment",
    "Enhanced": "safelight.runtime",
    "Model": "safelight.runtime",
    "Picture": "safelight.picture",
    "SafelightError": "safelight.errors",
    "Vae": "safelight.runtime",
    "fit": "safelight.learn.fit",
    "load": "safelight.runtime",
    "read": "safelight.picture",
    "write": "safelight.picture",
}
__all__ = [
    "Augment",
    "AugmentedSet",
    "Enhanced",
    "Model",
    "Picture",
    "SafelightError",
    "Vae",
    "__version__",
    "fit",
    "load",
    "read",
    "write",
]


def __dir__() -> list[str]:
    return __all__


def __getattr__(name: str) -> Any:
    """Import what is asked for only when it is asked for: the command line must start at once."""
    if name in _HOMES:
        return getattr(import_module(_HOMES[name]), name)
    raise AttributeError(f"module 'safelight' has no attribute '{name}'")
