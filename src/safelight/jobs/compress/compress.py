"""The verb: pictures to .latent files."""

import time
from collections.abc import Callable
from dataclasses import replace

from safelight.bundle.codec.names import DEFAULT_QUALITY
from safelight.errors import PictureError, shown
from safelight.jobs.batch.naming import Naming
from safelight.jobs.batch.plan import FileTask, Plan, make_plan
from safelight.jobs.batch.remote import engine_of
from safelight.jobs.batch.run import ignore, run
from safelight.jobs.batch.words import OUT_OF_DISTRIBUTION
from safelight.jobs.compress.outcome import CompressOutcome, CompressReport
from safelight.jobs.compress.settings import SUFFIX, CompressSettings
from safelight.jobs.compress.target import at_least, psnr_of, under
from safelight.picture import READABLE, Picture, filtered_metadata, read
from safelight.picture.scale import measure_scale
from safelight.runtime.codec.codec import Codec
from safelight.runtime.codec.encoding import Compressed, Encoding
from safelight.runtime.restore import Restorer, check_plausible
from safelight.work import OnProgress, Progress, silent, write_whole


def compress(
    settings: CompressSettings,
    on_progress: OnProgress = silent,
    on_outcome: Callable[[CompressOutcome], None] = ignore,
) -> CompressReport:
    """Compress pictures with their profile, EXIF, XMP and alpha. Every machine decodes the same pixels.

    What is done already is skipped. The failure of one file is an outcome. Ctrl-C, and a callback that raises
    `Cancelled`, end the batch; the same call goes on later. Raises UsageError for a request that makes no sense,
    RefusedError for a model that cannot be used, OutputError if the output folder cannot be used.
    """
    plan = plan_compress(settings)
    steps = make_steps(settings)
    outcomes = run(plan, steps, on_progress, on_outcome, engine=engine_of(settings, steps, make_steps))
    return CompressReport(outcomes, plan.passed_over)


def make_steps(settings: CompressSettings) -> "CompressSteps":
    """With the models; here, or in a worker of a cluster."""
    codec = Codec.load(settings.model, settings.threads)
    restorer = Restorer.load("photo", threads=settings.threads) if settings.restore else None
    return CompressSteps(settings, codec, restorer)


def plan_compress(settings: CompressSettings) -> Plan:
    """All tasks. Raises UsageError."""
    naming = Naming(
        verb="compress",
        done="compressed",
        what="pictures",
        reads=READABLE,
        writes=(SUFFIX,),
        no_folders=READABLE,
        file_name=lambda source: source.stem + SUFFIX,
        makes_pictures=False,
    )
    return make_plan(settings, naming)


