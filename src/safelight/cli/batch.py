"""What the commands on many files print alike."""

import json
from typing import TYPE_CHECKING

import typer

from safelight.cli.console import say
from safelight.errors import shown

if TYPE_CHECKING:
    from safelight.jobs.batch.outcome import Outcome
    from safelight.jobs.batch.plan import Plan


def tell_plan(plan: "Plan", as_json: bool) -> int:
    """What would be done; returns how much of it cannot be done."""
    for task in plan.tasks:
        source, outputs = shown(task.source), [shown(path) for path in task.outputs]
        problem = task.problem and shown(task.problem)
        if as_json:
            typer.echo(json.dumps({"source": source, "outputs": outputs, "error": problem}))
        elif not problem:
            typer.echo(f"{source} -> {', '.join(outputs)}")
        if problem:
            typer.echo(f"failed: {problem}", err=True)
    return sum(task.problem is not None for task in plan.tasks)


def tell_trouble(outcome: "Outcome") -> None:
    """Warnings and the error of one file, on standard error."""
    for warning in outcome.warnings:
        say(f"warning: {outcome.source}: {warning}", err=True)
    if outcome.error:
        say(f"failed: {outcome.error}", err=True)
