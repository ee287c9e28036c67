"""The three steps of one task: load, restore, save."""

import os
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from safelight.errors import PictureError, shown
from safelight.evaluation.uncertainty_view import legend_of_measurements, with_scale
from safelight.jobs.batch.plan import FileTask
from safelight.jobs.batch.words import OUT_OF_DISTRIBUTION
from safelight.jobs.enhance.outcome import EnhanceOutcome
from safelight.jobs.enhance.settings import EnhanceSettings
from safelight.picture import SUFFIXES, Picture, read, read_pages, write
from safelight.picture.fewer_bits import Depth
from safelight.picture.xmp import Provenance
from safelight.runtime.machine import Precision
from safelight.runtime.restore import Restored, Restorer, check_plausible
from safelight.work import OnProgress, Progress

SMALLEST = 1e-30
"""A standard deviation that is as good as none."""
_BITS = {"8": 8, "10": 10, "12": 12, "16": 16, "float": 32}


@dataclass(frozen=True)
class Page:
    """One page before and after."""

    before: Picture
    after: Restored
    seconds: float


class Steps:
    """What is done to every task of a batch, with the batch's settings and model."""

    outcome = EnhanceOutcome

    def __init__(self, settings: EnhanceSettings, restorer: Restorer) -> None:
        self.settings, self.restorer = settings, restorer
        self.model_sha256 = restorer.bundle.sha256

    def parameters(self) -> dict[str, object]:
        """What the result depends on."""
        return self.settings.parameters() | {"precision": self.precision}

    @property
    def precision(self) -> Precision:
        """Of the mean: what `auto` means on this machine."""
        has_scale = self.settings.uncertainty or self.settings.samples > 0 or self.settings.is_one_draw
        return self.restorer.networks.precision_of_mean(has_scale)

    def load(self, task: FileTask) -> list[Picture]:
        """The pages of the input that are asked for. Raises PictureError."""
        if self.settings.pages == "all":
            return read_pages(task.source, self.settings.max_megapixels)
        return [read(task.source, self.settings.max_megapixels)]

    def work(self, task: FileTask, pictures: Sequence[Picture], on_share: Callable[[float], None]) -> list[Page]:
        """All pages by the model. `on_share` is called with the share that is done, 0 to 1. Raises PictureError."""
        pages: list[Page] = []

        def on_tile(now: Progress) -> None:
            on_share((len(pages) + now.done / now.total) / len(pictures))

        for picture in pictures:
            try:
                with np.errstate(over="ignore", invalid="ignore"):  # of floats near the largest ones
                    pages.append(self._restored(picture, on_tile))
            except PictureError as error:
                raise PictureError(f"{shown(task.source)}: {error}") from None
        return pages

    def _restored(self, picture: Picture, on_tile: OnProgress) -> Page:
        began, settings = time.perf_counter(), self.settings
        after = self.restorer.enhance(
            picture,
            samples=1 if settings.is_one_draw else settings.samples,
            seed=settings.seed,
            strength=settings.strength,
            temperature=1.0 if settings.temperature is None else settings.temperature,
            sigma_01=None if settings.sigma is None else settings.sigma / 255,
            uncertainty=settings.uncertainty,
            scale=settings.scale_choice,
            on_progress=on_tile,
        )
        return Page(picture, after, time.perf_counter() - began)

    def check(self, task: FileTask, pages: Sequence[Page]) -> list[Page]:
        """All pages, after classic operations. Raises OutputError for an implausible result."""
        return [self._finished(page, task) for page in pages]

    def _finished(self, page: Page, task: FileTask) -> Page:
        """Classic operations, if any are asked for. Raises OutputError for an implausible result."""
        began, after = time.perf_counter(), page.after
        for picture in (after.mean, *after.samples):
            check_plausible(page.before, picture, shown(task.source), page.after.scale)
        if self.settings.operations:
            from safelight.augmentation.edit import edit  # OpenCV is an extra

            operations, seed = self.settings.operations, self.settings.seed
            mean, *samples = (edit(picture, operations, seed) for picture in (after.mean, *after.samples))
            after = replace(after, mean=mean, samples=tuple(samples))
        return replace(page, after=after, seconds=page.seconds + time.perf_counter() - began)

    def save(self, task: FileTask, pages: Sequence[Page]) -> EnhanceOutcome:
        """Write all outputs, or none that was not there before. Raises OutputError."""
        began = time.perf_counter()
        task.target.parent.mkdir(parents=True, exist_ok=True)
        warnings = [*self._read_warnings(task, pages), *self._write_all(task, pages)]
        scales = [page.after.scale for page in pages]
        score = max((page.after.ood_score for page in pages if page.after.ood_score is not None), default=None)
        if any(page.after.out_of_distribution for page in pages):
            warnings.append(OUT_OF_DISTRIBUTION.format(score=score))
        return EnhanceOutcome(
            source=shown(task.source),
            status="done",
            outputs=[shown(output) for output in task.outputs],
            seconds=round(sum(page.seconds for page in pages) + time.perf_counter() - began, 3),
            megapixels=round(sum(page.before.megapixels for page in pages), 3),
            ood_score=score,
            expert=pages[0].after.expert,
            precision=pages[0].after.precision,
            scale=pages[0].after.scale,
            scales=scales if len({*scales}) > 1 else None,
            warnings=warnings,
        )

    def facts(self, outcome: EnhanceOutcome, source_sha256: str) -> dict[str, object]:
        """What the manifest says of a result."""
        return {
            "source": outcome.source,
            "source_sha256": source_sha256,
            "model": self.restorer.card.name,
            "model_sha256": self.restorer.bundle.sha256,
            "parameters": self.parameters(),
            "seconds": outcome.seconds,
            "ood_score": outcome.ood_score,
            "expert": outcome.expert,
            "precision": outcome.precision,
            "scale": outcome.scale,
            **({} if outcome.scales is None else {"scales": outcome.scales}),
            "warnings": outcome.warnings,
        }

    def _read_warnings(self, task: FileTask, pages: Sequence[Page]) -> list[str]:
        """What a person should know about the input."""
        warnings = list(dict.fromkeys(warning for page in pages for warning in page.before.warnings))
        holes = sum(page.after.holes for page in pages)
        if holes:
            warnings.append(f"{holes} values are missing or far outside the scale; they stay as they are")
        suffix = task.source.suffix.lower()
        meant, is_a = SUFFIXES.get(suffix), pages[0].before.format
        if self.settings.format == "same" and meant not in (None, is_a):
            warnings.append(f"is a {is_a} named {suffix}; written as {meant}")
        return warnings

    def _write_all(self, task: FileTask, pages: Sequence[Page]) -> list[str]:
        """Every output of a task, or none that was not there before. Returns warnings."""
        is_one_draw = self.settings.is_one_draw
        results = [page.after for page in pages]
        batches = [(task.target, [r.samples[0] if is_one_draw else r.mean for r in results], is_one_draw)]
        batches += [
            (path, [r.samples[k] for r in results], True) for k, path in enumerate(task.beside[: self.settings.samples])
        ]
        warnings: list[str] = []
        fresh = [path for path in task.outputs if not os.path.lexists(path)]
        try:
            for path, pictures, is_drawn in batches:
                more = write(
                    pictures,
                    path,
                    container=None if self.settings.format == "same" else self.settings.format,
                    metadata=self.settings.metadata,
                    quality=self.settings.quality,
                    depth=Depth(_BITS.get(self.settings.depth), results[0].scale or self.settings.scale_choice),
                    provenance=self._provenance(is_drawn),
                )
                warnings += [warning for warning in more if warning not in warnings]
            if self.settings.uncertainty:
                self._write_uncertainty(pages, *task.beside[-2:])
        except BaseException:
            for path in fresh:
                path.unlink(missing_ok=True)
            raise
        return warnings

    def _write_uncertainty(self, pages: Sequence[Page], numbers: Path, view: Path) -> None:
        """All pages in the input's own numbers, and the first one as a picture with its scale. Raises OutputError."""
        maps = [
            page.before.with_map(_rms(page.after.std) * np.float32(page.before.full_scale))
            for page in pages
            if page.after.std is not None
        ]
        write(maps, numbers)
        first, white = maps[0].pixels, pages[0].before.full_scale
        if pages[0].after.scale == (0.0, white):
            write(Picture(with_scale(first / np.float32(white))), view)
        else:
            write(Picture(with_scale(first, legend_of_measurements(first))), view)

    def _provenance(self, is_drawn: bool) -> Provenance | None:
        """What the XMP says; nothing if nothing was done."""
        settings = self.settings
        if not settings.provenance or (settings.strength == 0 and not settings.operations):
            return None
        temperature = 1.0 if settings.temperature is None else settings.temperature
        facts = {
            "Model": f"{self.restorer.card.name} {self.restorer.bundle.sha256[:12]}",
            "Strength": f"{settings.strength:g}",
            "Temperature": f"{temperature if is_drawn else 0:g}",
            "Seed": str(settings.seed),
            **({"Operations": " ".join(settings.operations)} if settings.operations else {}),
        }
        return Provenance(facts)


def _rms(std: NDArray[np.float32]) -> NDArray[np.float32]:
    """(H, W, C) → (H, W, 1): root mean square over the channels."""
    largest = np.float32(max(float(std.max()), SMALLEST))  # whose square may have no number
    rms: NDArray[np.float32] = largest * np.sqrt(np.mean(np.square(std / largest), axis=2, keepdims=True))
    return rms
