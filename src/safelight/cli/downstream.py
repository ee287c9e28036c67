"""safelight evaluate --downstream: whether an augmentation helps a classifier, with a verdict."""

import json
import math
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from safelight.errors import OutputError, RefusedError, UsageError

if TYPE_CHECKING:
    from safelight.downstream.verdict import Interval


def downstream(
    dataset: Path,
    recipe: Path | None,
    model: str | None,
    test: Path | None,
    unlabelled: Path | None,
    per_class: int | None,
    seeds: int,
    first_seed: int,
    steps: int,
    copies: int,
    sweep: str,
    arms: str,
    page: Path | None,
    as_json: bool,
    cache: Path,
) -> None:
    """Train the arms and tell. Raises UsageError, RefusedError and OutputError."""
    if recipe is None:
        raise UsageError("--downstream needs --recipe AUG.toml, the augmentation that is tried")
    try:
        from safelight.augment import load_recipe
        from safelight.downstream.check import available_arms, check
        from safelight.downstream.compare import run_downstream
        from safelight.downstream.page import write_verdict
        from safelight.downstream.sets import DownstreamSettings
        from safelight.downstream.verdict import Score, judge, roles
    except ModuleNotFoundError as error:
        raise RefusedError(f"--downstream needs '{error.name}'; see 'Augment a data set' in the README") from None
    settings = DownstreamSettings(
        dataset, load_recipe(recipe), model, test, unlabelled, per_class, seeds, first_seed, steps, copies,
        tuple(word.strip() for word in arms.split(",") if word.strip()), _numbers(sweep), cache,
    )  # fmt: skip
    check(settings)  # all of it before an hour of training
    roles(settings.arms or available_arms(settings))
    found = run_downstream(settings, lambda what: typer.echo(what, err=True))
    weights = found.weights()
    scores = [Score(r.name, r.seed, r.noise, r.accuracy, tuple(r.curve), r.right, weights) for r in found.results]
    verdict = judge(scores)
    notes = [*found.notes, "Accuracy is balanced: the average over classes." if found.balanced else ""]
    notes = [note for note in notes if note]
    if as_json:
        known = {
            "word": verdict.word,
            "verdict": verdict.sentence,
            "arms": {name: _finite(one) for name, one in verdict.arms.items()},
            "differences": {name: _finite(one) for name, one in verdict.differences.items()},
            "sweep": {str(noise): _finite(one) for noise, one in verdict.sweep.items()},
            "counts": found.counts,
            "balanced": found.balanced,
            "notes": notes,
            "results": [{name: value for name, value in r._asdict().items() if name != "right"} for r in found.results],
        }
        typer.echo(json.dumps(known))
    else:
        _tell(verdict.arms, "accuracy", "")
        _tell(verdict.differences, "paired difference, points", "+")
        _tell({f"{noise:g} x noise": one for noise, one in verdict.sweep.items()}, "accuracy", "")
        for note in notes:
            typer.echo(note)
        typer.echo(verdict.sentence)
    if page is not None:
        try:
            write_verdict(page, f"{recipe.name} on {dataset.name}", verdict, scores, notes)
        except OSError as error:
            raise OutputError(f"{page}: cannot be written ({error.strerror}); choose another --html") from None


def _numbers(words: str) -> tuple[float, ...]:
    try:
        found = tuple(float(word) for word in words.split(",") if word.strip())
    except ValueError:
        raise UsageError(f"--sweep '{words}': give numbers, such as 0.5,1,2,4") from None
    if not all(0 < number < 100 for number in found):
        raise UsageError(f"--sweep '{words}': give multiples of the recipe's noise above 0 and below 100")
    return found


def _finite(one: "Interval") -> dict[str, float | None]:
    """For JSON, which has no infinity."""
    return {name: value if math.isfinite(value) else None for name, value in one._asdict().items()}


def _tell(rows: "dict[str, Interval]", what: str, sign: str) -> None:
    if rows:
        width = max(map(len, rows))
        typer.echo(f"{'':<{width}}  {what} [95 %]")
    for name, one in rows.items():
        typer.echo(
            f"{name:<{width}}  {100 * one.mean:{sign}.2f} [{100 * one.low:{sign}.2f}, {100 * one.high:{sign}.2f}]"
        )
