"""safelight evaluate: how good a model of a set of pictures is, on pictures that it was not trained on."""

import json
from pathlib import Path
from typing import Annotated

import typer

from safelight.errors import OutputError, UsageError

MOST_TRAINING = 5000
"""Training pictures that samples are compared with."""


def evaluate(
    model: Annotated[str, typer.Option(help="A bundle of a set of pictures: its name or path.")],
    data: Annotated[Path, typer.Option(help="A set of pictures: a folder, .npz, .csv or .jsonl.")],
    part: Annotated[
        str,
        typer.Option(
            help="auto, test, validation, train or all. auto: of the set that it was trained on the test part, "
            "or validation if there is none; all of another set."
        ),
    ] = "auto",
    draws: Annotated[int, typer.Option(min=1, help="K of the log-likelihood.")] = 100,
    likelihood_of: Annotated[int, typer.Option(min=1, help="Pictures of which the log-likelihood is taken.")] = 200,
    samples: Annotated[int, typer.Option(min=1, help="Samples that are compared with pictures.")] = 1000,
    most: Annotated[int, typer.Option(min=1, help="Pictures that are looked at; of more, a fair sample.")] = 2000,
    seed: Annotated[int, typer.Option(help="Of all draws.")] = 0,
    page: Annotated[Path | None, typer.Option("--html", help="Write a page with pictures and curves.")] = None,
    device: Annotated[str, typer.Option(help="auto, cpu or cuda.")] = "auto",
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object on standard output.")] = False,
    cache: Annotated[Path, typer.Option(help="Where decoded pictures are kept.")] = Path(".cache/pixels"),
) -> None:
    """Measure a VAE of a set of pictures: ELBO, likelihood, reconstructions, latents in use, samples."""
    from safelight.bundle import find_image_model
    from safelight.evaluate import evaluate_images, open_held_out, write_page
    from safelight.runtime.vae import Vae

    if page is not None and (page.suffix.lower() not in (".html", ".htm") or page.is_dir()):
        raise UsageError(f"--html {page}: is no name of a page; end it in .html")
    vae = Vae(find_image_model(model), device)  # type: ignore[arg-type]
    held_out = open_held_out(vae, data, part, cache, most, MOST_TRAINING)
    typer.echo(f"{len(held_out.pixels)} pictures of {data}: {held_out.part}", err=True)
    report = lambda what: typer.echo(what, err=True)  # noqa: E731
    told = evaluate_images(vae, held_out, draws, likelihood_of, samples, seed, report)
    if as_json:
        typer.echo(json.dumps({**told.numbers, "part": held_out.part, "notes": told.notes}))
    else:
        width = max(map(len, told.numbers))
        for name, number in told.numbers.items():
            typer.echo(f"{name:<{width}}  {number:.6g}")
        for note in told.notes:
            typer.echo(note)
    if page is not None:
        try:
            write_page(page, f"{vae.card.name} on {data.name}", told, vae.bundle.folder.parent / "metrics.jsonl")
        except OSError as error:
            raise OutputError(f"{page}: cannot be written ({error.strerror}); choose another --html") from None
