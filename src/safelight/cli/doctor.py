"""safelight doctor: what this machine has, and what Safelight will do with it."""

import importlib.metadata
import platform
import sys

import typer

LIBRARIES = ("numpy", "pyvips", "pyvips-binary", "onnxruntime", "torch", "accelerate")


def doctor() -> None:
    """What this machine has, and what Safelight will do with it."""
    from safelight.bundle import Card, available, find_bundle
    from safelight.runtime.graphs import auto_precision, choose_device
    from safelight.runtime.machine import cores

    typer.echo(f"python {sys.version.split()[0]} on {platform.system()} {platform.machine()}, {cores()} cores")
    for name in LIBRARIES:
        typer.echo(f"{name}: {_version(name)}")
    typer.echo(f"--device auto takes: {choose_device('auto')}")
    for_a_mean = auto_precision(choose_device("auto"))
    typer.echo(f"--precision auto takes: {'int8 for a mean alone' if for_a_mean == 'int8' else 'fp32'}")
    for name in available():
        find_bundle(name, Card)
        typer.echo(f"bundle {name}: complete, checksums match")


def _version(name: str) -> str:
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        optional = name in ("torch", "accelerate")
        return "not installed" + (" (only needed to train; see 'Train your own' in the README)" if optional else "")


def add_to(app: typer.Typer) -> None:
    """The command."""
    app.command("doctor")(doctor)
