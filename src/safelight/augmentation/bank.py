"""The set's own pictures, as a model takes them: what latent operations mix with, and the guard compares with."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Bank:
    """Labelled pictures of one size."""

    names: tuple[str, ...]
    labels: tuple[str, ...]
    pixels: NDArray[np.uint8]
    """(N, H, W, C)"""

    @cached_property
    def _number(self) -> dict[str, int]:
        return {name: k for k, name in enumerate(self.names)}

    @cached_property
    def _by_class(self) -> dict[str, list[str]]:
        by_class: dict[str, list[str]] = {}
        for name, label in zip(self.names, self.labels, strict=True):
            by_class.setdefault(label, []).append(name)
        return by_class

    @property
    def classes(self) -> tuple[str, ...]:
        """All labels, each once."""
        return tuple(self._by_class)

    def of_class(self, label: str) -> list[str]:
        """Names of the pictures of a class."""
        return self._by_class.get(label, [])

    def of_others(self, label: str) -> list[str]:
        """Names of the pictures of all other classes."""
        return [name for name, other in zip(self.names, self.labels, strict=True) if other != label]

    def picture(self, name: str) -> NDArray[np.uint8] | None:
        """(H, W, C), or None for a name that is not here."""
        number = self._number.get(name)
        return None if number is None else self.pixels[number]

    def label_of(self, name: str) -> str:
        """Of a picture that is here."""
        return self.labels[self._number[name]]

    def pictures(self, names: Sequence[str]) -> NDArray[np.uint8]:
        """(B, H, W, C) of pictures that are here."""
        return self.pixels[[self._number[name] for name in names]]
