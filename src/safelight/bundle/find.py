"""Name → bundle: shipped with the package, in SAFELIGHT_MODELS, or a path."""

import os
from pathlib import Path

from safelight.bundle.bundle import Bundle, open_bundle
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


def find_bundle(model: str) -> Bundle:
    """The verified bundle of that name, or at that path. Raises BundleError."""
    names = available()
    if model in names:
        return open_bundle(names[model])
    path = Path(model)
    if not os.path.exists(path):
        raise BundleError(f"model '{model}' is not known; use one of: {', '.join(names) or 'none'}, or a bundle's path")
    return open_bundle(path)
