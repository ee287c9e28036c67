"""A folder of work as idempotent tasks: planned, run, written down."""

from safelight.jobs.enhance.files import Outcome
from safelight.jobs.enhance.manifest import Manifest
from safelight.jobs.enhance.plan import Task, make_plan
from safelight.jobs.enhance.run import run
from safelight.jobs.enhance.settings import EnhanceSettings

__all__ = ["EnhanceSettings", "Manifest", "Outcome", "Task", "make_plan", "run"]
