"""Measure a VAE of a set of pictures on pictures that it was not trained on."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from safelight.evaluation import Evaluation, MeasureSettings, PartChoice, evaluate_images, open_held_out
from safelight.evaluation.page import html
from safelight.runtime.images.vae import Vae
from safelight.runtime.machine import Device
from safelight.settings import AnyPath, Positive, VerbSettings, option
from safelight.work import OnProgress, Progress, mirrored, silent, write_whole

MOST_TRAINING = 5000
"""Training pictures that samples are compared with."""


class EvaluateSettings(VerbSettings):
    """Which model, on which pictures, and how much is measured."""

    may_be_stored = frozenset({"data"})

    model: str | Path = option(..., "A bundle of a set of pictures: its name or path.")
    data: AnyPath = option(..., "A set of pictures: a folder, .npz, .csv or .jsonl.")
    part: PartChoice = option(
        "auto",
        "auto, test, validation, train or all. auto: the test part of the set that the model was trained on, "
        "or the validation part if there is no test part; all of another set.",
    )
    draws: Positive = option(100, "K of the log-likelihood.")
    likelihood_of: Positive = option(200, "Pictures of which the log-likelihood is taken.")
    samples: Positive = option(1000, "Samples that are compared with pictures.")
    most: Positive = option(2000, "Pictures that are measured. Of a larger set, a fair sample is taken.")
    seed: int = option(0, "Of all draws.")
    device: Device = option("auto", "auto, cpu or cuda.")
    cache: AnyPath = option(Path(".cache/pixels"), "Where decoded pictures are kept.")


@dataclass(frozen=True)
class EvaluateReport:
    """How good the model is."""

    title: str
    """Name of the model and of the set."""
    part: str
    """Of the set; "all" for another set than the training set."""
    pictures: int
    """That were measured."""
    evaluation: Evaluation
    metrics: Path | None
    """The log of the training run, if it is beside the bundle."""

    @property
    def numbers(self) -> dict[str, float]:
        """Each named with its unit."""
        return self.evaluation.numbers

    @property
    def notes(self) -> tuple[str, ...]:
        """What a person must know to read the numbers."""
        return self.evaluation.notes

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        return {**self.numbers, "part": self.part, "notes": self.notes}

    def write_page(self, path: Path) -> None:
        """Numbers, pictures and curves as one HTML file that needs no other. Raises OutputError."""
        write_whole(path, html(self.title, self.evaluation, self.metrics))


def evaluate(settings: EvaluateSettings, on_progress: OnProgress = silent) -> EvaluateReport:
    """Measure ELBO, likelihood, reconstructions, latents in use and samples.

    Raises BundleError, DeviceError, and UsageError for a set or a part without pictures.
    """
    on_progress(Progress(0, 0, "reading pictures"))
    vae = Vae.load(settings.model, settings.device)
    held_out = open_held_out(
        vae,
        mirrored(settings.data, on_progress),
        part=settings.part,
        cache=settings.cache,
        most=settings.most,
        most_training=MOST_TRAINING,
    )
    measured = MeasureSettings(
        draws=settings.draws, likelihood_of=settings.likelihood_of, samples=settings.samples, seed=settings.seed
    )
    metrics = vae.bundle.folder.parent / "metrics.jsonl"
    return EvaluateReport(
        title=f"{vae.card.name} on {settings.data.name}",
        part=held_out.part,
        pictures=len(held_out.pixels),
        evaluation=evaluate_images(vae, held_out, measured, on_progress),
        metrics=metrics if metrics.is_file() else None,
    )