class CompressSteps:
    """See `jobs.batch.steps.Steps`."""

    outcome = CompressOutcome

    def __init__(self, settings: CompressSettings, codec: Codec, restorer: Restorer | None) -> None:
        self.settings, self.codec, self.restorer = settings, codec, restorer
        self.model_sha256 = codec.core.sha256.hex()

    def parameters(self) -> dict[str, object]:
        """The settings, and the restorer."""
        if self.restorer is None:
            return self.settings.parameters()
        precision = self.restorer.networks.precision_of_mean(scale=False)
        return self.settings.parameters() | {"restorer": self.restorer.bundle.sha256, "precision": precision}

    def load(self, task: FileTask) -> Picture:
        """The picture, with the metadata that is to be kept. Raises PictureError."""
        picture = read(task.source, self.settings.max_megapixels)
        is_flat = picture.pixels.min() == picture.pixels.max()
        scale = measure_scale(picture).scale if picture.bits < 32 and not is_flat else None  # floats are refused later
        if scale is not None and scale != (0.0, picture.full_scale):
            raise PictureError(
                f"{shown(task.source)}: its values lie from {scale.low:g} to {scale.high:g}, not on the scale of a "
                "photograph; most of them would be lost; stretch them to the full range first"
            )
        kept = filtered_metadata(picture.metadata, self.settings.metadata)
        keys = ", ".join(key for key, _ in kept.texts)
        told = [f"text was left out, since a .latent file does not hold it: {keys}"] if keys else []
        return picture.with_(metadata=kept, warnings=(*picture.warnings, *told))

    def work(
        self, task: FileTask, picture: Picture, on_share: Callable[[float], None]
    ) -> tuple[bytes, CompressOutcome]:
        """The file, and what is known of it. Raises PictureError."""
        began, warnings = time.perf_counter(), list(picture.warnings)
        if self.restorer is not None:
            picture, more = self._restored(task, picture, self.restorer, on_share)
            warnings += more
        try:
            made = self._made(picture, on_share)
        except PictureError as error:
            raise PictureError(f"{shown(task.source)}: {error}") from None
        outcome = CompressOutcome(
            source=shown(task.source),
            status="done",
            outputs=[shown(task.target)],
            seconds=time.perf_counter() - began,
            megapixels=round(picture.megapixels, 3),
            quality=made.quality,
            bytes=len(made.data),
            bits_per_pixel=round(8 * len(made.data) / (picture.megapixels * 1e6), 4),
            psnr_db=_finite(psnr_of(made, picture)),
            warnings=warnings,
        )
        return made.data, outcome

    def _restored(
        self, task: FileTask, picture: Picture, restorer: Restorer, on_share: Callable[[float], None]
    ) -> tuple[Picture, list[str]]:
        """The mean, and a warning for a picture that is unlike the training pictures. Raises OutputError."""

        def on_tile(now: Progress) -> None:
            on_share(0.5 * now.done / now.total)

        restored = restorer.enhance(picture, uncertainty=False, on_progress=on_tile)
        check_plausible(picture, restored.mean, shown(task.source))
        strange = [OUT_OF_DISTRIBUTION.format(score=restored.ood_score)] if restored.out_of_distribution else []
        return restored.mean, strange

    def _made(self, picture: Picture, on_share: Callable[[float], None]) -> Compressed:
        def on_tile(now: Progress) -> None:
            share = now.done / now.total
            on_share(share if self.restorer is None else 0.5 + 0.5 * share)

        asked, restored = self.settings, self.restorer is not None
        if asked.psnr is asked.max_bytes is asked.bpp is None:
            return self.codec.encode(picture, asked.quality or DEFAULT_QUALITY, restored=restored, on_progress=on_tile)
        encoding = Encoding(self.codec.core, picture, restored, keep=True, on_progress=on_tile)
        if asked.psnr is not None:
            return at_least(picture, asked.psnr, encoding)
        if asked.bpp is not None:
            return under(round(asked.bpp * picture.megapixels * 1e6 / 8), encoding)
        assert asked.max_bytes is not None
        return under(asked.max_bytes, encoding)

    def check(self, task: FileTask, made: tuple[bytes, CompressOutcome]) -> tuple[bytes, CompressOutcome]:
        """Nothing more: the codec has decoded the file."""
        return made

    def save(self, task: FileTask, made: tuple[bytes, CompressOutcome]) -> CompressOutcome:
        """Write the file. Raises OutputError."""
        began = time.perf_counter()
        data, outcome = made
        task.target.parent.mkdir(parents=True, exist_ok=True)
        write_whole(task.target, data)
        return replace(outcome, seconds=round(outcome.seconds + time.perf_counter() - began, 3))

    def facts(self, outcome: CompressOutcome, source_sha256: str) -> dict[str, object]:
        """What the manifest says of a result."""
        numbers = {name: getattr(outcome, name) for name in ("quality", "bits_per_pixel", "psnr_db", "seconds")}
        return {
            "source": outcome.source,
            "source_sha256": source_sha256,
            "model_sha256": self.model_sha256,
            "parameters": self.parameters(),
            **numbers,
            "warnings": outcome.warnings,
        }


def _finite(psnr: float) -> float | None:
    """None where nothing was lost, since JSON has no infinity."""
    return round(psnr, 3) if psnr < float("inf") else None
