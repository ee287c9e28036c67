"""How fast a run is, whether it waits for data, and how far its budget goes."""

import time
from collections.abc import Sequence
from typing import NamedTuple

import torch

from safelight.learn.checkpoint import FIRST_STEPS, Progress
from safelight.learn.device import layer_precision
from safelight.learn.recipe import Schedule, budget_shares

SPEED_KNOWN_AT = 15
"""The step of a stage from which its speed can be told."""
FEW_STEPS = 300
"""A run with fewer learns little; of a stage, its share of them."""
TOO_FEW = "so few steps teach little; give a longer --budget, smaller pictures or a smaller model"
STOPPED_S, STOPPED_SHARE = 5.0, 0.02
"""A step that takes longer, and computes for a smaller share of the time, was stopped (SIGSTOP, a sleeping laptop)."""


class Clock(NamedTuple):
    """A moment, by the clock and by the processor time of this process."""

    clock_s: float
    processor_s: float

    @classmethod
    def now(cls) -> "Clock":
        """The present one."""
        return cls(time.perf_counter(), time.process_time())

    def seconds_since(self) -> float:
        """By the clock, without a time in which the process was stopped from outside: it then computes nothing."""
        now = Clock.now()
        by_clock, computed = now.clock_s - self.clock_s, now.processor_s - self.processor_s
        return computed if by_clock > STOPPED_S and computed < STOPPED_SHARE * by_clock else by_clock


class Speed(NamedTuple):
    """Since the last reading. Where the loader is the slower of the two, the steps wait for it."""

    samples_per_s: float
    step_samples_per_s: float
    """Of the steps alone, without waiting for a batch."""
    loader_samples_per_s: float
    """Of the loader alone, with all its processes, if nothing waited for it."""
    loader_wait_share: float
    """Of the time, what the steps waited for a batch."""


class Meter:
    """How fast steps and loader are."""

    def __init__(self) -> None:
        self.restart()

    def add(self, samples: int, wait_s: float, loader_s: float) -> None:
        """One step's."""
        self.samples += samples
        self.wait_s += wait_s
        self.loader_s += loader_s

    def read(self) -> Speed:
        """The speed, and start again."""
        elapsed = time.perf_counter() - self.began
        whole, steps, loader = (self.samples / max(s, 1e-9) for s in (elapsed, elapsed - self.wait_s, self.loader_s))
        result = Speed(whole, steps, loader, self.wait_s / elapsed)
        self.restart()
        return result

    def restart(self) -> None:
        """Forget."""
        self.began, self.wait_s, self.loader_s, self.samples = time.perf_counter(), 0.0, 0.0, 0


def too_short(stages: Sequence[Schedule], ended: Sequence[int]) -> list[str]:
    """A line for each stage that ended after so few steps that it has learned little."""
    return [
        f"warning: stage {number} had {steps} steps: {TOO_FEW}"
        for number, (steps, share) in enumerate(zip(ended, budget_shares(stages), strict=True), 1)
        if steps < FEW_STEPS * share
    ]


def foretold(stages: Sequence[Schedule], budget_s: float | None, progress: Progress) -> list[str]:
    """Lines for people when the speed is known: how many steps fit into a stage's budget, what helps if these are few.

    None at other steps, and without a budget.
    """
    if budget_s is None or progress.step != SPEED_KNOWN_AT:
        return []
    of_one = (progress.seconds - progress.first_seconds) / (progress.step - FIRST_STEPS)
    steps = progress.step + max(0, round((budget_s - progress.seconds) / of_one))
    computes = str(layer_precision(stages[progress.stage].precision)).removeprefix("torch.")
    lines = [f"about {steps} steps fit into {budget_s:.0f} s (in {computes}, with {torch.get_num_threads()} threads)"]
    if steps < FEW_STEPS * budget_shares(stages)[progress.stage]:
        lines.append(f"warning: {TOO_FEW}")
    return lines
