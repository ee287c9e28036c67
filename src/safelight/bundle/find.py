"""Name → bundle: shipped with the package, in a folder that SAFELIGHT_MODELS names, or a path."""

import os
from pathlib import Path
from typing import TypeVar

from safelight.bundle.bundle import FIRST_TASK, Bundle, open_bundle, unverified_card
from safelight.bundle.card import Card
from safelight.bundle.tasks import TASKS
from safelight.errors import BundleError

SHIPPED = Path(__file__).parent / "shipped"
CardT = TypeVar("CardT", bound=Card)


def available() -> dict[str, Path]:
    """Names that need no path: shipped bundles, and those in the folders that SAFELIGHT_MODELS names."""
    folders = [SHIPPED, *(Path(p) for p in os.environ.get("SAFELIGHT_MODELS", "").split(os.pathsep) if p)]
    paths = (path for folder in folders if folder.is_dir() for path in sorted(folder.iterdir()))
    return {
        path.stem if path.suffix == ".zip" else path.name: path
        for path in paths
        if path.suffix == ".zip" or (path / "card.json").is_file()
    }


def find_bundle(model: str | Path, card: type[CardT]) -> Bundle[CardT]:
    """The verified bundle of that name or at that path. Raises BundleError, also for one with another class of card."""
    names = available()
    path = names.get(str(model), Path(model))
    if str(model) not in names and not os.path.exists(path):
        if len(Path(model).parts) > 1:
            raise BundleError(f"{model}: does not exist; name the folder of a bundle, such as runs/NAME/bundle")
        known = [name for name, place in names.items() if _may_be(place, card)]
        none = "" if known else f" ({card.mend})"
        raise BundleError(
            f"model '{model}' is not known; use one of: {', '.join(known) or 'none'}{none}, or a bundle's path"
        )
    bundle = open_bundle(path)
    if not isinstance(bundle.card, card):
        raise BundleError(f"model '{model}' is {bundle.card.noun}, and {card.noun} is needed; {card.mend}")
    return Bundle(bundle.folder, bundle.card, bundle.sha256)


def _may_be(path: Path, card: type[Card]) -> bool:
    """Whether a bundle is of the kind that is needed, as far as its card says; zips are not opened for it."""
    task = TASKS.get(unverified_card(path).get("task") or FIRST_TASK)
    return path.suffix == ".zip" or task is None or issubclass(task.card, card)
