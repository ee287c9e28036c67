"""The verb: new pictures of a VAE as a folder with a manifest, or as one grid."""

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from safelight.errors import OutputError, UsageError
from safelight.jobs.generate.latents import chosen_classes, draw
from safelight.jobs.generate.settings import OTHER_PICTURES, GenerateReport, GenerateSettings
from safelight.picture import Picture, write
from safelight.picture.xmp import GENERATED, Provenance
from safelight.runtime.images.vae import Array, Vae
from safelight.work import Line, Manifest, OnProgress, Progress, silent

GRID = "grid.png"
MOST_IN_GRID = 400


def generate(settings: GenerateSettings, on_progress: OnProgress = silent) -> GenerateReport:
    """Make pictures: random ones, a way between two pictures, or one latent varied.

    The output folder appears whole or not at all; a callback that raises `Cancelled` leaves nothing.
    Raises UsageError for a request that makes no sense, RefusedError for a model or a device that cannot be used,
    OutputError for an output that cannot be written.
    """
    _check_output(settings)
    vae = Vae.load(settings.model, settings.device)
    labels = chosen_classes(vae, settings)
    drawn = draw(vae, settings, labels)
    on_progress(Progress(0, settings.count, "decoding"))
    means = vae.decode(drawn.latents, labels if vae.card.conditional else None)
    pictures = vae.finished(means, settings.seed, is_way=settings.is_way)
    facts = {"model": vae.bundle.sha256, **drawn.facts}
    if settings.is_grid:
        _save(_grid(pictures), settings.output, facts)
        on_progress(Progress(settings.count, settings.count, settings.output.name))
        return GenerateReport(settings.output, (_line(settings.output, facts),))
    names = [None if labels is None else vae.card.classes[labels[k]] for k in range(settings.count)]
    lines: list[Line] = []
    with _whole_folder(settings.output) as folder:
        for k, (pixels, name) in enumerate(zip(pictures, names, strict=True)):
            path, own_facts = folder / f"{k:05d}.png", {"class": name, **facts}
            _save(pixels, path, own_facts)
            lines.append(_line(path, own_facts))
            on_progress(Progress(k + 1, settings.count, path.name))
        _save(_grid(pictures), folder / GRID, facts)
        manifest = Manifest(folder)
        manifest.begin("generate")
        manifest.rewrite(lines)
    return GenerateReport(settings.output, tuple(lines))


def _line(path: Path, facts: dict[str, Any]) -> Line:
    return {"outputs": {path.name: path.stat().st_size}, **facts}


def _check_output(settings: GenerateSettings) -> None:
    """Before anything is computed. Raises UsageError."""
    output = settings.output
    if settings.is_grid:
        if output.is_dir():
            raise UsageError(f"{output}: is a folder; name a picture, or a folder without .png")
    elif output.suffix.lower() in OTHER_PICTURES:
        raise UsageError(f"{output}: a grid is a .png; name a folder or a .png")
    elif output.exists() and (not output.is_dir() or any(output.iterdir())):
        raise UsageError(f"{output}: is not an empty folder; choose a new -o")


@contextmanager
def _whole_folder(target: Path) -> Iterator[Path]:
    """A temporary folder beside `target`, which becomes `target` when the block ends. Raises OutputError."""
    part: Path | None = None
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        part = Path(tempfile.mkdtemp(prefix=f".{target.name}.", dir=target.parent))
        yield part
        part.chmod(0o755)  # mkdtemp makes it private
        part.replace(target)
    except OSError as error:
        raise OutputError(f"{target}: cannot be written ({error.strerror}); choose another -o") from None
    finally:
        if part is not None:
            shutil.rmtree(part, ignore_errors=True)


def _save(pixels: Array, path: Path, facts: dict[str, Any]) -> None:
    known = {name: str(value) for name, value in facts.items() if value is not None}
    write(Picture(np.rint(255 * pixels).astype(np.uint8)), path, provenance=Provenance(known, GENERATED))


def _grid(pictures: Array) -> Array:
    """(N, H, W, C) → one picture with at most as many rows as columns; the rest is white. The first `MOST_IN_GRID`."""
    pictures = pictures[:MOST_IN_GRID]
    count, height, width, channels = pictures.shape
    columns = min(count, max(10, int(np.ceil(np.sqrt(count)))))
    rows = -(-count // columns)
    padded = np.ones((rows * columns, height, width, channels), np.float32)
    padded[:count] = pictures
    by_row = padded.reshape((rows, columns, height, width, channels)).swapaxes(1, 2)
    return by_row.reshape(rows * height, columns * width, channels)
