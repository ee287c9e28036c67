"""The card of a model, and what a bundle of its task holds. Each task has a folder here; `tasks.py` lists them."""

from dataclasses import dataclass
from typing import ClassVar

from pydantic import BaseModel, ConfigDict, FiniteFloat

FOLDER_NAME = r"^[a-z0-9][a-z0-9-]*$"
"""What a folder inside a bundle may be called, and so the network that lies in it."""


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
    trained_with: str
    """Processor and threads that these minutes are of."""
    data_licences: str
    weights_licence: str
    measured: dict[str, FiniteFloat]
    """Name with unit → number; docs/lab-notebook.md says by which command."""
    limits: tuple[str, ...]

    @property
    def folders(self) -> tuple[str, ...]:
        """Folders inside the bundle, one for each network of a card that has several."""
        return ()


@dataclass(frozen=True)
class BundleTask:
    """What a bundle of one task holds beside SHA256SUMS."""

    card: type[Card]
    schema: int
    """Version of card and files. Another version is refused."""
    files: tuple[str, ...]
    optional: tuple[str, ...] = ()
    folders_key: str | None = None
    """The card's key that lists folders of the bundle."""
    folder_files: tuple[str, ...] = ()
    """What each of these folders holds."""

    def required(self, folders: tuple[str, ...]) -> tuple[str, ...]:
        """All files that a bundle with these folders must hold."""
        return (*self.files, *(f"{folder}/{name}" for folder in folders for name in self.folder_files))
