"""safelight doctor: what this machine has, and what Safelight will do with it."""

import importlib.metadata
import platform
import sys

import typer

CORE = ("numpy", "pydantic", "pyvips", "pyvips-binary", "onnxruntime", "rich", "typer")
EXTRAS = {
    "augment": ("to augment", ("opencv-python-headless", "pyyaml")),
    "heif": ("to read HEIC", ("pi-heif",)),
    "studio": ("for the studio", ("fastapi", "uvicorn")),
    "train": ("to train", ("torch", "accelerate", "onnx", "onnxscript", "safetensors", "scipy")),
}
"""By extra, what it is for, and what it adds."""


def doctor() -> None:
    """What this machine has, and what Safelight will do with it."""
    from safelight.bundle import Card, available, find_bundle
    from safelight.runtime.graphs import auto_precision, choose_device
    from safelight.runtime.machine import cores, multiplies_bfloat16_fast

    typer.echo(f"python {sys.version.split()[0]} on {platform.system()} {platform.machine()}, {cores()} cores")
    for name in CORE:
        typer.echo(f"{name}: {_version(name) or 'not installed'}")
    for extra, (purpose, names) in EXTRAS.items():
        for name in names:
            version = _version(name) or f"not installed (only needed {purpose}: pip install 'safelight[{extra}]')"
            typer.echo(f"{name}: {version}")
    typer.echo(f"--device auto takes: {choose_device('auto')}")
    for_a_mean = auto_precision(choose_device("auto"))
    typer.echo(f"--precision auto takes: {'int8 for a mean alone' if for_a_mean == 'int8' else 'fp32'}")
    typer.echo(f'precision = "auto" in recipes takes: {"bfloat16" if multiplies_bfloat16_fast() else "float32"}')
    for name in available():
        find_bundle(name, Card)
        typer.echo(f"bundle {name}: complete, checksums match")
    _tell_speed()


def _tell_speed() -> None:
    """Seconds for a megapixel, by precision and threads; measured now, which takes some seconds."""
    from safelight.jobs.speed import seconds_per_megapixel
    from safelight.runtime.machine import cores

    for precision in ("fp32", "int8"):
        for threads in sorted({1, cores()}):
            seconds = seconds_per_megapixel(precision, threads)
            typer.echo(f"enhance, {precision}, {threads} thread{'s' * (threads > 1)}: {seconds:.2f} s per megapixel")


def _version(name: str) -> str | None:
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return None


def add_to(app: typer.Typer) -> None:
    """The command."""
    app.command("doctor")(doctor)
