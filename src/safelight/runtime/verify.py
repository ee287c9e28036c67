"""Whether a bundle of any task runs: by the column of its task."""

from importlib import import_module
from typing import Any

from safelight.bundle import Bundle, Card


def run_every_graph(bundle: Bundle[Card]) -> None:
    """Run each graph of a bundle once. Raises BundleError for one that does not run.

    The folder `runtime/<task>` has a function of this name, for bundles of its task.
    """
    column: Any = import_module(f"safelight.runtime.{bundle.card.task}")
    column.run_every_graph(bundle)
