"""Which engine a job runs on, and what must be so on every node of a cluster before it begins."""

import os
import uuid
from pathlib import Path
from typing import NamedTuple

from safelight import __version__
from safelight.errors import RefusedError
from safelight.work.files import write_for

ENGINE, LOCAL = "SAFELIGHT_ENGINE", "local"
MODELS = "SAFELIGHT_MODELS"
BATCH_PATHS = frozenset({"inputs", "output"})
"""Settings of batches whose paths may lie on object storage."""
ENGINE_HELP = "local, ray (the cluster of this machine) or ray://HOST:PORT. Default: SAFELIGHT_ENGINE, or local."


def cluster_address(engine: str | None) -> str | None:
    """What an option or the variable SAFELIGHT_ENGINE says; None for this machine alone."""
    name = engine or os.environ.get(ENGINE) or LOCAL
    return None if name == LOCAL else name


class Driver(NamedTuple):
    """The process that a person started."""

    run: str
    """Eight digits of its own, in the names of files that its workers have not finished."""
    version: str
    folder: Path
    """Where relative paths begin."""
    models: str | None
    """The variable SAFELIGHT_MODELS."""

    @staticmethod
    def here() -> "Driver":
        """The process at hand."""
        return Driver(uuid.uuid4().hex[:8], __version__, folder=Path.cwd(), models=os.environ.get(MODELS))

    def enter(self) -> None:
        """Make a worker like it. Raises RefusedError for another version, and a node that does not see the folder."""
        if __version__ != self.version:
            raise RefusedError(f"a node has Safelight {__version__}, and the driver has {self.version}; install one")
        if self.models is not None:
            os.environ[MODELS] = self.models
        if not self.folder.is_dir():
            raise RefusedError(f"{self.folder}: is not there on a node; use a folder that all nodes share")
        os.chdir(self.folder)
        write_for(self.run)


def check_model(on_node: str, on_driver: str) -> None:
    """By SHA-256. Raises RefusedError."""
    if on_node != on_driver:
        raise RefusedError("a node has another model of that name; give all nodes the same bundle")
