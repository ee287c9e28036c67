"""Name → bundle: shipped with the package, in SAFELIGHT_MODELS, or a path."""

import os
from pathlib import Path

from safelight.bundle.bundle import AnyBundle, Bundle, is_of_images, open_bundle, restores
from safelight.bundle.card import Card, ImageCard
from safelight.errors import BundleError

SHIPPED = Path(__file__).parent / "shipped"


def available() -> dict[str, Path]:
    """Names that need no path: shipped bundles, and those in the folder that SAFELIGHT_MODELS names."""
    folders = [SHIPPED, *(Path(p) for p in os.environ.get("SAFELIGHT_MODELS", "").split(os.pathsep) if p)]
    found = (path for folder in folders if folder.is_dir() for path in sorted(folder.iterdir()))
    return {
        path.stem if path.suffix == ".zip" else path.name: path
        for path in found
        if path.suffix == ".zip" or (path / "card.json").is_file()
    }


def find_bundle(model: str) -> AnyBundle:
    """The verified bundle of that name, or at that path. Raises BundleError."""
    names = available()
    if model in names:
        return open_bundle(names[model])
    path = Path(model)
    if not os.path.exists(path):
        raise BundleError(f"model '{model}' is not known; use one of: {', '.join(names) or 'none'}, or a bundle's path")
    return open_bundle(path)


def find_restorer(model: str) -> Bundle[Card]:
    """The same, if it restores. Raises BundleError."""
    bundle = find_bundle(model)
    if restores(bundle):
        return bundle
    raise BundleError(f"model '{model}' is of a set of pictures and restores none; use generate, or another model")


def find_image_model(model: str) -> Bundle[ImageCard]:
    """The same, if it is of a set of pictures. Raises BundleError."""
    bundle = find_bundle(model)
    if is_of_images(bundle):
        return bundle
    raise BundleError(f"model '{model}' restores photographs; train one of your pictures: docs/data-sets.md")
