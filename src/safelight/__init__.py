"""Safelight: variational autoencoders that restore photographs and learn sets of pictures, and say how sure they are.

import safelight
restorer = safelight.Restorer.load("photo")
restored = restorer.enhance(safelight.read("a.tif"), samples=8, seed=7)
restored.mean, restored.std, restored.samples, restored.interval(0.9)
safelight.write(restored.mean, "a_restored.tif")

run = safelight.train(safelight.TrainSettings(recipe="recipes/dataset.toml", data="flowers/"))
vae = safelight.Vae.load(run.bundle)
vae.encode(x), vae.decode(z), vae.perturb(x, temperature=0.5), vae.sample(64), vae.elbo(x)

augment = safelight.Augment.load("recipes/augment.toml")
augment(image=x, mask=m, bboxes=b, seed=("set", 17))

Every verb of the command line is a function of one record of settings: `enhance(EnhanceSettings(...))`, and so on.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

if TYPE_CHECKING:
    from safelight.augment import Augment, AugmentedSet
    from safelight.errors import SafelightError
    from safelight.picture import Picture, read, write
    from safelight.runtime.images import Vae
    from safelight.runtime.restore import Restored, Restorer

_HOMES = {
    "Augment": "safelight.augment",
    "AugmentedSet": "safelight.augment",
    "Picture": "safelight.picture",
    "Restored": "safelight.runtime.restore",
    "Restorer": "safelight.runtime.restore",
    "SafelightError": "safelight.errors",
    "Vae": "safelight.runtime.images",
    "read": "safelight.picture",
    "write": "safelight.picture",
}
__all__ = [
    "Augment",
    "AugmentedSet",
    "Picture",
    "Restored",
    "Restorer",
    "SafelightError",
    "Vae",
    "__version__",
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
