"""safelight generate: new pictures from a model of a set of pictures, and ways through its latent space."""

import json
import shutil
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple

import typer

from safelight.errors import OutputError, UsageError

if TYPE_CHECKING:
    from safelight.runtime.images.vae import Array, Vae

GRID, MANIFEST = "grid.png", "manifest.jsonl"
MOST_IN_GRID = 400


class Made(NamedTuple):
    """Latents, and what is told of how they came about."""

    latents: Sequence["Array"]
    facts: dict[str, Any]


def generate(
    model: Annotated[str, typer.Option(help="A bundle of a set of pictures: its name or path.")],
    output: Annotated[Path, typer.Option("-o", "--output", help="A new or empty folder, or a .png for one grid.")],
    count: Annotated[int, typer.Option("-n", min=1, help="How many pictures, or steps of a way.")] = 64,
    label: Annotated[str | None, typer.Option("--class", help="Of this class only.")] = None,
    temperature: Annotated[float, typer.Option(min=0, help="Of the noise; 1 is honest, less is plainer.")] = 1.0,
    seed: Annotated[int, typer.Option(help="Equal seeds make equal pictures.")] = 0,
    sampler: Annotated[
        str, typer.Option(help="aggregate: where the set's pictures lie; prior: N(0, 1), as the model has it.")
    ] = "aggregate",
    interpolate: Annotated[
        tuple[Path, Path] | None, typer.Option(help="Two pictures: the way from one to the other.")
    ] = None,
    linear: Annotated[bool, typer.Option("--linear", help="A straight way, not along a sphere.")] = False,
    traverse: Annotated[
        int | None, typer.Option(min=1, help="Vary one latent from -3 to 3; 1 is the one that varies most.")
    ] = None,
    device: Annotated[str, typer.Option(help="auto, cpu or cuda.")] = "auto",
    as_json: Annotated[bool, typer.Option("--json", help="One JSON line per picture on standard output.")] = False,
) -> None:
    """Make pictures: samples, a way between two pictures, or one latent varied."""
    from safelight.runtime.images.vae import Vae

    if interpolate is not None and traverse is not None:
        raise UsageError("--interpolate and --traverse are different ways; give one of them")
    _check_output(output)
    vae = Vae.load(model, device)  # type: ignore[arg-type]
    labels = _labels(vae, label, count, in_turn=interpolate is None and traverse is None)
    if interpolate is not None:
        made = _way(vae, interpolate, labels, count, linear)
    elif traverse is not None:
        made = _traversal(vae, traverse, labels, count, seed)
    else:
        latents = vae.draw_latents(count, labels, temperature, seed, sampler)  # type: ignore[arg-type]
        made = Made(latents, {"seed": seed, "temperature": temperature, "sampler": sampler})
    pictures = vae.decode(made.latents, labels if vae.card.conditional else None)
    told = {"model": vae.bundle.sha256, **made.facts}
    names = [None] * count if labels is None else [vae.card.classes[k] for k in labels]
    _write(output, pictures, [{"class": name, **told} for name in names], as_json)


def _check_output(output: Path) -> None:
    """Before anything is computed. Raises UsageError."""
    if output.suffix.lower() == ".png":
        if output.is_dir():
            raise UsageError(f"{output}: is a folder; name a picture, or a folder without .png")
    elif output.suffix.lower() in (".jpg", ".jpeg", ".tif", ".tiff", ".webp", ".avif", ".gif"):
        raise UsageError(f"{output}: a grid is a .png; name a folder or a .png")
    elif output.exists() and (not output.is_dir() or any(output.iterdir())):
        raise UsageError(f"{output}: is not an empty folder; choose a new -o")


def _labels(vae: "Vae", label: str | None, count: int, in_turn: bool) -> list[int] | None:
    """One class for all, or for a model that needs them classes in turn. Raises UsageError."""
    classes = vae.card.classes
    if label is not None and label not in classes:
        raise UsageError(f"class '{label}' is not known; use one of: {', '.join(classes) or 'none, the set had none'}")
    if label is not None and not (in_turn or vae.card.conditional):
        raise UsageError(f"{vae.card.name} is not conditional: a way through it has no class; leave --class out")
    if label is not None:
        return [classes.index(label)] * count
    if not vae.card.conditional:
        return None
    if not in_turn:
        raise UsageError(f"{vae.card.name} is conditional; give a way its --class: {', '.join(classes)}")
    return [k % len(classes) for k in range(count)]


