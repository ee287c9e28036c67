"""A folder of work as idempotent tasks: planned, run, written down."""

from safelight.jobs.local import run
from safelight.jobs.manifest import Manifest
from safelight.jobs.plan import Task, make_plan
from safelight.jobs.settings import EnhanceSettings
from safelight.jobs.task import Outcome

__all__ = ["EnhanceSettings", "Manifest", "Outcome", "Task", "make_plan", "run"]
