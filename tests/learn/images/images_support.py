"""What the tests of these folders do again and again."""

import json
from collections.abc import Callable
from pathlib import Path

from safelight.learn.job import TrainJob
from safelight.learn.loop import Limits
from safelight.learn.recipes import train_recipe


def run(
    recipe: Path,
    data: Path,
    folder: Path,
    stop_at: int | None = None,
    budget_s: float | None = None,
    tell: Callable[[str], None] = lambda line: None,
    resume: bool = False,
    tensorboard: bool = False,
) -> bool:
    limits = Limits(stop_at, budget_s)
    job = TrainJob(recipe, data, folder, folder.parent / "cache", resume, limits=limits, tensorboard=tensorboard)
    return train_recipe(job, tell)


def edit(recipe: Path, *changes: tuple[str, str]) -> None:
    text = recipe.read_text()
    for old, new in changes:
        assert old in text
        text = text.replace(old, new)
    recipe.write_text(text)


def metrics(folder: Path) -> list[dict]:
    return [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