def _way(vae: "Vae", ends: tuple[Path, Path], labels: list[int] | None, count: int, linear: bool) -> Made:
    from safelight.picture import read

    if count < 2:
        raise UsageError("a way has at least 2 steps; give -n 2 or more")
    first, last = (vae.encode(vae.prepare([read(path)]), labels and labels[:1]) for path in ends)
    facts = {"from": str(ends[0]), "to": str(ends[1]), "steps": count, "way": "linear" if linear else "spherical"}
    return Made(vae.interpolate(first, last, count, spherical=not linear), facts)


def _traversal(vae: "Vae", rank: int, labels: list[int] | None, count: int, seed: int) -> Made:
    """One picture, its latent of that rank of activity moved from -3 to 3. Raises UsageError."""
    import numpy as np

    order = np.argsort(-vae.aggregate_posterior.activity, kind="stable")
    if rank > len(order):
        raise UsageError(f"--traverse {rank}: the model has {len(order)} latents")
    one = vae.draw_latents(1, labels and labels[:1], 1.0, seed, "aggregate")
    flat = np.concatenate([rung.reshape(1, -1) for rung in one], axis=1).repeat(count, axis=0)
    flat[:, order[rank - 1]] = np.linspace(-3, 3, count)
    ends = np.cumsum([rung.size for rung in one])[:-1]
    parts = np.split(flat.astype(np.float32), ends, axis=1)
    moved = [part.reshape(count, *rung.shape[1:]) for part, rung in zip(parts, one, strict=True)]
    return Made(moved, {"seed": seed, "latent": int(order[rank - 1]), "steps": count})


def _write(output: Path, pictures: "Array", facts: list[dict[str, Any]], as_json: bool) -> None:
    """A grid alone, or a folder of pictures, their manifest and a grid, whole or not at all. Raises OutputError."""
    shared = {name: value for name, value in facts[0].items() if name != "class"}
    if output.suffix.lower() == ".png":
        _save(_grid(pictures), output, shared)
        lines = [json.dumps({"image": output.name, **shared})]
    else:
        try:
            output.parent.mkdir(parents=True, exist_ok=True)
            part = Path(tempfile.mkdtemp(prefix=f".{output.name}.", dir=output.parent))
        except OSError as error:
            raise OutputError(f"{output}: cannot be written ({error.strerror}); choose another -o") from None
        try:
            lines = [json.dumps({"image": f"{k:05d}.png", **fact}) for k, fact in enumerate(facts)]
            for k, (pixels, fact) in enumerate(zip(pictures, facts, strict=True)):
                _save(pixels, part / f"{k:05d}.png", fact)
            _save(_grid(pictures), part / GRID, shared)
            (part / MANIFEST).write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
            part.chmod(0o755)  # mkdtemp makes it private
            part.replace(output)
        except OSError as error:
            raise OutputError(f"{output}: cannot be written ({error.strerror}); choose another -o") from None
        finally:
            shutil.rmtree(part, ignore_errors=True)
    for line in lines if as_json else ():
        typer.echo(line)


def _save(pixels: "Array", path: Path, facts: dict[str, Any]) -> None:
    import numpy as np

    from safelight.picture import Picture, write
    from safelight.picture.xmp import GENERATED

    known = {name: str(value) for name, value in facts.items() if value is not None}
    write(Picture(np.rint(255 * pixels).astype(np.uint8)), path, provenance=known, source=GENERATED)


def _grid(pictures: "Array") -> "Array":
    """(N, H, W, C) → about as many columns as rows, the rest black; the first `MOST_IN_GRID`."""
    import numpy as np

    pictures = pictures[:MOST_IN_GRID]
    count, height, width, channels = pictures.shape
    columns = min(count, max(10, int(np.ceil(np.sqrt(count)))))
    rows = -(-count // columns)
    padded = np.zeros((rows * columns, height, width, channels), np.float32)
    padded[:count] = pictures
    by_row = padded.reshape(rows, columns, height, width, channels).transpose(0, 2, 1, 3, 4)
    return by_row.reshape(rows * height, columns * width, channels)
