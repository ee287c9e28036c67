"""Sets of small pictures, with labels if they have any: what data-set models and augmentation start from."""

from safelight.dataset.form import Form, choose_form, finest_px
from safelight.dataset.grouping import grouped
from safelight.dataset.images import ImageSet, Item, Loaded, Part
from safelight.dataset.report import InspectReport, compared, inspect_set, look
from safelight.dataset.sources import open_set
from safelight.dataset.split import identities, split
from safelight.dataset.table import PixelTable

__all__ = [
    "Form",
    "ImageSet",
    "InspectReport",
    "Item",
    "Loaded",
    "Part",
    "PixelTable",
    "choose_form",
    "compared",
    "finest_px",
    "grouped",
    "identities",
    "inspect_set",
    "look",
    "open_set",
    "split",
]
