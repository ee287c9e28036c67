"""safelight evaluate: how good a model of a set of pictures is, on pictures that it was not trained on."""

import json
from pathlib import Path
from typing import Annotated

import typer

from safelight.errors import OutputError, UsageError

MOST_TRAINING = 5000
"""Training pictures that samples are compared with."""


def evaluate(
    model: Annotated[str | None, typer.Option(help="A bundle of a set of pictures: its name or path.")] = None,
    data: Annotated[Path | None, typer.Option(help="A set of pictures: a folder, .npz, .csv or .jsonl.")] = None,
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
    downstream: Annotated[
        Path | None, typer.Option(help="A labelled set: does --recipe help a classifier of it? The rest is for this.")
    ] = None,
    recipe: Annotated[Path | None, typer.Option(help="An augmentation, such as recipes/augment.toml.")] = None,
    test: Annotated[Path | None, typer.Option(help="A set of its own to test on.")] = None,
    unlabelled: Annotated[Path | None, typer.Option(help="More pictures, whose labels are not looked at.")] = None,
    per_class: Annotated[int | None, typer.Option(min=1, help="Labelled pictures of each class; else all.")] = None,
    seeds: Annotated[int, typer.Option(min=2, help="Each draws labelled pictures and first weights.")] = 5,
    steps: Annotated[int, typer.Option(min=10, help="Of the optimiser, in every arm.")] = 800,
    copies: Annotated[int, typer.Option(min=1, help="Latent variants of each labelled picture.")] = 16,
    sweep: Annotated[str, typer.Option(help="Multiples of the recipe's latent noise to try, such as 0.5,1,2,4.")] = "",
    arms: Annotated[str, typer.Option(help="Only these, such as classic,classic_vae.")] = "",
) -> None:
    """Measure a VAE of a set of pictures: ELBO, likelihood, reconstructions, latents in use, samples.

    Or, with --downstream, an augmentation: classifiers trained with and without it, and a verdict.
    """
    from safelight.evaluate import evaluate_images, open_held_out, write_page
    from safelight.runtime.images.vae import Vae

    if page is not None and (page.suffix.lower() not in (".html", ".htm") or page.is_dir()):
        raise UsageError(f"--html {page}: is no name of a page; end it in .html")
    if downstream is not None:
        from safelight.cli.downstream import downstream as compare

        compare(
            downstream,
            recipe,
            model,
            test,
            unlabelled,
            per_class,
            seeds,
            seed,
            steps,
            copies,
            sweep,
            arms,
            page,
            as_json,
            cache,
        )
        return
    if model is None or data is None:
        raise UsageError("give --model and --data, or --downstream and --recipe; see --help")
    vae = Vae.load(model, device)  # type: ignore[arg-type]
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
