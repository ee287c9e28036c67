"""safelight model: what bundles there are and what they promise."""

import json
from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer(help="List, show, check and export bundles.", no_args_is_help=True)
Name = Annotated[str, typer.Argument(help="A bundle's name or path.")]


@app.command("list")
def list_bundles() -> None:
    """The bundles that have a name here."""
    from safelight.bundle import available

    for name, path in available().items():
        typer.echo(f"{name}\t{path}")


@app.command()
def info(
    model: Name = "photo", as_json: Annotated[bool, typer.Option("--json", help="The whole card.")] = False
) -> None:
    """The card of a bundle."""
    from safelight.bundle import find_bundle

    bundle = find_bundle(model)
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
    import numpy as np

    from safelight.bundle import find_bundle, is_of_images, restores
    from safelight.picture import Picture
    from safelight.runtime import Model, Session
    from safelight.runtime.vae import Vae

    bundle = find_bundle(model)
    if restores(bundle):
        Model(Session(bundle)).enhance(Picture(np.zeros((128, 128, 3), np.uint8)))
        floats, integers = Session(bundle, "cpu", precision="fp32"), Session(bundle, "cpu", precision="int8")
        some = np.zeros((1, 3, 64, 64), np.float32)
        for expert in bundle.card.experts:
            integers.estimate(expert, some, scale=False)
            noise = [np.zeros((1, n.channels, *[64 // n.stride_px] * 2), np.float32) for n in bundle.card.noise_inputs]
            floats.draw(floats.estimate(expert, some), np.float32(1), noise, 1.0)
    elif is_of_images(bundle):
        vae = Vae(bundle)
        labels = [0] if vae.card.conditional else None
        x = vae.sample(1, labels, sampler="aggregate").round()
        vae.reconstruct(x, labels)
        vae.score(x, labels)
        if vae.bundle.has("features.onnx"):
            vae.features(x)
    typer.echo(f"{bundle.card.name}: all files match their checksums, all graphs run ({bundle.folder})")


@app.command()
def export(
    output: Annotated[Path, typer.Option("-o", "--output", help="The zip to write.")], model: Name = "photo"
) -> None:
    """A bundle as one zip, to hand on."""
    from safelight.bundle import find_bundle, zip_bundle

    zip_bundle(find_bundle(model), output)
    typer.echo(str(output))
