"""Safelight: variational autoencoders that restore photographs and learn sets of pictures, and say how sure they are.

import safelight
restorer = safelight.Restorer.load("photo")
restored = restorer.enhance(safelight.read("a.tif"), samples=8, seed=7)
restored.mean, restored.std, restored.samples, restored.interval(0.9)
safelight.write(restored.mean, "a_restored.tif")

run = safelight.train(safelight.TrainSettings(recipe="recipes/dataset.toml", data="flowers/"))
vae = safelight.Vae.load(run.bundle)
vae.encode(x), vae.decode(z), vae.perturb(x, temperature=0.5), vae.sample(64), vae.elbo(x)

codec = safelight.Codec.load("latent")
data = codec.compress(safelight.read("a.tif"), quality=50)
safelight.write(codec.decompress(data), "a.png")

augment = safelight.Augment.load("recipes/augment.toml")
augment(image=x, mask=m, bboxes=b, seed=("set", 17))

Every verb of the command line is a function of one record of settings: `enhance(EnhanceSettings(...))`, and so on.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

if TYPE_CHECKING:
    from safelight.augmentation import Augment, AugmentedSet
    from safelight.dataset import InspectReport
    from safelight.downstream.settings import VerdictSettings
    from safelight.downstream.verdict import VerdictReport, verdict
    from safelight.errors import SafelightError
    from safelight.jobs.augment.augment import augment
    from safelight.jobs.augment.settings import AugmentReport, AugmentSettings
    from safelight.jobs.compress.compress import compress
    from safelight.jobs.compress.decompress import decompress
    from safelight.jobs.compress.outcome import CompressReport, DecompressReport
    from safelight.jobs.compress.settings import CompressSettings, DecompressSettings
    from safelight.jobs.enhance.enhance import enhance
    from safelight.jobs.enhance.outcome import EnhanceReport
    from safelight.jobs.enhance.settings import EnhanceSettings
    from safelight.jobs.evaluate import EvaluateReport, EvaluateSettings, evaluate
    from safelight.jobs.generate.generate import generate
    from safelight.jobs.generate.settings import GenerateReport, GenerateSettings
    from safelight.jobs.inspect import InspectSettings, inspect
    from safelight.learn.settings import TrainReport, TrainSettings
    from safelight.learn.train import train
    from safelight.picture import Picture, read, read_pages, write
    from safelight.runtime.codec import Codec
    from safelight.runtime.images import Vae
    from safelight.runtime.restore import Restored, Restorer
    from safelight.work import Cancelled, Progress

_HOMES = {
    "Augment": "safelight.augmentation",
    "AugmentReport": "safelight.jobs.augment.settings",
    "AugmentSettings": "safelight.jobs.augment.settings",
    "AugmentedSet": "safelight.augmentation",
    "Cancelled": "safelight.work",
    "Codec": "safelight.runtime.codec",
    "CompressReport": "safelight.jobs.compress.outcome",
    "CompressSettings": "safelight.jobs.compress.settings",
    "DecompressReport": "safelight.jobs.compress.outcome",
    "DecompressSettings": "safelight.jobs.compress.settings",
    "EnhanceReport": "safelight.jobs.enhance.outcome",
    "EnhanceSettings": "safelight.jobs.enhance.settings",
    "EvaluateReport": "safelight.jobs.evaluate",
    "EvaluateSettings": "safelight.jobs.evaluate",
    "GenerateReport": "safelight.jobs.generate.settings",
    "GenerateSettings": "safelight.jobs.generate.settings",
    "InspectReport": "safelight.dataset",
    "InspectSettings": "safelight.jobs.inspect",
    "Picture": "safelight.picture",
    "Progress": "safelight.work",
    "Restored": "safelight.runtime.restore",
    "Restorer": "safelight.runtime.restore",
    "SafelightError": "safelight.errors",
    "TrainReport": "safelight.learn.settings",
    "TrainSettings": "safelight.learn.settings",
    "Vae": "safelight.runtime.images",
    "VerdictReport": "safelight.downstream.verdict",
    "VerdictSettings": "safelight.downstream.settings",
    "augment": "safelight.jobs.augment.augment",
    "compress": "safelight.jobs.compress.compress",
    "decompress": "safelight.jobs.compress.decompress",
    "enhance": "safelight.jobs.enhance.enhance",
    "evaluate": "safelight.jobs.evaluate",
    "generate": "safelight.jobs.generate.generate",
    "inspect": "safelight.jobs.inspect",
    "read": "safelight.picture",
    "read_pages": "safelight.picture",
    "train": "safelight.learn.train",
    "verdict": "safelight.downstream.verdict",
    "write": "safelight.picture",
}
"""Where each public name lives."""
__all__ = [
    "Augment",
    "AugmentReport",
    "AugmentSettings",
    "AugmentedSet",
    "Cancelled",
    "Codec",
    "CompressReport",
    "CompressSettings",
    "DecompressReport",
    "DecompressSettings",
    "EnhanceReport",
    "EnhanceSettings",
    "EvaluateReport",
    "EvaluateSettings",
    "GenerateReport",
    "GenerateSettings",
    "InspectReport",
    "InspectSettings",
    "Picture",
    "Progress",
    "Restored",
    "Restorer",
    "SafelightError",
    "TrainReport",
    "TrainSettings",
    "Vae",
    "VerdictReport",
    "VerdictSettings",
    "__version__",
    "augment",
    "compress",
    "decompress",
    "enhance",
    "evaluate",
    "generate",
    "inspect",
    "read",
    "read_pages",
    "train",
    "verdict",
    "write",
]


def __dir__() -> list[str]:
    return __all__


if not TYPE_CHECKING:  # type checkers know the names from above, and refuse others

    def __getattr__(name: str) -> Any:
        """Import what is asked for only when it is asked for: the command line must start at once."""
        if name in _HOMES:
            return getattr(import_module(_HOMES[name]), name)
        raise AttributeError(f"module 'safelight' has no attribute '{name}'")
