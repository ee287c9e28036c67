"""The verb: restore files and folders, and write the results."""

from collections.abc import Callable

from safelight.jobs.batch.remote import engine_of
from safelight.jobs.batch.run import ignore, run
from safelight.jobs.enhance.compare import write_comparison
from safelight.jobs.enhance.files import Steps
from safelight.jobs.enhance.outcome import EnhanceOutcome, EnhanceReport
from safelight.jobs.enhance.plan import plan_enhance
from safelight.jobs.enhance.settings import EnhanceSettings
from safelight.runtime.restore import Restorer
from safelight.work import OnProgress, silent


def enhance(
    settings: EnhanceSettings,
    on_progress: OnProgress = silent,
    on_outcome: Callable[[EnhanceOutcome], None] = ignore,
) -> EnhanceReport:
    """Restore pictures: noise, JPEG artefacts, a little blur. Profile, EXIF, XMP, depth and alpha are kept.

    What is done already is skipped. `on_outcome` is called with each file's `Outcome`, in order. The failure of one
    file is an outcome. `on_progress` counts megapixels. Ctrl-C, and a callback that raises
    `Cancelled`, end the batch: pictures that the model has finished are saved first, and the same call goes on later.
    Raises UsageError for a request that makes no sense, RefusedError for a model or a device that cannot be used,
    OutputError if the output folder cannot be used.
    """
    plan = plan_enhance(settings)
    restorer = load_restorer(settings)
    steps = Steps(settings, restorer)
    engine = engine_of(settings, steps, make_steps, precision=steps.precision)
    outcomes = run(plan, steps, on_progress, on_outcome, engine=engine)
    compared = 0 if settings.compare is None else write_comparison(outcomes, settings.compare)
    return EnhanceReport(outcomes, restorer.networks.device, plan.passed_over, compared)


def load_restorer(settings: EnhanceSettings) -> Restorer:
    """The model that is asked for. Raises BundleError, DeviceError and UsageError."""
    return Restorer.load(settings.model, settings.device, settings.threads, precision=settings.precision)


def make_steps(settings: EnhanceSettings) -> Steps:
    """In a worker of a cluster."""
    return Steps(settings, load_restorer(settings))
