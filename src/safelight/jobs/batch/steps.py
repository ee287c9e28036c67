"""What a verb on many files does to each of them; `jobs.batch.run` calls it."""

from collections.abc import Callable
from typing import Protocol, TypeVar

from safelight.jobs.batch.outcome import OutcomeT
from safelight.jobs.batch.plan import FileTask

Loaded = TypeVar("Loaded")
"""What a verb reads from one file."""
Made = TypeVar("Made")
"""What its model makes of that."""


class Steps(Protocol[Loaded, Made, OutcomeT]):
    """What a verb does to every file of a batch, with the batch's settings and model."""

    @property
    def outcome(self) -> Callable[..., OutcomeT]:
        """Makes the verb's record of what became of a file."""
        ...

    model_sha256: str

    def parameters(self) -> dict[str, object]:
        """What a result depends on, beside the input and the model."""
        ...

    def load(self, task: FileTask) -> Loaded:
        """Read the input. Raises PictureError."""
        ...

    def work(self, task: FileTask, loaded: Loaded, on_share: Callable[[float], None]) -> Made:
        """In the model's thread. `on_share` is called with the share that is done, 0 to 1."""
        ...

    def check(self, task: FileTask, made: Made) -> Made:
        """After the model, and before anything is written. Raises OutputError for what must not be written."""
        ...

    def save(self, task: FileTask, made: Made) -> OutcomeT:
        """Write all outputs, or none that was not there before. Raises OutputError."""
        ...

    def facts(self, outcome: OutcomeT, source_sha256: str) -> dict[str, object]:
        """What the manifest says of a result."""
        ...
