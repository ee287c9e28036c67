"""What the tests of training do again and again."""

import json
import logging
from collections.abc import Callable
from pathlib import Path

import torch

from safelight.learn.settings import TrainSettings
from safelight.learn.train import train as train_recipe


def train(
    recipe: Path, data: Path, folder: Path, tell: Callable[[str], None] = lambda line: None, **more: object
) -> bool:
    """Whether the run came to its end; `more` are fields of the settings."""
    lines, handler = logging.getLogger("safelight"), _Telling(tell)
    lines.setLevel(logging.INFO)
    lines.addHandler(handler)
    try:
        settings = TrainSettings(recipe=recipe, data=data, run=folder, cache=folder.parent / "cache", **more)
        return train_recipe(settings).bundle is not None
    finally:
        lines.removeHandler(handler)


class _Telling(logging.Handler):
    def __init__(self, tell: Callable[[str], None]) -> None:
        super().__init__()
        self.tell = tell

    def emit(self, record: logging.LogRecord) -> None:
        self.tell(record.getMessage())


def edit(recipe: Path, *changes: tuple[str, str]) -> None:
    text = recipe.read_text()
    for old, new in changes:
        assert old in text
        text = text.replace(old, new)
    recipe.write_text(text)


def metrics(folder: Path) -> list[dict]:
    return [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]


def same(one: dict[str, torch.Tensor], other: dict[str, torch.Tensor]) -> bool:
    """Whether both have the same tensors, to the bit."""
    return one.keys() == other.keys() and all(torch.equal(one[name], other[name]) for name in one)
