"""The verb: .latent files to pictures."""

import os
import time
from collections.abc import Callable
from dataclasses import replace

from safelight.coding.container import Header
from safelight.errors import PictureError, RefusedError, shown
from safelight.jobs.batch.naming import Naming
from safelight.jobs.batch.plan import FileTask, Plan, make_plan
from safelight.jobs.batch.remote import engine_of
from safelight.jobs.batch.run import ignore, run
from safelight.jobs.compress.outcome import DecompressOutcome, DecompressReport
from safelight.jobs.compress.settings import SUFFIX, DecompressSettings
from safelight.picture import EXTENSIONS, READABLE, SUFFIXES, Picture, write
from safelight.runtime.codec.codec import Codec, Region
from safelight.work import OnProgress, Progress, silent

LOSSY_QUALITY = {"webp": 100, "avif": 100}
"""Without loss where the format can; JPEG has its usual 95."""


def decompress(
    settings: DecompressSettings,
    on_progress: OnProgress = silent,
    on_outcome: Callable[[DecompressOutcome], None] = ignore,
) -> DecompressReport:
    """Decode .latent files, with all that was kept beside the pixels.

    The pixels of a whole picture are compared with the checksum in its file. The failure of one file is an outcome.
    Raises UsageError for a request that makes no sense, RefusedError for a model that cannot be used, OutputError if
    the output folder cannot be used.
    """
    plan = plan_decompress(settings)
    steps = make_steps(settings)
    outcomes = run(plan, steps, on_progress, on_outcome, engine=engine_of(settings, steps, make_steps))
    return DecompressReport(outcomes, plan.passed_over)


def make_steps(settings: DecompressSettings) -> "DecompressSteps":
    """With the codec; here, or in a worker of a cluster."""
    return DecompressSteps(settings, Codec.load(settings.model, settings.threads))


def plan_decompress(settings: DecompressSettings) -> Plan:
    """All tasks. Raises UsageError."""
    naming = Naming(
        verb="decompress",
        done="decompressed",
        what="files that end in .latent",
        reads=frozenset({SUFFIX}),
        writes=tuple(SUFFIXES),
        no_folders=frozenset({*READABLE, SUFFIX}),
        file_name=lambda source: f"{source.stem}.{EXTENSIONS[settings.format]}",
    )
    return make_plan(settings, naming)


class DecompressSteps:
    """See `jobs.batch.steps.Steps`."""

    outcome = DecompressOutcome

    def __init__(self, settings: DecompressSettings, codec: Codec) -> None:
        self.settings, self.codec = settings, codec
        self.model_sha256 = codec.core.sha256.hex()

    def parameters(self) -> dict[str, object]:
        """The settings."""
        return self.settings.parameters()

    def load(self, task: FileTask) -> bytes:
        """The whole file. Raises PictureError."""
        if not os.path.isfile(task.source):
            what = "is not a file" if os.path.exists(task.source) else "is not there"
            raise PictureError(f"{shown(task.source)}: {what}; name a .latent file or a folder of them")
        try:
            return task.source.read_bytes()
        except OSError as error:
            raise PictureError(f"{shown(task.source)}: cannot be read ({error.strerror})") from None

    def work(self, task: FileTask, data: bytes, on_share: Callable[[float], None]) -> tuple[Picture, DecompressOutcome]:
        """The picture, and what is known of it."""
        began, asked = time.perf_counter(), self.settings

        def on_tile(now: Progress) -> None:
            on_share(now.done / now.total)

        try:
            header = self.codec.header(data, asked.max_megapixels)
            picture = self.codec.decompress(
                data, asked.region and Region(*asked.region), asked.salvage, asked.max_megapixels, on_progress=on_tile
            )
        except (PictureError, RefusedError) as error:
            raise type(error)(f"{shown(task.source)}: {error}") from None
        return picture, self._outcome(task, header, picture, time.perf_counter() - began)

    def _outcome(self, task: FileTask, header: Header, picture: Picture, seconds: float) -> DecompressOutcome:
        return DecompressOutcome(
            source=shown(task.source),
            status="done",
            outputs=[shown(task.target)],
            seconds=seconds,
            megapixels=round(picture.megapixels, 3),
            quality=header.quality,
            restored=header.restored,
            warnings=list(picture.warnings),
        )

    def check(self, task: FileTask, made: tuple[Picture, DecompressOutcome]) -> tuple[Picture, DecompressOutcome]:
        """Nothing more: the codec has compared the pixels with their checksum."""
        return made

    def save(self, task: FileTask, made: tuple[Picture, DecompressOutcome]) -> DecompressOutcome:
        """Write the picture. Raises OutputError."""
        began = time.perf_counter()
        picture, outcome = made
        task.target.parent.mkdir(parents=True, exist_ok=True)
        container = SUFFIXES[task.target.suffix.lower()]
        warnings = write(picture, task.target, quality=LOSSY_QUALITY.get(container, 95))
        seconds = round(outcome.seconds + time.perf_counter() - began, 3)
        return replace(outcome, seconds=seconds, warnings=[*outcome.warnings, *warnings])

    def facts(self, outcome: DecompressOutcome, source_sha256: str) -> dict[str, object]:
        """What the manifest says of a result."""
        return {
            "source": outcome.source,
            "source_sha256": source_sha256,
            "model_sha256": self.model_sha256,
            "parameters": self.parameters(),
            "quality": outcome.quality,
            "restored": outcome.restored,
            "seconds": outcome.seconds,
            "warnings": outcome.warnings,
        }
