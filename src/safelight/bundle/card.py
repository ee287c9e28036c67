"""The card of a model, and what a bundle of its task holds. Each task has a folder here; `tasks.py` lists them."""

import re
from dataclasses import dataclass
from typing import ClassVar

from pydantic import BaseModel, ConfigDict, FiniteFloat

NETWORK_NAME = r"^[a-z0-9][a-z0-9-]*$"
"""What a network may be called, and so the folder or the file inside the bundle that holds it."""


class CardPart(BaseModel):
    """Base of everything in a card: frozen, and closed to unknown keys."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Card(CardPart):
    """card.json: what the model takes, what it gives, where it comes from, where it ends. Tests try to break it."""

    noun: ClassVar[str] = "a model"
    """What a model with such a card is, for messages."""
    mend: ClassVar[str] = "name a bundle"
    """What a person does who has no such model, for messages."""

    schema_version: int
    task: str
    name: str
    summary: str
    recipe: str
    recipe_sha256: str
    trained_on: str
    training_minutes: float
    """Of this run alone."""
    started_from: str | None = None
    """SHA-256 of the bundle or file whose weights the training began with; None if it began at random."""
    trained_with: str
    """Processor and threads that these minutes are of."""
    data_licences: str
    weights_licence: str
    measured: dict[str, FiniteFloat]
    """Name with unit → number; docs/lab-notebook.md says by which command."""
    limits: tuple[str, ...]

    @property
    def networks(self) -> tuple[str, ...]:
        """Names of the networks of a card that has several."""
        return ()


@dataclass(frozen=True)
class BundleTask:
    """What a bundle of one task holds beside SHA256SUMS."""

    card: type[Card]
    schema: int
    """Version of card and files. Another version is refused."""
    files: tuple[str, ...]
    optional: tuple[str, ...] = ()
    networks_key: str | None = None
    """The card's key that lists the names of several networks."""
    network_files: tuple[str, ...] = ()
    """Files of each network, with {} for its name."""

    def required(self, networks: tuple[str, ...]) -> tuple[str, ...]:
        """All files that a bundle with these networks must hold."""
        return (*self.files, *(pattern.format(name) for name in networks for pattern in self.network_files))

    def may_hold(self, file: str) -> bool:
        """Whether a bundle of this task may have a file of that name."""
        patterns = (re.escape(pattern).replace(r"\{\}", NETWORK_NAME.strip("^$")) for pattern in self.network_files)
        return file in (*self.files, *self.optional) or any(re.fullmatch(pattern, file) for pattern in patterns)
