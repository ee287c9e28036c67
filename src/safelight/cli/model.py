"""safelight model: what bundles there are and what they promise."""

import json
from pathlib import Path
from typing import Annotated

import typer

from safelight.errors import SafelightError, on_one_line

app = typer.Typer(help="Bundles: list them, read their cards, verify and export them.", no_args_is_help=True)
Name = Annotated[str, typer.Argument(help="A bundle's name or path.")]


@app.command("list")
def list_bundles() -> None:
    """The bundles that have a name here."""
    from safelight.bundle import Card, available, find_bundle

    for name, path in available().items():
        try:
            summary = find_bundle(path, Card).card.summary
        except SafelightError as error:
            summary = f"cannot be used: {error}"
        typer.echo(f"{name}\t{path}\t{on_one_line(summary)}")


@app.command()
def info(
    model: Name = "photo", as_json: Annotated[bool, typer.Option("--json", help="The whole card.")] = False
) -> None:
    """The card of a bundle."""
    from safelight.bundle import Card, find_bundle

    bundle = find_bundle(model, Card)
    if as_json:
        typer.echo(bundle.card.model_dump_json(indent=2))
        return
    for key, value in json.loads(bundle.card.model_dump_json()).items():
        if isinstance(value, dict):
            typer.echo(f"{key}:")
            for name, number in value.items():
                typer.echo(f"  {name}: {number}")
        elif isinstance(value, list) and value and isinstance(value[0], str):
            typer.echo(f"{key}:")
            for line in value:
                typer.echo(f"  - {line}")
        else:
            typer.echo(f"{key}: {value}")
    typer.echo(f"sha256: {bundle.sha256}")


@app.command()
def verify(model: Name = "photo") -> None:
    """Check every checksum, and that the graphs load and run."""
    from safelight.bundle import Card, find_bundle
    from safelight.runtime.verify import run_every_graph

    bundle = find_bundle(model, Card)
    run_every_graph(bundle)
    typer.echo(f"{bundle.card.name}: all files match their checksums, all graphs run ({bundle.folder})")


@app.command()
def export(
    output: Annotated[Path, typer.Option("-o", "--output", help="The zip to write.")], model: Name = "photo"
) -> None:
    """A bundle as one zip, to hand on."""
    from safelight.bundle import Card, find_bundle, zip_bundle

    zip_bundle(find_bundle(model, Card), output)
    typer.echo(str(output))


def add_to(above: typer.Typer) -> None:
    """The group of commands."""
    above.add_typer(app, name="model")
