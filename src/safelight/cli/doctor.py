"""safelight doctor: what this machine has, and what Safelight will do with it."""

import importlib.metadata
import platform
import sys

import typer

from safelight.cli.options import add_command
from safelight.errors import installed_by
from safelight.settings import Settings, option
from safelight.work.nodes import cluster_address

CORE = ("numpy", "pydantic", "pyvips", "pyvips-binary", "onnxruntime", "rich", "typer")
EXTRAS = {
    "augment": ("to augment", ("opencv-python-headless", "pyyaml")),
    "heif": ("to read HEIC", ("pi-heif",)),
    "ray": ("for a cluster", ("ray",)),
    "storage": ("for s3://", ("fsspec", "s3fs")),
    "studio": ("for the studio", ("fastapi", "uvicorn")),
    "train": ("to train", ("torch", "accelerate", "onnx", "onnxscript", "safetensors", "scipy")),
}
"""By extra, what it is for, and what it adds."""


class DoctorSettings(Settings):
    """What is looked at."""

    engine: str | None = option(None, "ray or ray://HOST:PORT: look at a cluster in place of this machine.")


def doctor(settings: DoctorSettings) -> None:
    """What this machine has, and what Safelight will do with it; or a cluster."""
    address = cluster_address(settings.engine)
    if address is not None:
        _tell_cluster(address)
        return
    from safelight.bundle import Card, available, find_bundle
    from safelight.runtime.graphs import auto_precision, choose_device
    from safelight.runtime.machine import cores, multiplies_bfloat16_fast

    typer.echo(f"python {sys.version.split()[0]} on {platform.system()} {platform.machine()}, {cores()} cores")
    typer.echo(f"--device auto takes: {choose_device('auto')}")
    for_a_mean = auto_precision(choose_device("auto"))
    typer.echo(f"--precision auto takes: {'int8 for a mean alone' if for_a_mean == 'int8' else 'fp32'}")
    typer.echo(f'precision = "auto" in recipes takes: {"bfloat16" if multiplies_bfloat16_fast() else "float32"}')
    for name in available():
        find_bundle(name, Card)
        typer.echo(f"bundle {name}: complete, checksums match")
    _tell_speed()
    _tell_packages()


def _tell_packages() -> None:
    """One line for all that is always needed, and one for each extra."""
    typer.echo(f"packages: {', '.join(_named(name) for name in CORE)}")
    for extra, (purpose, names) in EXTRAS.items():
        there = all(_version(name) is not None for name in names)
        how = "" if there else f" (needed {purpose}; {installed_by(extra)})"
        typer.echo(f"extra {extra}: {', '.join(_named(name) for name in names)}{how}")


def _named(name: str) -> str:
    return f"{name} {_version(name) or 'is not installed'}"


def _tell_speed() -> None:
    """Seconds for a megapixel, by precision and threads; measured now, which takes some seconds."""
    from safelight.jobs.speed import seconds_per_megapixel
    from safelight.runtime.machine import cores

    for precision in ("fp32", "int8"):
        for threads in sorted({1, cores()}):
            seconds = seconds_per_megapixel(precision, threads)
            typer.echo(f"enhance, {precision}, {threads} thread{'s' * (threads > 1)}: {seconds:.2f} s per megapixel")


def _tell_cluster(address: str) -> None:
    """What each node has, and what a batch would do there."""
    from safelight.work.cluster_nodes import ask_nodes

    here, nodes = facts_here(), ask_nodes(address, facts_here)
    for node in nodes:
        said = "does not answer: " + str(node.problem) if node.problem else ", ".join(map(str, node.answer.values()))
        typer.echo(f"{node.address}: {node.cores} cores, {node.memory_gib:.1f} GiB for Ray; {said}")
    cores = sum(node.cores for node in nodes)
    typer.echo(f"enhance, compress, decompress, augment and data would start {cores} workers of one core")
    typer.echo(f"train --processes N would give each process {cores} / N cores, as far as they are on one node")
    others = [node.address for node in nodes if node.answer is not None and node.answer["version"] != here["version"]]
    if others:
        typer.echo(
            f"warning: another Safelight than here on {', '.join(others)}: work there would be refused", err=True
        )
    if any(node.problem for node in nodes):
        raise typer.Exit(1)


def facts_here() -> dict[str, str]:
    """Of the machine that it is called on."""
    from safelight import __version__
    from safelight.runtime.graphs import auto_precision, choose_device
    from safelight.runtime.machine import processor

    precision = auto_precision(choose_device("auto"))
    return {"version": f"Safelight {__version__}", "processor": processor(), "precision": f"--precision {precision}"}


def _version(name: str) -> str | None:
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return None


def add_to(app: typer.Typer) -> None:
    """The command."""
    add_command(app, "doctor", (DoctorSettings,), doctor)
